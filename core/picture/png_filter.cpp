#include "core/picture/png_filter.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/picture/png_filter.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace media::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

#if HWY_TARGET == HWY_SCALAR

int Paeth(int a, int b, int c) {
    const int to_a = std::abs(b - c);
    const int to_b = std::abs(a - c);
    const int to_c = std::abs(a + b - 2 * c);
    return to_a <= to_b && to_a <= to_c ? a : to_b <= to_c ? b : c;
}

int Predicted(int filter, int a, int b, int c) {
    switch (filter) {
        case 1:
            return a;
        case 2:
            return b;
        case 3:
            return (a + b) / 2;
        case 4:
            return Paeth(a, b, c);
        default:
            return 0;
    }
}

void Undo(int filter, std::size_t step, const std::uint8_t* coded, const std::uint8_t* above,
          std::size_t count, std::uint8_t* line) {
    for (std::size_t i = 0; i < count; ++i) {
        const bool inside = i >= step;
        line[i] = static_cast<std::uint8_t>(coded[i] + Predicted(filter, inside ? line[i - step] : 0,
                                                                 above[i], inside ? above[i - step] : 0));
    }
}

void FilterAll(const std::uint8_t* line, const std::uint8_t* above, std::size_t step, std::size_t count,
               std::uint8_t* const* to, std::uint64_t* sums) {
    for (int filter = 0; filter < png_filters; ++filter) {
        sums[filter] = 0;
        for (std::size_t i = 0; i < count; ++i) {
            const std::uint8_t rest = static_cast<std::uint8_t>(
                line[i] - Predicted(filter, line[i - step], above[i], above[i - step]));
            to[filter][i] = rest;
            sums[filter] += std::min<unsigned>(rest, 256U - rest);
        }
    }
}

#else

template <class V>
HWY_INLINE V Distance(V a, V b) {
    return hn::Or(hn::SaturatedSub(a, b), hn::SaturatedSub(b, a));
}

// (a + b) / 2, rounded down.
template <class D, class V>
HWY_INLINE V Mean(D d, V a, V b) {
    return hn::Sub(hn::AverageRound(a, b), hn::And(hn::Xor(a, b), hn::Set(d, 1)));
}

// Which of a, b and c is nearest to a + b - c. Nothing needs more than 8 bits: c is the nearest only where it
// lies between the others, and then its distance is the difference of theirs.
template <class D, class V>
HWY_INLINE V Paeth(D /*d*/, V a, V b, V c) {
    const auto to_a = Distance(b, c);
    const auto to_b = Distance(a, c);
    const auto below_b = hn::VecFromMask(D(), hn::Eq(hn::Max(b, c), b));
    const auto below_a = hn::VecFromMask(D(), hn::Eq(hn::Max(a, c), a));
    const auto between = hn::MaskFromVec(hn::Xor(below_a, below_b));
    const auto to_c = hn::IfThenElse(between, Distance(to_a, to_b), hn::SaturatedAdd(to_a, to_b));
    const auto not_a = hn::IfThenElse(hn::Eq(hn::Min(to_b, to_c), to_b), b, c);
    return hn::IfThenElse(hn::Eq(hn::Min(to_a, hn::Min(to_b, to_c)), to_a), a, not_a);
}

// One pixel, whatever its size.
using Few = hn::FixedTag<std::uint8_t, 4>;
using One = hn::FixedTag<std::uint32_t, 1>;

template <std::size_t step>
HWY_INLINE hn::Vec<Few> LoadPixel(const std::uint8_t* from) {
    std::uint32_t pixel = 0;
    std::memcpy(&pixel, from, step < 3 ? step : 4);
    return hn::BitCast(Few(), hn::Set(One(), pixel));
}

template <std::size_t step>
HWY_INLINE void StorePixel(hn::Vec<Few> pixel, std::uint8_t* to) {
    const std::uint32_t value = hn::GetLane(hn::BitCast(One(), pixel));
    std::memcpy(to, &value, step < 3 ? step : 4);
}

template <std::size_t step, class Predict>
HWY_INLINE void UndoPixels(const std::uint8_t* coded, const std::uint8_t* above, std::size_t count,
                           std::uint8_t* line, Predict&& predict) {
    auto a = hn::Zero(Few());
    auto c = hn::Zero(Few());
    for (std::size_t i = 0; i < count; i += step) {
        const auto b = LoadPixel<step>(above + i);
        a = hn::Add(LoadPixel<step>(coded + i), predict(a, b, c));
        c = b;
        StorePixel<step>(a, line + i);
    }
}

template <std::size_t step>
void UndoStep(int filter, const std::uint8_t* coded, const std::uint8_t* above, std::size_t count,
              std::uint8_t* line) {
    const Few d;
    switch (filter) {
        case 1:
            return UndoPixels<step>(coded, above, count, line, [](auto a, auto, auto) { return a; });
        case 3:
            return UndoPixels<step>(coded, above, count, line,
                                    [d](auto a, auto b, auto) { return Mean(d, a, b); });
        default:
            return UndoPixels<step>(coded, above, count, line,
                                    [d](auto a, auto b, auto c) { return Paeth(d, a, b, c); });
    }
}

void UndoUp(const std::uint8_t* coded, const std::uint8_t* above, std::size_t count, std::uint8_t* line) {
    const hn::CappedTag<std::uint8_t, png_filter_room> d;
    for (std::size_t i = 0; i < count; i += hn::Lanes(d)) {
        hn::StoreU(hn::Add(hn::LoadU(d, coded + i), hn::LoadU(d, above + i)), d, line + i);
    }
}

void Undo(int filter, std::size_t step, const std::uint8_t* coded, const std::uint8_t* above,
          std::size_t count, std::uint8_t* line) {
    if (filter == 0) {
        std::memcpy(line, coded, count);
    } else if (filter == 2) {
        UndoUp(coded, above, count, line);
    } else if (step == 1) {
        UndoStep<1>(filter, coded, above, count, line);
    } else if (step == 2) {
        UndoStep<2>(filter, coded, above, count, line);
    } else if (step == 3) {
        UndoStep<3>(filter, coded, above, count, line);
    } else {
        UndoStep<4>(filter, coded, above, count, line);
    }
}

void FilterAll(const std::uint8_t* line, const std::uint8_t* above, std::size_t step, std::size_t count,
               std::uint8_t* const* to, std::uint64_t* sums) {
    const hn::CappedTag<std::uint8_t, png_filter_room> d;
    const hn::Repartition<std::uint64_t, decltype(d)> d64;
    const auto zero = hn::Zero(d);
    auto sum0 = hn::Zero(d64);
    auto sum1 = sum0;
    auto sum2 = sum0;
    auto sum3 = sum0;
    auto sum4 = sum0;
    for (std::size_t i = 0; i < count; i += hn::Lanes(d)) {
        // What lies behind the line's end must not count.
        const auto counts = hn::FirstN(d, std::min(count - i, hn::Lanes(d)));
        const auto x = hn::IfThenElseZero(counts, hn::LoadU(d, line + i));
        const auto a = hn::IfThenElseZero(counts, hn::LoadU(d, line + i - step));
        const auto b = hn::IfThenElseZero(counts, hn::LoadU(d, above + i));
        const auto c = hn::IfThenElseZero(counts, hn::LoadU(d, above + i - step));
        const auto take = [&](auto predicted, int filter, auto& sum) {
            const auto rest = hn::Sub(x, predicted);
            hn::StoreU(rest, d, to[filter] + i);
            sum = hn::Add(sum, hn::SumsOf8(hn::Min(rest, hn::Sub(zero, rest))));
        };
        take(zero, 0, sum0);
        take(a, 1, sum1);
        take(b, 2, sum2);
        take(Mean(d, a, b), 3, sum3);
        take(Paeth(d, a, b, c), 4, sum4);
    }
    const auto total = [&](auto sum) { return hn::GetLane(hn::SumOfLanes(d64, sum)); };
    sums[0] = total(sum0);
    sums[1] = total(sum1);
    sums[2] = total(sum2);
    sums[3] = total(sum3);
    sums[4] = total(sum4);
}

#endif

}  // namespace media::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace media {

HWY_EXPORT(Undo);
HWY_EXPORT(FilterAll);

void undo_png_filter(int filter, std::size_t step, const std::uint8_t* coded, const std::uint8_t* above,
                     std::size_t count, std::uint8_t* line) {
    HWY_DYNAMIC_DISPATCH(Undo)(filter, step, coded, above, count, line);
}

PngFilter::PngFilter(std::size_t count, std::size_t step)
    : count_(count),
      step_(step),
      stride_(count + 2 * png_filter_room),
      lines_(2 * stride_),
      filtered_(png_filters * stride_) {}

void PngFilter::apply(const std::uint8_t* line, std::uint8_t* to) {
    const auto place = [this](bool odd) { return lines_.data() + (odd ? stride_ : 0) + png_filter_room; };
    std::uint8_t* const here = place(odd_);
    const std::uint8_t* const above = place(!odd_);
    odd_ = !odd_;
    std::memcpy(here, line, count_);
    std::uint8_t* each[png_filters];
    for (std::size_t i = 0; i < png_filters; ++i) {
        each[i] = filtered_.data() + i * stride_;
    }
    std::uint64_t sums[png_filters];
    HWY_DYNAMIC_DISPATCH(FilterAll)(here, above, step_, count_, each, sums);
    const auto best = std::min_element(sums, sums + png_filters) - sums;
    *to = static_cast<std::uint8_t>(best);
    std::memcpy(to + 1, each[best], count_);
}

}  // namespace media

#endif
