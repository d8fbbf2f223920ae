// `trim`: the box without a uniform border.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/cancellation.h"
#include "core/picture/pixels.h"
#include "core/rendition/geometry.h"

namespace media {

/// The smallest box outside of which nothing differs from the border by more than `threshold` in any band; of
/// no size when nothing does. Single stray pixels are passed over, as in libvips' find_trim: what counts is
/// the median of a pixel and its neighbours. `border`: a pixel of the border, in the bands of `pixels`.
Box trim_box(const Pixels& pixels, int threshold, const std::vector<std::uint8_t>& border,
             const Cancellation& cancellation);

/// The smallest box around both; a box of no size counts for nothing.
Box around(const Box& a, const Box& b);

}  // namespace media
