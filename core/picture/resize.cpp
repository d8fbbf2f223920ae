#include "core/picture/resize.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <vector>

#include "core/picture/pixels.h"

namespace media {

using vips::VImage;

namespace {

// Above it a box filter takes off whole factors first. With 2, the result is as good as without.
constexpr double box_filter_gap = 2.0;

struct Axis {
    double factor;  // original pixels to one of the result
    int padded;     // pixels of the image, after edge pixels have been repeated
    int result;     // what the reduction gives
};

// libvips centres what it cannot divide. Where the picture ends within a pixel that would move it by up to a
// quarter of a pixel, so edge pixels are repeated until the factor divides the width; what they become is cut
// off.
Axis axis_of(int pixels, double extent, int target) {
    const double factor = extent / target;
    if (extent <= pixels) {
        return {factor, pixels, target};
    }
    Axis best{factor, pixels, target};
    double best_error = 1;
    for (int result = target; result <= target + 16; ++result) {
        const double exact = factor * result;
        const int padded = static_cast<int>(std::lround(exact));
        const double error = std::abs(exact - padded);
        if (padded >= pixels && error < best_error) {
            best = {factor, padded, result};
            best_error = error;
            if (error < 0.05) {
                break;
            }
        }
    }
    return best;
}

bool divides(int value, int shrink, int end) {
    return value % shrink == 0 || value == end;
}

// Not by libvips' own resize: that of 8.14 moves what it enlarges by half a pixel, and by half a pixel of the
// original on the side that it leaves as it is. Factors are at most 1. Pixels are squares around their
// middle: that of the first one lies at half a factor in the original.
VImage enlarged(const VImage& image, double across, double down, Size target) {
    return image.affine({1 / across, 0, 0, 1 / down},
                        VImage::option()
                            ->set("interpolate", vips::VInterpolate::new_from_name("bicubic"))
                            ->set("oarea", std::vector<int>{0, 0, target.width, target.height})
                            ->set("idx", 0.5 - across / 2)
                            ->set("idy", 0.5 - down / 2)
                            ->set("extend", VIPS_EXTEND_COPY)
                            ->set("premultiplied", true));
}

VImage resize_plain(VImage image, double width, double height, Size target) {
    const Axis across = axis_of(image.width(), width, target.width);
    const Axis down = axis_of(image.height(), height, target.height);
    if (across.padded != image.width() || down.padded != image.height()) {
        image =
            image.embed(0, 0, across.padded, down.padded, VImage::option()->set("extend", VIPS_EXTEND_COPY));
    }
    if (down.factor > 1) {
        image = image.reducev(
            down.factor, VImage::option()->set("kernel", VIPS_KERNEL_LANCZOS3)->set("gap", box_filter_gap));
    }
    if (across.factor > 1) {
        image = image.reduceh(
            across.factor, VImage::option()->set("kernel", VIPS_KERNEL_LANCZOS3)->set("gap", box_filter_gap));
    }
    if (across.factor < 1 || down.factor < 1) {
        image = enlarged(image, std::min(1.0, across.factor), std::min(1.0, down.factor),
                         {across.factor < 1 ? target.width : image.width(),
                          down.factor < 1 ? target.height : image.height()});
    }
    if (image.width() == target.width && image.height() == target.height) {
        return image;
    }
    if (image.width() < target.width || image.height() < target.height) {
        image =
            image.embed(0, 0, std::max(image.width(), target.width), std::max(image.height(), target.height),
                        VImage::option()->set("extend", VIPS_EXTEND_COPY));
    }
    return image.extract_area(0, 0, target.width, target.height);
}

// Transparent pixels have colours too, which must not bleed into their neighbours.
template <class Filter>
VImage premultiplied(const VImage& image, Filter&& filter) {
    const VImage filtered = filter(image.premultiply()).unpremultiply();
    // Casting cuts the fraction off: round instead.
    return filtered.rint()
        .cast(image.format())
        .copy(VImage::option()->set("interpretation", image.interpretation()));
}

VImage part(const VImage& image, const Box& box) {
    return box == Box{0, 0, image.width(), image.height()}
               ? image
               : image.extract_area(box.x, box.y, box.width, box.height);
}

// Beyond it, weights of 16 bits are too coarse.
constexpr double widest_step = 32;

// An image in memory, with the metadata of `like`.
VImage blank_like(const VImage& like, Size size) {
    VipsImage* const memory = vips_image_new_memory();
    if (memory == nullptr) {
        throw vips::VError();
    }
    VImage result(memory);
    if (vips_image_pipelinev(memory, VIPS_DEMAND_STYLE_THINSTRIP, like.get_image(), nullptr) != 0) {
        throw vips::VError();
    }
    memory->Xsize = size.width;
    memory->Ysize = size.height;
    if (vips_image_write_prepare(memory) != 0) {
        throw vips::VError();
    }
    memory->progress_signal = nullptr;
    return result;
}

bool changes_nothing(const Resizing& what, Size size) {
    return what.width == what.target.width && what.height == what.target.height && size == what.target;
}

}  // namespace

AxisMap map_of(int pixels, double extent, int target, int cut, int count) {
    const double step = extent / target;
    return {.origin = cut * step, .step = step, .first = 0, .last = pixels, .count = count};
}

int shrink_on_load(Size stored, const Box& box, Size target, double loss) {
    const double factor = std::min(static_cast<double>(box.width) / target.width,
                                   static_cast<double>(box.height) / target.height);
    // Lanczos does at least the last factor of 2: libjpeg-turbo reduces by the means of samples, which with
    // less to follow is softer than decoding everything, by up to 0.015 of SSIM.
    const int wanted = factor >= 16 ? 8 : factor >= 8 ? 4 : factor >= 4 ? 2 : 1;
    for (int shrink = wanted; shrink > 1; shrink /= 2) {
        const double lost = static_cast<double>((box.x + box.width) % shrink) / box.width +
                            static_cast<double>((box.y + box.height) % shrink) / box.height;
        if (lost <= loss && box.x % shrink == 0 && box.y % shrink == 0 &&
            divides(box.x + box.width, shrink, stored.width) &&
            divides(box.y + box.height, shrink, stored.height)) {
            return shrink;
        }
    }
    return 1;
}

bool LineResize::suits(const VImage& like, const Resizing& what) {
    const VipsInterpretation space = like.interpretation();
    const double across = what.width / what.target.width;
    const double down = what.height / what.target.height;
    return what.filters == Filters::own && like.format() == VIPS_FORMAT_UCHAR && across >= 1 && down >= 1 &&
           across <= widest_step && down <= widest_step &&
           ((space == VIPS_INTERPRETATION_B_W && like.bands() <= 2) ||
            (space == VIPS_INTERPRETATION_sRGB && (like.bands() == 3 || like.bands() == 4)));
}

LineResize::LineResize(const VImage& like, Size size, const Resizing& what)
    : result_(blank_like(like, {what.cut.width, what.cut.height})), cut_(what.cut) {
    const PixelLines lines{.first = VIPS_IMAGE_ADDR(result_.get_image(), 0, 0),
                           .stride = VIPS_IMAGE_SIZEOF_LINE(result_.get_image()),
                           .bands = like.bands(),
                           .alpha = like.has_alpha()};
    if (!changes_nothing(what, size)) {
        resizer_.emplace(map_of(size.width, what.width, what.target.width, cut_.x, cut_.width),
                         map_of(size.height, what.height, what.target.height, cut_.y, cut_.height), lines);
    }
}

bool LineResize::take(const std::uint8_t* line) {
    if (resizer_) {
        resizer_->push(line);
        return resizer_->wants_more();
    }
    const int y = taken_++ - cut_.y;
    if (y >= 0 && y < cut_.height) {
        VipsImage* const image = result_.get_image();
        std::memcpy(VIPS_IMAGE_ADDR(image, 0, y),
                    line + static_cast<std::size_t>(cut_.x) * VIPS_IMAGE_SIZEOF_PEL(image),
                    VIPS_IMAGE_SIZEOF_LINE(image));
    }
    return y + 1 < cut_.height;
}

VImage resize(const VImage& image, const Resizing& what, const Cancellation& cancellation) {
    const Size size{image.width(), image.height()};
    if (changes_nothing(what, size)) {
        return to_memory(part(image, what.cut), cancellation);
    }
    if (LineResize::suits(image, what)) {
        LineResize small(image, size, what);
        while_lines(image, cancellation,
                    [&small](int /*y*/, const std::uint8_t* line) { return small.take(line); });
        return small.result();
    }
    const auto plainly = [&what](const VImage& in) {
        return resize_plain(in, what.width, what.height, what.target);
    };
    return to_memory(part(image.has_alpha() ? premultiplied(image, plainly) : plainly(image), what.cut),
                     cancellation);
}

VImage resize(const VImage& image, Size target, const Cancellation& cancellation) {
    return resize(image,
                  {.width = static_cast<double>(image.width()),
                   .height = static_cast<double>(image.height()),
                   .target = target,
                   .cut = {0, 0, target.width, target.height}},
                  cancellation);
}

VImage box_shrunk(const VImage& image, int factor) {
    const auto shrink = [factor](const VImage& in) {
        return in.shrink(factor, factor, VImage::option()->set("ceil", true));
    };
    return image.has_alpha() ? premultiplied(image, shrink) : shrink(image);
}

}  // namespace media
