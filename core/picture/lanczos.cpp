#include "core/picture/lanczos.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <new>
#include <numbers>

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/picture/lanczos.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/picture/turn8-inl.h"

// Samples are widened to 16 bits with 6 bits of fraction: room enough below for rounding, and above for what
// Lanczos overshoots.

HWY_BEFORE_NAMESPACE();
namespace media::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

constexpr int fraction_bits = 6;
constexpr int lines_at_once = 16;  // result lines that are narrowed together
// A sample times alpha becomes 255 / 65025 of that with its fraction, as a share of 2^16 rounded up: what is
// opaque stays as it is.
constexpr std::uint16_t weighing = 16449;
constexpr float full = 255 << fraction_bits;

// A line's last samples, followed by as many zeros as fill a vector.
template <class D>
HWY_INLINE hn::Vec<D> LoadLast(D d, const std::uint8_t* from, std::size_t count) {
    alignas(64) std::uint8_t last[64] = {};
    std::memcpy(last, from, count);
    return hn::Load(d, last);
}

void Widen(const std::uint8_t* HWY_RESTRICT from, std::size_t count, std::int16_t* HWY_RESTRICT to) {
    const hn::ScalableTag<std::int16_t> d16;
    const hn::Rebind<std::uint8_t, decltype(d16)> d8;
    const auto widened = [&](auto samples) {
        return hn::ShiftLeft<fraction_bits>(hn::PromoteTo(d16, samples));
    };
    const std::size_t lanes = hn::Lanes(d16);
    std::size_t x = 0;
    for (; x + lanes <= count; x += lanes) {
        hn::Store(widened(hn::LoadU(d8, from + x)), d16, to + x);
    }
    if (x < count) {
        hn::Store(widened(LoadLast(d8, from + x, count - x)), d16, to + x);
    }
}

// One line of the result: lines weighted and added. `count` is a multiple of the widest vector.
void Blend(const std::int16_t* const* HWY_RESTRICT lines, const std::int16_t* HWY_RESTRICT weights, int taps,
           std::size_t count, std::int16_t* HWY_RESTRICT to) {
    const hn::ScalableTag<std::int16_t> d;
    const std::size_t lanes = hn::Lanes(d);
    std::size_t x = 0;
    for (; x + 2 * lanes <= count; x += 2 * lanes) {
        auto sum0 = hn::Zero(d);
        auto sum1 = hn::Zero(d);
        for (int k = 0; k < taps; ++k) {
            const auto weight = hn::Set(d, weights[k]);
            sum0 = hn::Add(sum0, hn::MulFixedPoint15(hn::Load(d, lines[k] + x), weight));
            sum1 = hn::Add(sum1, hn::MulFixedPoint15(hn::Load(d, lines[k] + x + lanes), weight));
        }
        hn::Store(sum0, d, to + x);
        hn::Store(sum1, d, to + x + lanes);
    }
    for (; x < count; x += lanes) {
        auto sum = hn::Zero(d);
        for (int k = 0; k < taps; ++k) {
            sum = hn::Add(sum, hn::MulFixedPoint15(hn::Load(d, lines[k] + x), hn::Set(d, weights[k])));
        }
        hn::Store(sum, d, to + x);
    }
}

#if HWY_TARGET == HWY_SCALAR

void TurnIn(const std::int16_t* HWY_RESTRICT strip, std::size_t stride, std::size_t count,
            std::int16_t* HWY_RESTRICT columns) {
    for (std::size_t x = 0; x < count; ++x) {
        for (std::size_t i = 0; i < lines_at_once; ++i) {
            columns[x * lines_at_once + i] = strip[i * stride + x];
        }
    }
}

void Weigh(const std::uint8_t* HWY_RESTRICT from, std::size_t count, int bands,
           std::int16_t* HWY_RESTRICT to) {
    const auto step = static_cast<std::size_t>(bands);
    for (std::size_t x = 0; x < count; x += step) {
        const unsigned alpha = from[x + step - 1];
        for (std::size_t b = 0; b < step; ++b) {
            const unsigned share = b + 1 == step ? 255 : alpha;
            to[x + b] = static_cast<std::int16_t>((from[x + b] * share * weighing) >> 16U);
        }
    }
}

void Narrow(const std::int16_t* HWY_RESTRICT columns, const Weights& across, const PixelLines& kind, int left,
            int lines, std::uint8_t* const* HWY_RESTRICT to) {
    const int bands = kind.bands;
    for (int x = 0; x < across.count(); ++x) {
        const std::int16_t* const from =
            columns + static_cast<std::size_t>((across.start(x) - left) * bands) * lines_at_once;
        for (int i = 0; i < lines; ++i) {
            int sum[4] = {};
            for (int b = 0; b < bands; ++b) {
                for (int k = 0; k < across.taps(); ++k) {
                    sum[b] += (from[(k * bands + b) * lines_at_once + i] * across.of(x)[k] + (1 << 14)) >> 15;
                }
            }
            const int alpha = sum[bands - 1];
            for (int b = 0; b < bands; ++b) {
                int value = sum[b];
                if (kind.alpha && b + 1 < bands) {
                    value =
                        alpha > 0
                            ? static_cast<int>(std::clamp(
                                  static_cast<float>(value) * (full / static_cast<float>(alpha)), 0.0F, full))
                            : 0;
                }
                to[i][x * bands + b] = static_cast<std::uint8_t>(
                    std::clamp((value + (1 << (fraction_bits - 1))) >> fraction_bits, 0, 255));
            }
        }
    }
}

#else

using Eight = hn::FixedTag<std::int16_t, 8>;

// Sixteen lines become columns of sixteen samples. `count` is a multiple of 8.
void TurnIn(const std::int16_t* HWY_RESTRICT strip, std::size_t stride, std::size_t count,
            std::int16_t* HWY_RESTRICT columns) {
    const Eight d;
    for (std::size_t x = 0; x < count; x += 8) {
        for (std::size_t half = 0; half < 2; ++half) {
            hn::Vec<Eight> v[8];
            for (std::size_t i = 0; i < 8; ++i) {
                v[i] = hn::Load(d, strip + (half * 8 + i) * stride + x);
            }
            Turn8(d, v);
            for (std::size_t i = 0; i < 8; ++i) {
                hn::Store(v[i], d, columns + (x + i) * lines_at_once + half * 8);
            }
        }
    }
}

// Pixels of 2 or 4 bands, the last of which weighs the others. Alpha is multiplied by what is opaque, so that
// it comes out in the same unit.
void Weigh(const std::uint8_t* HWY_RESTRICT from, std::size_t count, int bands,
           std::int16_t* HWY_RESTRICT to) {
    const hn::ScalableTag<std::uint16_t> d16;
    const hn::Repartition<std::uint8_t, decltype(d16)> bytes;
    const hn::RebindToSigned<decltype(d16)> d;
    const hn::Rebind<std::uint8_t, decltype(d16)> d8;
    // Within 16 bytes: the place of the alpha that belongs to each sample of 16 bits.
    alignas(16) static constexpr std::uint8_t places[2][16] = {
        {2, 3, 2, 3, 6, 7, 6, 7, 10, 11, 10, 11, 14, 15, 14, 15},
        {6, 7, 6, 7, 6, 7, 6, 7, 14, 15, 14, 15, 14, 15, 14, 15}};
    const auto place = hn::LoadDup128(bytes, places[bands == 4 ? 1 : 0]);
    const auto last = hn::Set(d16, static_cast<std::uint16_t>(bands - 1));
    const auto is_alpha = hn::Eq(hn::And(hn::Iota(d16, 0), last), last);
    const auto opaque = hn::Set(d16, 255);
    const auto weighed = [&](auto samples) {
        const auto wide = hn::PromoteTo(d16, samples);
        const auto alpha = hn::BitCast(d16, hn::TableLookupBytes(hn::BitCast(bytes, wide), place));
        const auto product = hn::Mul(wide, hn::IfThenElse(is_alpha, opaque, alpha));
        return hn::BitCast(d, hn::MulHigh(product, hn::Set(d16, weighing)));
    };
    const std::size_t lanes = hn::Lanes(d16);
    std::size_t x = 0;
    for (; x + lanes <= count; x += lanes) {
        hn::Store(weighed(hn::LoadU(d8, from + x)), d, to + x);
    }
    if (x < count) {
        hn::Store(weighed(LoadLast(d8, from + x, count - x)), d, to + x);
    }
}

// The colours of `pixels` pixels divided by their alpha; `made`: a row of lines_at_once for each band.
void Unweigh(std::int16_t* HWY_RESTRICT made, int pixels, int bands) {
    const hn::CappedTag<float, lines_at_once> d;
    const hn::Rebind<std::int32_t, decltype(d)> d32;
    const hn::Rebind<std::int16_t, decltype(d)> d16;
    const auto load = [&](const std::int16_t* from) {
        return hn::ConvertTo(d, hn::PromoteTo(d32, hn::Load(d16, from)));
    };
    const auto most = hn::Set(d, full);
    for (int pixel = 0; pixel < pixels; ++pixel, made += bands * lines_at_once) {
        for (std::size_t i = 0; i < lines_at_once; i += hn::Lanes(d)) {
            const auto alpha = load(made + (bands - 1) * lines_at_once + i);
            const auto seen = hn::Gt(alpha, hn::Zero(d));
            const auto factor = hn::IfThenElseZero(seen, hn::Div(most, alpha));
            for (int b = 0; b + 1 < bands; ++b) {
                const auto colour = hn::Mul(load(made + b * lines_at_once + i), factor);
                const auto clamped = hn::Min(hn::Max(colour, hn::Zero(d)), most);
                hn::Store(hn::DemoteTo(d16, hn::ConvertTo(d32, clamped)), d16, made + b * lines_at_once + i);
            }
        }
    }
}

// Columns weighted and added, and the result turned back into lines of 8 bits.
void Narrow(const std::int16_t* HWY_RESTRICT columns, const Weights& across, const PixelLines& kind, int left,
            int lines, std::uint8_t* const* HWY_RESTRICT to) {
    const hn::CappedTag<std::int16_t, lines_at_once> d;
    const std::size_t lanes = hn::Lanes(d);
    const Eight d8x16;
    const hn::Rebind<std::uint8_t, Eight> d8;
    const int taps = across.taps();
    const int bands = kind.bands;
    const int samples = across.count() * bands;
    const std::size_t next = static_cast<std::size_t>(bands) * lines_at_once;
    const auto half_a_level = hn::Set(d8x16, 1 << (fraction_bits - 1));
    alignas(64) std::int16_t made[8 * lines_at_once] = {};
    int pixel = 0;
    int band = 0;
    for (int x = 0; x < samples; x += 8) {
        const int several = std::min(8, samples - x);
        for (int i = 0; i < several; ++i) {
            const std::int16_t* const weights = across.of(pixel);
            const std::int16_t* const from =
                columns +
                static_cast<std::size_t>((across.start(pixel) - left) * bands + band) * lines_at_once;
            for (std::size_t half = 0; half < lines_at_once; half += lanes) {
                auto sum = hn::Zero(d);
                for (int k = 0; k < taps; ++k) {
                    sum = hn::Add(sum, hn::MulFixedPoint15(
                                           hn::Load(d, from + static_cast<std::size_t>(k) * next + half),
                                           hn::Set(d, weights[k])));
                }
                hn::Store(sum, d, made + static_cast<std::size_t>(i) * lines_at_once + half);
            }
            if (++band == bands) {
                band = 0;
                ++pixel;
            }
        }
        if (kind.alpha) {
            Unweigh(made, several / bands, bands);
        }
        for (int half = 0; half < lines_at_once && half < lines; half += 8) {
            hn::Vec<Eight> v[8];
            for (int i = 0; i < 8; ++i) {
                v[i] = hn::ShiftRight<fraction_bits>(
                    hn::Add(hn::Load(d8x16, made + i * lines_at_once + half), half_a_level));
            }
            Turn8(d8x16, v);
            for (int i = 0; i < 8 && half + i < lines; ++i) {
                std::uint8_t* const row = to[half + i] + x;
                if (several == 8) {
                    hn::StoreU(hn::DemoteTo(d8, v[i]), d8, row);
                } else {
                    std::uint8_t last[8];
                    hn::StoreU(hn::DemoteTo(d8, v[i]), d8, last);
                    std::copy_n(last, several, row);
                }
            }
        }
    }
}

#endif

}  // namespace media::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace media {

HWY_EXPORT(Widen);
HWY_EXPORT(Weigh);
HWY_EXPORT(Blend);
HWY_EXPORT(TurnIn);
HWY_EXPORT(Narrow);

namespace {

constexpr double lobes = 3;
constexpr int one = 1 << 15;
constexpr int lines_at_once = 16;
constexpr std::size_t vector_samples = 64;  // a multiple of any vector's

double lanczos(double x) {
    if (std::abs(x) < 1e-9) {
        return 1;
    }
    if (std::abs(x) >= lobes) {
        return 0;
    }
    const double angle = std::numbers::pi * x;
    return lobes * std::sin(angle) * std::sin(angle / lobes) / (angle * angle);
}

std::size_t whole_vectors(int samples) {
    return (static_cast<std::size_t>(samples) + vector_samples - 1) / vector_samples * vector_samples;
}

hwy::AlignedFreeUniquePtr<std::int16_t[]> zeroed(std::size_t count) {
    auto samples = hwy::AllocateAligned<std::int16_t>(count);
    if (samples == nullptr) {
        throw std::bad_alloc();
    }
    std::fill_n(samples.get(), count, std::int16_t{0});
    return samples;
}

}  // namespace

Weights::Weights(const AxisMap& map) {
    const int last = map.last - 1;
    // Enlarged is only colour, which then goes over as every decoder lets it: in a straight line.
    const bool enlarges = map.step < 1;
    const double reach = enlarges ? 1 : lobes * map.step;
    taps_ = std::min(static_cast<int>(std::ceil(2 * reach)) + 1, map.last - map.first);
    const auto taps = static_cast<std::size_t>(taps_);
    start_.resize(static_cast<std::size_t>(map.count));
    weights_.assign(static_cast<std::size_t>(map.count) * taps, 0);
    std::vector<double> exact(taps);
    for (int i = 0; i < map.count; ++i) {
        const double centre = map.origin + (i + 0.5) * map.step - 0.5;
        const int begin = static_cast<int>(std::ceil(centre - reach));
        const int end = static_cast<int>(std::floor(centre + reach));
        const int start = std::clamp(begin, map.first, map.last - taps_);
        std::fill(exact.begin(), exact.end(), 0.0);
        double sum = 0;
        for (int at = begin; at <= end; ++at) {
            const double weight =
                enlarges ? std::max(0.0, 1 - std::abs(at - centre)) : lanczos((at - centre) / map.step);
            const int stand_in = std::clamp(at, map.first, last);
            exact[static_cast<std::size_t>(std::clamp(stand_in - start, 0, taps_ - 1))] += weight;
            sum += weight;
        }
        std::int16_t* const mine = weights_.data() + static_cast<std::size_t>(i) * taps;
        int total = 0;
        std::size_t heaviest = 0;
        for (std::size_t k = 0; k < taps; ++k) {
            const long rounded = std::lround(exact[k] / sum * one);
            mine[k] = static_cast<std::int16_t>(std::clamp<long>(rounded, -one, one - 1));
            total += mine[k];
            heaviest = mine[k] > mine[heaviest] ? k : heaviest;
        }
        // What rounding took or gave; a weight of exactly 1 cannot be held.
        mine[heaviest] = static_cast<std::int16_t>(std::min(one - 1, mine[heaviest] + one - total));
        start_[static_cast<std::size_t>(i)] = start;
    }
}

LineResizer::LineResizer(const AxisMap& across, const AxisMap& down, const PixelLines& lines)
    : across_(across), down_(down), lines_(lines), line_(down.first) {
    left_ = across_.start(0);
    samples_ = (across_.end(across_.count() - 1) - left_) * lines_.bands;
    stride_ = whole_vectors(samples_);
    const auto taps = static_cast<std::size_t>(down_.taps());
    ring_ = zeroed(stride_ * taps);
    used_.resize(taps);
    strip_ = zeroed(stride_ * lines_at_once);
    columns_ = zeroed(stride_ * lines_at_once);
}

void LineResizer::push(const std::uint8_t* line) {
    if (!wants_more()) {
        return;
    }
    const int taps = down_.taps();
    if (line_ >= down_.start(next_)) {
        std::int16_t* const to = ring_.get() + static_cast<std::size_t>(line_ % taps) * stride_;
        const std::uint8_t* const from = line + static_cast<std::size_t>(left_ * lines_.bands);
        const auto count = static_cast<std::size_t>(samples_);
        if (lines_.alpha) {
            HWY_DYNAMIC_DISPATCH(Weigh)(from, count, lines_.bands, to);
        } else {
            HWY_DYNAMIC_DISPATCH(Widen)(from, count, to);
        }
    }
    ++line_;
    while (wants_more() && line_ >= down_.end(next_)) {
        const int start = down_.start(next_);
        for (int k = 0; k < taps; ++k) {
            used_[static_cast<std::size_t>(k)] =
                ring_.get() + static_cast<std::size_t>((start + k) % taps) * stride_;
        }
        HWY_DYNAMIC_DISPATCH(Blend)
        (used_.data(), down_.of(next_), taps, stride_,
         strip_.get() + static_cast<std::size_t>(strip_lines_) * stride_);
        ++next_;
        if (++strip_lines_ == lines_at_once || !wants_more()) {
            flush(strip_lines_);
            strip_lines_ = 0;
        }
    }
}

void LineResizer::flush(int lines) {
    std::array<std::uint8_t*, lines_at_once> to{};
    for (int i = 0; i < lines; ++i) {
        to[static_cast<std::size_t>(i)] =
            lines_.first + static_cast<std::size_t>(next_ - lines + i) * lines_.stride;
    }
    HWY_DYNAMIC_DISPATCH(TurnIn)
    (strip_.get(), stride_, stride_, columns_.get());
    HWY_DYNAMIC_DISPATCH(Narrow)
    (columns_.get(), across_, lines_, left_, lines, to.data());
}

PlaneResizer::PlaneResizer(const AxisMap& across, const AxisMap& down)
    : out_({across.count, down.count}),
      lines_(across, down, {.first = out_.row(0), .stride = out_.stride(), .bands = 1, .alpha = false}) {}

}  // namespace media

#endif
