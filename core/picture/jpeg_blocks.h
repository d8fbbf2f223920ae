// A JPEG whose coefficients are all in memory, as those of several scans have to be.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <vector>

#include <jpeglib.h>

#include "core/picture/jpeg_idct.h"

namespace media {

/// Whether all coefficients were read down to the last bit. Of a progressive JPEG whose last scans are
/// missing libjpeg's own transform guesses what they held.
bool is_complete(const jpeg_decompress_struct& codec) noexcept;

/// Makes samples of what libjpeg has read, by the transform of JpegSkim: so a picture is the same however it
/// is coded. libjpeg-turbo's own blocks of 4 x 4 and 2 x 2 are means of samples, and softer.
class JpegBlocks {
  public:
    /// `codec` and what it has read outlive this. `sizes`: samples that a block of each component becomes,
    /// across and down: 1, 2, 4 or 8.
    JpegBlocks(const jpeg_decompress_struct& codec, jvirt_barray_ptr* coefficients,
               const std::array<int, 3>& sizes);

    /// One row of a component's blocks: as many lines, `stride` apart, each with room for whole tiles of
    /// idct_blocks. Where memory fails, libjpeg leaves (jpeg_trouble.h).
    void transform(std::size_t component, JDIMENSION row, std::uint8_t* to, std::size_t stride) const;

  private:
    const jpeg_decompress_struct& codec_;
    jvirt_barray_ptr* coefficients_;
    std::array<int, 3> sizes_;
    std::array<std::vector<std::int16_t>, 3> steps_;
};

}  // namespace media
