// Pixels in memory, and the way into it that can be stopped.
#pragma once

#include <cstdint>
#include <functional>
#include <vips/vips8>

#include "core/base/cancellation.h"
#include "core/rendition/geometry.h"

namespace media {

constexpr int usual_strip_lines = 16;

/// Computes an image into memory, with its metadata, in the calling thread. Looks at the cancellation before
/// every strip of lines; throws Failure when told to stop, VError when the pixels cannot be had. The default
/// is few enough lines to be stopped soon and to keep those between two stages in the processor's cache;
/// filters that look far around ask for more, not to compute what overlaps too often.
vips::VImage to_memory(const vips::VImage& image, const Cancellation& cancellation,
                       int strip_lines = usual_strip_lines);

/// Computes an image line by line, from top to bottom, without keeping it; otherwise as to_memory.
void each_line(const vips::VImage& image, const Cancellation& cancellation, int strip_lines,
               const std::function<void(int y, const std::uint8_t* line)>& use);

/// The same for as long as `use` returns true, in strips of the default.
void while_lines(const vips::VImage& image, const Cancellation& cancellation,
                 const std::function<bool(int y, const std::uint8_t* line)>& use);

/// Reads lines `from` to `to` of an image that gives its lines once and in order, a few at a time: libvips
/// would keep all that it skips in memory.
void skip_lines(const vips::VImage& image, int from, int to, const Cancellation& cancellation);

/// A finished picture: 8 bits a band; gray, gray + alpha, sRGB or sRGB + alpha; writable in place.
class Pixels {
  public:
    Pixels() = default;

    /// `image` lies in memory (to_memory) and is of one of the four kinds.
    explicit Pixels(vips::VImage image) : image_(std::move(image)) {}

    /// All zero.
    static Pixels blank(Size size, int bands);

    int width() const { return image_.width(); }
    int height() const { return image_.height(); }
    Size size() const { return {width(), height()}; }
    int bands() const { return image_.bands(); }
    bool alpha() const { return bands() == 2 || bands() == 4; }
    bool colour() const { return bands() >= 3; }

    std::uint8_t* row(int y) { return VIPS_IMAGE_ADDR(image_.get_image(), 0, y); }
    const std::uint8_t* row(int y) const { return VIPS_IMAGE_ADDR(image_.get_image(), 0, y); }
    std::size_t row_bytes() const {
        return static_cast<std::size_t>(width()) * static_cast<std::size_t>(bands());
    }

    const vips::VImage& image() const { return image_; }

    /// Copies that differ in their bands: gray becomes R = G = B, missing alpha is opaque.
    Pixels with_colour() const;
    Pixels with_alpha() const;

  private:
    vips::VImage image_;
};

}  // namespace media
