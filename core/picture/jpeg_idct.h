// The inverse cosine transform of JPEG, for blocks that become smaller.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

namespace media {

/// Blocks that are transformed together.
inline constexpr std::size_t idct_blocks = 16;

/// Makes size x size samples of each of 16 blocks (size 1, 2, 4 or 8), side by side, `stride` from line to
/// line. `coefficients`: of each block the lowest size x size ones, not yet multiplied by `steps`, in rows;
/// those of one place of all blocks stand together. They become 0. `steps`: of quantization, times 16.
/// Formula: T.81, A.3.3, with 8 replaced by `size`; of samples that lie far outside of 8 bits only that they
/// do is right.
void idct(int size, std::int16_t* coefficients, const std::int16_t* steps, std::uint8_t* samples,
          std::size_t stride);

/// The same of 16 blocks as libjpeg keeps them: all 64 coefficients of one, in rows, before those of the
/// next. They stay.
void idct_in_turn(int size, const std::int16_t* blocks, const std::int16_t* steps, std::uint8_t* samples,
                  std::size_t stride);

/// A step of quantization as these take it. Larger ones take everything as far out of 8 bits.
constexpr std::int16_t idct_step(int quantization) {
    return static_cast<std::int16_t>(std::min(quantization * 16, 32767));
}

}  // namespace media
