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
Layout layout_of(const RenderTask& task, const PictureSource& source);

/// Pages that lie one below another, and how they came to be.
struct Frames {
    Pixels pixels;
    Route route = Route::libvips;
};

/// Decodes, resizes and finishes `pages` pages from `first` on. They lie one below another in the result,
/// each as high as `layout.geometry.canvas`; with `trim`, `layout` is completed. `format`: what they will be
/// written as.
Frames make_frames(const RenderTask& task, const PictureSource& source, Layout& layout, Format format,
                   int first, int pages);

/// One page of an original as stored: not turned, not resized, but possibly decoded at a smaller size.
struct Extract {
    vips::VImage image;            ///< 8 bits, sRGB or gray; to be read once, from top to bottom
    double width = 0, height = 0;  ///< of what the image stands for, in its own pixels: the last pixel of a
                                   ///< line or column may stand for a part of one, or for somewhat more
};

/// What `crop` and `trim` leave of a page, decoded at no less than `layout.geometry.resized`. With `trim`,
/// `layout` is completed.
Extract extract(const RenderTask& task, const PictureSource& source, Layout& layout, int page);

}  // namespace media
