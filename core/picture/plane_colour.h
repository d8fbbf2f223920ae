// From planes to pixels.
#pragma once

#include "core/picture/pixels.h"
#include "core/picture/planes.h"

namespace media {

/// Planes that are not halved as sRGB, or as gray.
Pixels pixels_of(const Planes& planes);

}  // namespace media
