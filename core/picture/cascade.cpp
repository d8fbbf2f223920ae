#include "core/picture/cascade.h"

#include <algorithm>
#include <cmath>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/picture/cascade.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace media::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// Each of `count` samples becomes the mean of four; some more are read and written. Halves are rounded down
// and up in turn, so that the picture grows neither darker nor brighter.
#if HWY_TARGET == HWY_SCALAR

void Halve(const std::uint8_t* HWY_RESTRICT upper, const std::uint8_t* HWY_RESTRICT lower, std::size_t count,
           std::uint8_t* HWY_RESTRICT to) {
    for (std::size_t x = 0; x < count; ++x) {
        const int sum = upper[2 * x] + upper[2 * x + 1] + lower[2 * x] + lower[2 * x + 1];
        to[x] = static_cast<std::uint8_t>((sum + 1 + static_cast<int>(x % 2)) / 4);
    }
}

#else

void Halve(const std::uint8_t* HWY_RESTRICT upper, const std::uint8_t* HWY_RESTRICT lower, std::size_t count,
           std::uint8_t* HWY_RESTRICT to) {
    const hn::ScalableTag<std::uint16_t> d16;
    const hn::Repartition<std::uint8_t, decltype(d16)> d8;
    const hn::Rebind<std::uint8_t, decltype(d16)> narrow;
    const hn::RebindToSigned<decltype(d16)> signed16;
    const auto low = hn::Set(d16, 0xFF);
    const auto bias = hn::Add(hn::Set(d16, 1), hn::And(hn::Iota(d16, 0), hn::Set(d16, 1)));
    for (std::size_t x = 0; x < count; x += hn::Lanes(d16)) {
        const auto above = hn::BitCast(d16, hn::LoadU(d8, upper + 2 * x));
        const auto below = hn::BitCast(d16, hn::LoadU(d8, lower + 2 * x));
        const auto sum = hn::Add(hn::Add(hn::And(above, low), hn::ShiftRight<8>(above)),
                                 hn::Add(hn::And(below, low), hn::ShiftRight<8>(below)));
        const auto mean = hn::ShiftRight<2>(hn::Add(sum, bias));
        hn::StoreU(hn::DemoteTo(narrow, hn::BitCast(signed16, mean)), narrow, to + x);
    }
}

#endif

}  // namespace media::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace media {

HWY_EXPORT(Halve);

namespace {

constexpr std::size_t beyond = 128;  // what vectors read and write past a line's end

AxisMap halved(AxisMap map) {
    map.origin /= 2;
    map.step /= 2;
    map.first /= 2;
    map.last = (map.last + 1) / 2;
    return map;
}

}  // namespace

PlaneCascade::PlaneCascade(int width, int height) {
    levels_.push_back({.width = width, .height = height, .results = {}, .upper = {}, .halved = {}});
}

std::size_t PlaneCascade::add(AxisMap across, AxisMap down) {
    std::size_t at = 0;
    for (; std::min(across.step, down.step) >= 2 * least_residue; ++at) {
        across = halved(across);
        down = halved(down);
    }
    while (levels_.size() <= at) {
        Level& last = levels_.back();
        last.upper.resize(static_cast<std::size_t>(last.width) + beyond);
        last.halved.resize(static_cast<std::size_t>(last.width + 1) / 2 + beyond);
        levels_.push_back({.width = (last.width + 1) / 2,
                           .height = (last.height + 1) / 2,
                           .results = {},
                           .upper = {},
                           .halved = {}});
    }
    int first = down.first;
    int end = down.last;
    for (std::size_t level = at + 1; level-- > 0; first *= 2, end *= 2) {
        Level& each = levels_[level];
        each.first = each.end == 0 ? first : std::min(each.first, first);
        each.end = std::max(each.end, end);
    }
    levels_[at].results.push_back(results_.size());
    results_.push_back({PlaneResizer(across, down), down.first});
    return results_.size() - 1;
}

void PlaneCascade::push(const std::uint8_t* line) {
    feed(0, next_++, line);
}

void PlaneCascade::feed(std::size_t number, int y, const std::uint8_t* line) {
    Level& level = levels_[number];
    if (y < level.first || y >= level.end) {
        return;
    }
    for (const std::size_t i : level.results) {
        Result& result = results_[i];
        if (y >= result.first && !result.dropped) {
            result.resizer.push(line);
        }
    }
    if (number + 1 == levels_.size()) {
        return;
    }
    const auto width = static_cast<std::size_t>(level.width);
    if (y % 2 == 0 && y + 1 < level.height) {
        std::copy_n(line, width, level.upper.begin());
        return;
    }
    // The last of an odd number of lines or columns stands for two.
    const std::uint8_t* const upper = y % 2 == 0 ? line : level.upper.data();
    HWY_DYNAMIC_DISPATCH(Halve)(upper, line, width / 2, level.halved.data());
    if (level.width % 2 != 0) {
        level.halved[width / 2] = static_cast<std::uint8_t>((upper[width - 1] + line[width - 1] + 1) / 2);
    }
    feed(number + 1, y / 2, level.halved.data());
}

bool PlaneCascade::lacks(std::size_t number) const noexcept {
    return results_[number].resizer.wants_more();
}

void PlaneCascade::drop(std::size_t number) noexcept {
    results_[number].dropped = true;
}

}  // namespace media

#endif
