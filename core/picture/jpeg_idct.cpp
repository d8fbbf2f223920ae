#include "core/picture/jpeg_idct.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/picture/jpeg_idct.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "core/picture/turn8-inl.h"

// Each lane is a block, so that nothing is turned within the transform. Values have 4 bits of fraction, and
// are 8 times as large as samples; additions saturate, so that nonsense stays bright or dark.

HWY_BEFORE_NAMESPACE();
namespace media::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

using Lanes = hn::CappedTag<std::int16_t, idct_blocks>;
using Values = hn::Vec<Lanes>;

// A factor in units of 2^-15, less 1 where it is above.
constexpr std::int16_t part(double factor) {
    return static_cast<std::int16_t>((static_cast<int>((factor > 1 ? factor - 1 : factor) * 65536) + 1) / 2);
}

// sqrt(2) cos(k pi / 16)
constexpr double c1 = 1.38703984532214746, c2 = 1.30656296487637653, c3 = 1.17587560241935872,
                 c5 = 0.785694958387102181, c6 = 0.541196100146196985, c7 = 0.275899379282943012;

HWY_INLINE Values Times(Values x, double factor) {
    const Lanes d;
    const auto product = hn::MulFixedPoint15(x, hn::Set(d, part(factor)));
    return factor > 1 ? hn::SaturatedAdd(x, product) : product;
}

// The transform of one row or column of 1, 2, 4 or 8, in place; `step` apart.
template <int size, int step>
HWY_INLINE void Transform(Values* v) {
    if constexpr (size == 2) {
        const Values a = v[0];
        const Values b = v[step];
        v[0] = hn::SaturatedAdd(a, b);
        v[step] = hn::SaturatedSub(a, b);
    } else if constexpr (size == 4) {
        const Values sum = hn::SaturatedAdd(v[0], v[2 * step]);
        const Values difference = hn::SaturatedSub(v[0], v[2 * step]);
        const Values outer = hn::SaturatedAdd(Times(v[step], c2), Times(v[3 * step], c6));
        const Values inner = hn::SaturatedSub(Times(v[step], c6), Times(v[3 * step], c2));
        v[0] = hn::SaturatedAdd(sum, outer);
        v[step] = hn::SaturatedAdd(difference, inner);
        v[2 * step] = hn::SaturatedSub(difference, inner);
        v[3 * step] = hn::SaturatedSub(sum, outer);
    } else if constexpr (size == 8) {
        Values even[4] = {v[0], v[2 * step], v[4 * step], v[6 * step]};
        Transform<4, 1>(even);
        const Values x1 = v[step];
        const Values x3 = v[3 * step];
        const Values x5 = v[5 * step];
        const Values x7 = v[7 * step];
        const Values odd[4] = {hn::SaturatedAdd(hn::SaturatedAdd(Times(x1, c1), Times(x3, c3)),
                                                hn::SaturatedAdd(Times(x5, c5), Times(x7, c7))),
                               hn::SaturatedSub(hn::SaturatedSub(Times(x1, c3), Times(x3, c7)),
                                                hn::SaturatedAdd(Times(x5, c1), Times(x7, c5))),
                               hn::SaturatedAdd(hn::SaturatedSub(Times(x1, c5), Times(x3, c1)),
                                                hn::SaturatedAdd(Times(x5, c7), Times(x7, c3))),
                               hn::SaturatedAdd(hn::SaturatedSub(Times(x1, c7), Times(x3, c5)),
                                                hn::SaturatedSub(Times(x5, c3), Times(x7, c1)))};
        for (int i = 0; i < 4; ++i) {
            v[i * step] = hn::SaturatedAdd(even[i], odd[i]);
            v[(7 - i) * step] = hn::SaturatedSub(even[i], odd[i]);
        }
    }
}

// coefficient * step, saturating.
HWY_INLINE Values Dequantized(Values coefficient, std::int16_t step) {
    const Lanes d;
    const auto by = hn::Set(d, step);
    const auto low = hn::Mul(coefficient, by);
    const auto high = hn::MulHigh(coefficient, by);
    const auto most = hn::Xor(hn::ShiftRight<15>(coefficient), hn::Set(d, std::int16_t{0x7FFF}));
    return hn::IfThenElse(hn::Eq(high, hn::ShiftRight<15>(low)), low, most);
}

template <int size>
void Idct(std::int16_t* HWY_RESTRICT coefficients, const std::int16_t* HWY_RESTRICT steps,
          std::uint8_t* HWY_RESTRICT samples, std::size_t stride) {
    const Lanes d;
    const hn::Rebind<std::uint8_t, Lanes> d8;
    const hn::RebindToUnsigned<Lanes> d16;
    for (std::size_t lane = 0; lane < idct_blocks; lane += hn::Lanes(d)) {
        Values v[size * size];
        for (int i = 0; i < size * size; ++i) {
            std::int16_t* const from = coefficients + static_cast<std::size_t>(i) * idct_blocks + lane;
            v[i] = Dequantized(hn::Load(d, from), steps[i]);
            hn::Store(hn::Zero(d), d, from);
        }
        for (int x = 0; x < size; ++x) {
            Transform<size, size>(v + x);
        }
        for (int y = 0; y < size; ++y) {
            Values* const row = v + y * size;
            Transform<size, 1>(row);
            for (int x = 0; x < size; ++x) {
                row[x] = hn::ShiftRight<7>(hn::SaturatedAdd(row[x], hn::Set(d, (128 << 7) + 64)));
            }
            std::uint8_t* const to = samples + static_cast<std::size_t>(y) * stride + lane * size;
            if constexpr (size == 1) {
                hn::StoreU(hn::DemoteTo(d8, row[0]), d8, to);
            } else {
                // Two samples of a block make one lane.
                hn::Vec<decltype(d16)> pair[size / 2];
                for (int x = 0; x < size / 2; ++x) {
                    const auto clamped = [&](Values value) {
                        return hn::Min(hn::Max(value, hn::Zero(d)), hn::Set(d, std::int16_t{255}));
                    };
                    pair[x] = hn::BitCast(
                        d16, hn::Or(clamped(row[2 * x]), hn::ShiftLeft<8>(clamped(row[2 * x + 1]))));
                }
                auto* const to16 = reinterpret_cast<std::uint16_t*>(to);
                if constexpr (size == 2) {
                    hn::StoreU(pair[0], d16, to16);
                } else if constexpr (size == 4) {
                    hn::StoreInterleaved2(pair[0], pair[1], d16, to16);
                } else {
                    hn::StoreInterleaved4(pair[0], pair[1], pair[2], pair[3], d16, to16);
                }
            }
        }
    }
}

// What idct() takes, of blocks that stand one after the other.
template <int size>
HWY_INLINE void TurnIn(const std::int16_t* HWY_RESTRICT blocks, std::int16_t* HWY_RESTRICT coefficients) {
    constexpr std::size_t whole = 64;
#if HWY_TARGET == HWY_SCALAR
    for (std::size_t k = 0; k < idct_blocks; ++k) {
        for (std::size_t i = 0; i < std::size_t{size} * size; ++i) {
            coefficients[i * idct_blocks + k] = blocks[k * whole + i / size * 8 + i % size];
        }
    }
#else
    const hn::FixedTag<std::int16_t, 8> d;
    for (std::size_t y = 0; y < size; ++y) {
        for (std::size_t first = 0; first < idct_blocks; first += 8) {
            hn::Vec<decltype(d)> v[8];
            for (std::size_t k = 0; k < 8; ++k) {
                v[k] = hn::LoadU(d, blocks + (first + k) * whole + y * 8);
            }
            Turn8(d, v);
            for (std::size_t x = 0; x < size; ++x) {
                hn::Store(v[x], d, coefficients + (y * size + x) * idct_blocks + first);
            }
        }
    }
#endif
}

template <int size>
HWY_INLINE void InTurn(const std::int16_t* blocks, const std::int16_t* steps, std::uint8_t* samples,
                       std::size_t stride) {
    HWY_ALIGN std::int16_t coefficients[std::size_t{size} * size * idct_blocks];
    TurnIn<size>(blocks, coefficients);
    Idct<size>(coefficients, steps, samples, stride);
}

void IdctInTurn(int size, const std::int16_t* blocks, const std::int16_t* steps, std::uint8_t* samples,
                std::size_t stride) {
    switch (size) {
        case 1:
            InTurn<1>(blocks, steps, samples, stride);
            break;
        case 2:
            InTurn<2>(blocks, steps, samples, stride);
            break;
        case 4:
            InTurn<4>(blocks, steps, samples, stride);
            break;
        default:
            InTurn<8>(blocks, steps, samples, stride);
    }
}

void Idct1(std::int16_t* coefficients, const std::int16_t* steps, std::uint8_t* samples, std::size_t stride) {
    Idct<1>(coefficients, steps, samples, stride);
}

void Idct2(std::int16_t* coefficients, const std::int16_t* steps, std::uint8_t* samples, std::size_t stride) {
    Idct<2>(coefficients, steps, samples, stride);
}

void Idct4(std::int16_t* coefficients, const std::int16_t* steps, std::uint8_t* samples, std::size_t stride) {
    Idct<4>(coefficients, steps, samples, stride);
}

void Idct8(std::int16_t* coefficients, const std::int16_t* steps, std::uint8_t* samples, std::size_t stride) {
    Idct<8>(coefficients, steps, samples, stride);
}

}  // namespace media::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace media {

HWY_EXPORT(Idct1);
HWY_EXPORT(Idct2);
HWY_EXPORT(Idct4);
HWY_EXPORT(Idct8);
HWY_EXPORT(IdctInTurn);

void idct_in_turn(int size, const std::int16_t* blocks, const std::int16_t* steps, std::uint8_t* samples,
                  std::size_t stride) {
    HWY_DYNAMIC_DISPATCH(IdctInTurn)(size, blocks, steps, samples, stride);
}

void idct(int size, std::int16_t* coefficients, const std::int16_t* steps, std::uint8_t* samples,
          std::size_t stride) {
    switch (size) {
        case 1:
            HWY_DYNAMIC_DISPATCH(Idct1)(coefficients, steps, samples, stride);
            break;
        case 2:
            HWY_DYNAMIC_DISPATCH(Idct2)(coefficients, steps, samples, stride);
            break;
        case 4:
            HWY_DYNAMIC_DISPATCH(Idct4)(coefficients, steps, samples, stride);
            break;
        default:
            HWY_DYNAMIC_DISPATCH(Idct8)(coefficients, steps, samples, stride);
    }
}

}  // namespace media

#endif
