// `fm=json`: what can be said of an original.
#pragma once

#include <cstdint>
#include <string>

#include "core/picture/render.h"

namespace media {

/// What `fm=json` tells. Sizes are those of the upright picture after `rot`, `crop` and `trim`.
struct Description {
    int width = 0, height = 0;  ///< pixels
    Format format = Format::jpeg;
    int pages = 1;             ///< all that the original has
    bool alpha = false;        ///< the original has an alpha channel
    int orientation = 1;       ///< of EXIF, 1-8
    std::string_view space{};  ///< how the pixels are stored: module/README.md lists the words
    std::uint64_t bytes = 0;   ///< of the original
    Color average, dominant;
    std::string blurhash;
    Bytes lqip;  ///< a WebP picture of at most lqip_bytes
};

inline constexpr std::size_t lqip_bytes = 400;

/// The description as one JSON object.
std::string to_json(const Description& description);

/// Describes, in the calling thread, what `task.rendition` (with `describe`) asks for; the body is JSON.
/// Watermarks are laid over `lqip`. Errors as render(), with the same limits.
Result<Encoded> describe(const RenderTask& task) noexcept;

}  // namespace media
