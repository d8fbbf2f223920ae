// Resampling, to the pixel.
#pragma once

#include <cstdint>
#include <optional>
#include <vips/vips8>

#include "core/base/cancellation.h"
#include "core/picture/lanczos.h"
#include "core/rendition/geometry.h"

namespace media {

/// The smallest shrink on load (8, 4, 2 or 1) that is exact and leaves at least a factor of two to Lanczos.
/// `stored`: size of the whole original; `box`: the part of it that becomes a picture of size `target`.
/// Pixels at the right and lower edge that do not fill one of the shrunk picture are not decoded: `loss` is
/// the share of the box that they may be.
int shrink_on_load(Size stored, const Box& box, Size target, double loss = 1);

/// Whose filters to use: those of lanczos.h wherever they can, or libvips' alone, for those who compare them.
enum class Filters : std::uint8_t { own, libvips };

struct Resizing {
    double width, height;  ///< how much of the original the image stands for, in its own pixels: with 1001
                           ///< pixels shrunk by 8 on load, 125 pixels stand for 125.125
    Size target;           ///< what all of it becomes
    Box cut;               ///< what of that is wanted
    Filters filters = Filters::own;
};

/// Resizes an image, which is read once, from top to bottom. What comes back lies in memory and has the
/// metadata of `image`. Throws Failure when told to stop, VError where `image` cannot be read.
vips::VImage resize(const vips::VImage& image, const Resizing& what, const Cancellation& cancellation);

/// The same, of lines that come one by one.
class LineResize {
  public:
    /// Whether the filters of lanczos.h can do this to pictures like `like`: 8 bits, gray or sRGB, with alpha
    /// or without, and nothing is enlarged.
    static bool suits(const vips::VImage& like, const Resizing& what);

    /// Of a picture of size `size` in the bands of `like`, the metadata of which the result takes over.
    LineResize(const vips::VImage& like, Size size, const Resizing& what);

    /// The next line; nothing is read behind its end. Whether more are wanted.
    bool take(const std::uint8_t* line);

    /// Once nothing more is wanted.
    const vips::VImage& result() const { return result_; }

  private:
    vips::VImage result_;
    Box cut_;
    std::optional<LineResizer> resizer_;
    int taken_ = 0;
};

/// All of it.
vips::VImage resize(const vips::VImage& image, Size target, const Cancellation& cancellation);

/// One axis of such a resizing: `pixels` that stand for `extent` pixels become `target`, of which `count`
/// from `cut` on are wanted.
AxisMap map_of(int pixels, double extent, int target, int cut, int count);

/// Means of squares of `factor` x `factor` pixels, weighted by alpha; those at the right and lower edge may
/// be of fewer.
vips::VImage box_shrunk(const vips::VImage& image, int factor);

}  // namespace media
