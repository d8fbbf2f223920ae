// One look at every pixel: mean, dominant colour, and a small picture.
#pragma once

#include "core/base/cancellation.h"
#include "core/picture/frames.h"
#include "core/picture/pixels.h"

namespace media {

struct Survey {
    Color average;   ///< mean of the sRGB values, weighted by alpha; black where nothing can be seen
    Color dominant;  ///< the colour that covers most, likewise
    Pixels small;  ///< means of equal cells, weighted by alpha; in the bands of the picture, without an alpha
                   ///< that is opaque everywhere
};

/// Reads the extract. `size`: of the small picture; no side is longer than the extract's.
///
/// The dominant colour is found in a histogram of 32 steps a channel, weighted by alpha: of all cubes of 2 x
/// 2 x 2 steps the one with most in it wins, so that a colour with some noise is found wherever the steps
/// lie, and what is told is the mean of what is in it. Of cubes with as much in them the darkest wins.
Survey survey(const Extract& extract, Size size, const Cancellation& cancellation);

}  // namespace media
