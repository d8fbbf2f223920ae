// What the first bytes of an original say of its size, without a library that decodes it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

#include "core/rendition/format.h"
#include "core/rendition/geometry.h"

namespace media {

/// Good enough to tell large work from small; nothing is refused on the strength of it.
struct Outline {
    Format format = Format::jpeg;
    Size size;                 ///< of one frame, as stored; {0, 0} where the first bytes do not tell
    int frames = 1;            ///< of an animation, where not all of it was seen, by what was
    bool progressive = false;  ///< JPEG
    std::uint64_t bytes = 0;   ///< of the whole original
};

/// How many first bytes are worth reading: a camera's EXIF block stands before the size of a JPEG.
inline constexpr std::size_t outline_bytes = 64 << 10;

/// Reads `head`, the first bytes of an original of `bytes` bytes. Nothing where it is no picture.
std::optional<Outline> outline_of(ByteView head, std::uint64_t bytes) noexcept;

}  // namespace media
