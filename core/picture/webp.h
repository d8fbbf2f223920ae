// The container of WebP (RIFF), as far as metadata is concerned.
#pragma once

#include "core/base/bytes.h"

namespace media {

/// Removes EXIF, XMP and colour profile from a WebP file, in place. libvips 8.14 writes an EXIF block of its
/// own even where it is told to strip. A file that is not understood stays as it is.
void strip_webp(Bytes& file) noexcept;

}  // namespace media
