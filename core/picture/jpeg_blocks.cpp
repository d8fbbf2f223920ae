#include "core/picture/jpeg_blocks.h"

#include <algorithm>

namespace media {

bool is_complete(const jpeg_decompress_struct& codec) noexcept {
    for (int i = 0; codec.progressive_mode != 0 && i < codec.num_components; ++i) {
        const int* const bits = codec.coef_bits[i];
        if (std::any_of(bits, bits + DCTSIZE2, [](int unsent) { return unsent != 0; })) {
            return false;
        }
    }
    return true;
}

JpegBlocks::JpegBlocks(const jpeg_decompress_struct& codec, jvirt_barray_ptr* coefficients,
                       const std::array<int, 3>& sizes)
    : codec_(codec), coefficients_(coefficients), sizes_(sizes) {
    for (std::size_t i = 0; i < static_cast<std::size_t>(codec.num_components); ++i) {
        // None where no scan of the component came.
        const JQUANT_TBL* const table = codec.comp_info[i].quant_table;
        for (int k = 0; k < sizes[i] * sizes[i]; ++k) {
            const int place = k / sizes[i] * DCTSIZE + k % sizes[i];
            steps_[i].push_back(table == nullptr ? std::int16_t{0} : idct_step(table->quantval[place]));
        }
    }
}

void JpegBlocks::transform(std::size_t component, JDIMENSION row, std::uint8_t* to,
                           std::size_t stride) const {
    const auto common = reinterpret_cast<j_common_ptr>(const_cast<jpeg_decompress_struct*>(&codec_));
    const JDIMENSION count = codec_.comp_info[component].width_in_blocks;
    const JBLOCKROW blocks =
        (*codec_.mem->access_virt_barray)(common, coefficients_[component], row, 1, FALSE)[0];
    const int size = sizes_[component];
    const std::int16_t* const steps = steps_[component].data();
    JDIMENSION done = 0;
    for (; done + idct_blocks <= count; done += idct_blocks) {
        idct_in_turn(size, blocks[done], steps, to, stride);
        to += idct_blocks * static_cast<std::size_t>(size);
    }
    if (done < count) {
        std::array<std::int16_t, idct_blocks * DCTSIZE2> last{};
        std::copy_n(blocks[done], (count - done) * DCTSIZE2, last.data());
        idct_in_turn(size, last.data(), steps, to, stride);
    }
}

}  // namespace media
