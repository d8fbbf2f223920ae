// The container of WebP (RIFF): what libvips and libwebp leave wrong in it.
#pragma once

#include "core/base/bytes.h"

namespace media {

/// Removes EXIF, XMP and colour profile from a WebP file, in place. libvips 8.14 writes an EXIF block of its
/// own even where it is told to strip. A file that is not understood stays as it is.
void strip_webp(Bytes& file) noexcept;

/// Says of an animation that parts of it are transparent, its background too. libwebp looks at the frames
/// only, which it cuts down to what is opaque: transparent pads would be shown in black or white. Other files
/// stay as they are.
void declare_transparent_webp(Bytes& file) noexcept;

}  // namespace media
