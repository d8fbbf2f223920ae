// Whether a file is a picture that may be kept.
#pragma once

#include "core/base/cancellation.h"
#include "core/base/result.h"
#include "core/rendition/format.h"
#include "core/rendition/settings.h"

namespace media {

/// What a file turned out to be.
struct Examined {
    Format format = Format::jpeg;
    int width = 0, height = 0;  ///< of the first page, upright
    int pages = 1;
};

/// Decodes a file to its end, in the calling thread: all pages, up to `settings.max_frames`; of documents,
/// which are drawn, the first one. `file` is read with pread(); memory does not grow with it (GIF, WebP and
/// documents are mapped, which the system takes back as it likes). Of `settings` the limits of originals and
/// `fail_on` count. Errors: 415 not a picture, or a format that is not in `allowed`; 422 cannot be decoded,
/// or more pixels than allowed (told from the header, before anything is decoded); 504 the deadline passed;
/// 503 cancelled; 500 the file cannot be read.
Result<Examined> examine(int file, FormatSet allowed, const RenderSettings& settings,
                         const Cancellation& cancellation) noexcept;

}  // namespace media
