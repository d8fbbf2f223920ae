// Resampling, to the pixel.
#pragma once

#include <vips/vips8>

#include "core/rendition/geometry.h"

namespace media {

/// The smallest shrink on load (8, 4, 2 or 1) that is exact and leaves at least a factor of two to Lanczos.
/// `stored`: size of the whole original; `box`: the part of it that becomes a picture of size `target`.
/// Pixels at the right and lower edge that do not fill one of the shrunk picture are not decoded: `loss` is
/// the share of the box that they may be.
int shrink_on_load(Size stored, const Box& box, Size target, double loss = 1);

/// Resizes all of `image` to `target`. `width` and `height` say how much of the original the image stands
/// for in its own pixels: with 1001 pixels shrunk by 8 on load, 125 pixels stand for 125.125.
vips::VImage resize(vips::VImage image, double width, double height, Size target);

/// Means of squares of `factor` x `factor` pixels, weighted by alpha; those at the right and lower edge may
/// be of fewer.
vips::VImage box_shrunk(const vips::VImage& image, int factor);

}  // namespace media
