// What of an original's metadata goes into a rendition.
#pragma once

#include <string>
#include <vips/vips8>

#include "core/rendition/rendition.h"

namespace media {

/// Copies what `strip` keeps from the original's header to a clean image. Never kept: the colour profile
/// (pixels are sRGB), the orientation (it has been obeyed) and the EXIF thumbnail (it shows the picture
/// before cropping and without watermarks). True where the image carries any metadata now.
bool keep_metadata(const vips::VImage& header, Strip strip, vips::VImage& image);

/// XMP (ISO 16684-1) without properties of places; empty where that cannot be told for sure.
std::string xmp_without_gps(const std::string& xmp);

}  // namespace media
