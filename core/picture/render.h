// One rendition: bytes of an original in, bytes of a rendition out.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/cancellation.h"
#include "core/base/result.h"
#include "core/picture/watermark.h"
#include "core/rendition/output_format.h"
#include "core/rendition/rendition.h"
#include "core/rendition/settings.h"

namespace media {

/// How the pixels of an original get into their final size: from readers of our own, as planes (JPEG, WebP)
/// or lines (PNG, WebP), which is all that most originals need, or through libvips, which can do anything.
enum class Route : std::uint8_t { direct, libvips };

struct DecodedPlanes;

/// What to render. Everything referred to outlives the call; nothing is shared with another thread except the
/// watermarks and the cancellation.
struct RenderTask {
    ByteView original;
    const Rendition& rendition;
    const RenderSettings& settings;
    std::span<const std::shared_ptr<Watermark>> watermarks;  ///< in the order in which they are laid
    const Cancellation& cancellation;
    /// This one or none (500), for those who compare them; else the better one.
    std::optional<Route> route{};
    /// What decode_together() has made for this task, which then needs no decode of its own, and no more of
    /// `original` than header_of() it.
    const DecodedPlanes* decoded = nullptr;
};

struct Encoded {
    Bytes body;
    OutputFormat format = Format::jpeg;
    int width = 0, height = 0;  ///< of one page
    int pages = 1;
    Route route = Route::libvips;
    int shared = 1;             ///< renditions that were made of the same decode, this one included
    double decode_seconds = 0;  ///< open, decode and resize, be it for several
    double encode_seconds = 0;
};

/// Whether the original moves where the first of `auto_formats` cannot, so that `render` would choose another
/// format. Reads no more than the header; false also where that fails, of which `render` then tells.
bool moves_past_first_format(const RenderTask& task) noexcept;

/// Renders, in the calling thread. Errors: 400 geometry over the limits or `lossless` for a format without
/// it; 415 not a picture or a format that is not allowed; 422 cannot be decoded, or over the limits for
/// pixels; 504 the deadline passed; 503 cancelled. Limits are read from the header before anything is
/// decoded.
Result<Encoded> render(const RenderTask& task) noexcept;

}  // namespace media
