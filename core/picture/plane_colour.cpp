#include "core/picture/plane_colour.h"

#include <array>
#include <cmath>
#include <cstring>
#include <vector>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/picture/plane_colour.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace media::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Fractions of 2^-15; differences of colour have 7 bits below the point.
constexpr int below = 7;

constexpr std::int16_t fraction(double value) {
    return static_cast<std::int16_t>(value * 32768);
}

// JFIF 1.02, page 4. `count` is a multiple of the widest vector.
void ToRgb(const std::uint8_t* HWY_RESTRICT y, const std::uint8_t* HWY_RESTRICT cb,
           const std::uint8_t* HWY_RESTRICT cr, std::size_t count, std::uint8_t* HWY_RESTRICT rgb) {
    const hn::ScalableTag<std::int16_t> d;
    const hn::Rebind<std::uint8_t, decltype(d)> d8;
    const auto middle = hn::Set(d, 128);
    const auto half = hn::Set(d, 1 << (below - 1));
    const auto times = [&](auto v, double factor) {
        return hn::MulFixedPoint15(v, hn::Set(d, fraction(factor)));
    };
    for (std::size_t x = 0; x < count; x += hn::Lanes(d)) {
        const auto light = hn::PromoteTo(d, hn::LoadU(d8, y + x));
        const auto blue = hn::ShiftLeft<below>(hn::Sub(hn::PromoteTo(d, hn::LoadU(d8, cb + x)), middle));
        const auto red = hn::ShiftLeft<below>(hn::Sub(hn::PromoteTo(d, hn::LoadU(d8, cr + x)), middle));
        const auto r = hn::Add(red, times(red, 0.402));
        const auto g = hn::Add(times(blue, 0.344136), times(red, 0.714136));
        const auto b = hn::Add(blue, times(blue, 0.772));
        const auto shown = [&](auto difference) {
            return hn::DemoteTo(d8, hn::Add(light, hn::ShiftRight<below>(hn::Add(difference, half))));
        };
        hn::StoreInterleaved3(shown(r),
                              hn::DemoteTo(d8, hn::Sub(light, hn::ShiftRight<below>(hn::Add(g, half)))),
                              shown(b), d8, rgb + 3 * x);
    }
}

}  // namespace media::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace media {

HWY_EXPORT(ToRgb);

namespace {

// Calls `use` with each line of planes in colour as sRGB. Vectors go beyond a line's end: planes have room
// there, and so has the line.
template <class Use>
void each_rgb_line(const Planes& planes, Use&& use) {
    const std::size_t count = planes.plane[0].stride();
    std::vector<std::uint8_t> line(count * 3);
    for (int y = 0; y < planes.size().height; ++y) {
        HWY_DYNAMIC_DISPATCH(ToRgb)
        (planes.plane[0].row(y), planes.plane[1].row(y), planes.plane[2].row(y), count, line.data());
        use(y, line.data());
    }
}

// From sRGB to linear light and back (IEC 61966-2-1).
class Lightness {
  public:
    Lightness() {
        for (std::size_t i = 0; i < 256; ++i) {
            const double v = static_cast<double>(i) / 255;
            const double linear = v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
            for (std::size_t band = 0; band < 3; ++band) {
                light_[band][i] = static_cast<std::uint32_t>(std::lround(linear * weight[band] * whole));
            }
        }
        for (std::size_t i = 0; i < gray_.size(); ++i) {
            const double linear = static_cast<double>(i) / steps;
            const double v = linear <= 0.0031308 ? linear * 12.92 : 1.055 * std::pow(linear, 1 / 2.4) - 0.055;
            gray_[i] = static_cast<std::uint8_t>(std::lround(v * 255));
        }
    }

    std::uint8_t of(const std::uint8_t* rgb) const noexcept {
        const std::uint32_t sum = light_[0][rgb[0]] + light_[1][rgb[1]] + light_[2][rgb[2]];
        return gray_[(sum + half) >> below];
    }

  private:
    static constexpr std::array<double, 3> weight{0.2, 0.7, 0.1};
    // The step that is darkest to the eye is a fifth of a level.
    static constexpr int steps = 1 << 14;
    static constexpr unsigned below = 8;
    static constexpr std::uint32_t half = 1U << (below - 1);
    static constexpr double whole = static_cast<double>(steps) * (1U << below);

    std::array<std::array<std::uint32_t, 256>, 3> light_{};
    std::array<std::uint8_t, steps + 2> gray_{};
};

}  // namespace

Planes grayed(const Planes& planes) {
    static const Lightness lightness;
    Planes gray;
    gray.plane[0] = Plane(planes.size());
    gray.count = 1;
    each_rgb_line(planes, [&](int y, const std::uint8_t* rgb) {
        std::uint8_t* const row = gray.plane[0].row(y);
        for (int x = 0; x < gray.plane[0].width(); ++x) {
            row[x] = lightness.of(rgb + static_cast<std::ptrdiff_t>(x) * 3);
        }
    });
    return gray;
}

Pixels pixels_of(const Planes& planes) {
    Pixels pixels = Pixels::blank(planes.size(), planes.count);
    if (planes.count == 1) {
        for (int y = 0; y < pixels.height(); ++y) {
            std::memcpy(pixels.row(y), planes.plane[0].row(y), pixels.row_bytes());
        }
        return pixels;
    }
    each_rgb_line(planes, [&pixels](int y, const std::uint8_t* rgb) {
        std::memcpy(pixels.row(y), rgb, pixels.row_bytes());
    });
    return pixels;
}

}  // namespace media

#endif
