// The canvas of `contain`, on planes.
#pragma once

#include "core/picture/planes.h"
#include "core/rendition/geometry.h"
#include "core/rendition/rendition.h"

namespace media {

/// Lays a picture on the canvas of the geometry, in which all of it has room, filled with `fill`. The canvas
/// has alpha where the fill needs it, and colour where the picture or the fill does: in half the size where
/// the picture's is, or where `halved` says so of a gray one. Where an offset is odd, the picture's planes of
/// colour are halved as PlaneOrder::odd_across and odd_down say.
Planes on_canvas(const Planes& picture, const Geometry& geometry, Color fill, bool halved);

}  // namespace media
