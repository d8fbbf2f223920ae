// Canvas, background and corners: the last steps before watermarks, on pixels in memory.
#pragma once

#include "core/picture/pixels.h"
#include "core/rendition/geometry.h"
#include "core/rendition/rendition.h"

namespace media {

/// `color` over white, for formats without alpha.
Color over_white(Color color);

/// Lays transparent pixels over `color`, which is opaque; what comes back has no alpha.
Pixels flattened(const Pixels& pixels, Color color);

/// Lays the picture on the canvas of the geometry, filled with `fill`. The canvas has alpha where the picture
/// or the fill needs it.
Pixels on_canvas(const Pixels& pixels, const Geometry& geometry, Color fill);

/// Rounds the corners with a smooth edge, to transparency where `fill` is nothing, else to that opaque
/// colour.
void round_corners(Pixels& pixels, int radius, const std::optional<Color>& fill);

}  // namespace media
