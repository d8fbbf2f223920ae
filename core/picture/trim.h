// `trim`: the box without a uniform border.
#pragma once

#include <vector>
#include <vips/vips8>

#include "core/base/cancellation.h"
#include "core/rendition/geometry.h"

namespace media {

/// The smallest box of `image` outside of which nothing differs from the border by more than `threshold`; of
/// no size when nothing does. `border`: the value of each band of a pixel of the border. `image` lies in
/// memory, in 8-bit gray or sRGB, with or without alpha.
Box trim_box(const vips::VImage& image, int threshold, const std::vector<double>& border,
             const Cancellation& cancellation);

/// The smallest box around both; a box of no size counts for nothing.
Box around(const Box& a, const Box& b);

}  // namespace media
