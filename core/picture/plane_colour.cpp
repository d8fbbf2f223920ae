#include "core/picture/plane_colour.h"

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

Pixels pixels_of(const Planes& planes) {
    Pixels pixels = Pixels::blank(planes.size(), planes.count);
    if (planes.count == 1) {
        for (int y = 0; y < pixels.height(); ++y) {
            std::memcpy(pixels.row(y), planes.plane[0].row(y), pixels.row_bytes());
        }
        return pixels;
    }
    // Vectors go beyond a line's end: planes have room there, pixels have not.
    const std::size_t count = planes.plane[0].stride();
    std::vector<std::uint8_t> line(count * 3);
    for (int y = 0; y < pixels.height(); ++y) {
        HWY_DYNAMIC_DISPATCH(ToRgb)
        (planes.plane[0].row(y), planes.plane[1].row(y), planes.plane[2].row(y), count, line.data());
        std::memcpy(pixels.row(y), line.data(), pixels.row_bytes());
    }
    return pixels;
}

}  // namespace media

#endif
