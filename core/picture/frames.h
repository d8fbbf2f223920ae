// From the pages of an original to the finished pages of a rendition.
#pragma once

#include "core/picture/pixels.h"
#include "core/picture/render.h"
#include "core/picture/source.h"
#include "core/picture/turn.h"

namespace media {

/// The geometry of a rendition of one original, with everything that has to be known of it before pixels are
/// resized. Coordinates are those of the upright picture unless they say otherwise.
struct Layout {
    Turn turn;
    Size upright;       ///< the whole picture, turned
    Box box;            ///< what `crop` and `trim` leave of it
    Geometry geometry;  ///< from that box to the rendition
};

/// The layout as far as the header tells: without `trim`.
Layout layout_of(const RenderTask& task, const Source& source);

/// Decodes, resizes and finishes `pages` pages from `first` on. They lie one below another in the result,
/// each as high as `layout.geometry.canvas`; with `trim`, `layout` is completed. `format`: what they will be
/// written as.
Pixels make_frames(const RenderTask& task, const Source& source, Layout& layout, Format format, int first,
                   int pages);

}  // namespace media
