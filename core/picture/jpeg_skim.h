// A decoder for JPEGs that become smaller: it reads what the smaller picture is made of, and leaps over the
// rest.
#pragma once

#include <hwy/aligned_allocator.h>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <memory>
#include <optional>
#include <vector>

#include <jpeglib.h>

#include "core/base/bytes.h"
#include "core/picture/jpeg_entropy.h"
#include "core/picture/jpeg_huffman.h"

namespace media {

/// The only scan of a sequential JPEG of 8 bits in Huffman coding, gray or of three components, a row of MCUs
/// at a time. Of each block, the lowest size x size coefficients become size x size samples. It is strict:
/// whatever is not in perfect order is not decoded, and somebody else has to see what can be made of it.
class JpegSkim {
  public:
    /// `codec` has read the header, and `scan` lies behind it; it must outlive this. `sizes`: of the blocks
    /// of each component, 1, 2, 4 or 8. Nothing where the JPEG is of another kind.
    static std::unique_ptr<JpegSkim> of(const jpeg_decompress_struct& codec, const std::array<int, 3>& sizes,
                                        ByteView scan);

    /// Decodes the next row of MCUs. False where something is not in order: then nothing of all that came may
    /// be used.
    [[nodiscard]] bool next_band();

    /// Whether the picture ends behind its last row of MCUs. False as above.
    [[nodiscard]] bool ends();

    /// Rows of MCUs that are still to come.
    std::size_t bands_left() const noexcept { return bands_left_; }

    /// Lines of a component in one row of MCUs.
    std::size_t lines(std::size_t component) const noexcept { return components_[component].lines(); }

    /// A line of the last row of MCUs; 64 samples more than it has can be read.
    const std::uint8_t* line(std::size_t component, std::size_t y) const noexcept {
        const Component& c = components_[component];
        return c.band.data() + y * c.stride;
    }

  private:
    struct Component {
        std::size_t across = 1, down = 1;         // blocks in an MCU
        std::size_t size = 1;                     // of a block's samples
        unsigned last = 0;                        // in zigzag order: the last coefficient that is needed
        std::array<std::uint16_t, 256> places{};  // in zigzag order: where a coefficient goes
        std::vector<std::int16_t> steps;          // of quantization, for idct()
        std::size_t tile = 0;                     // coefficients of idct_blocks blocks, and one to forget
        hwy::AlignedFreeUniquePtr<std::int16_t[]>
            coefficients;                // tiles, for as many MCUs as are read at once
        std::size_t stride = 0;          // of the band
        std::vector<std::uint8_t> band;  // a row of MCUs
        std::uint32_t dc = 0;            // of the last block
        const HuffmanTable* dc_table = nullptr;
        const HuffmanTable* ac_table = nullptr;

        std::size_t lines() const noexcept { return down * size; }
    };

    // One of an MCU.
    struct Block {
        std::size_t component, row, column;
    };

    // The bits to come, in the high end of a word.
    struct Bits {
        std::uint64_t word = 0;
        unsigned count = 0;
        const std::uint8_t* next = nullptr;

        void refill() noexcept;
        void take(unsigned length) noexcept;
        // Before `end`; negative where more were taken than there are.
        std::ptrdiff_t left(const std::uint8_t* end) const noexcept {
            return (end - next) * 8 + static_cast<std::ptrdiff_t>(count);
        }
    };

    explicit JpegSkim(ByteView scan);

    bool take_tables(const jpeg_decompress_struct& codec, Component& c, int dc, int ac);
    bool take_component(const jpeg_decompress_struct& codec, const jpeg_component_info& info,
                        std::size_t size);
    void begin_segment();
    bool ends_with(std::uint8_t marker);
    bool read_mcus(std::size_t count);
    static bool read_block(Bits& bits, Component& c, std::int16_t* to);
    static bool leap(Bits& bits, const HuffmanTable& table, unsigned at);
    void transform(std::size_t first);

    EntropyBytes bytes_;
    Bits bits_;
    std::array<std::optional<HuffmanTable>, NUM_HUFF_TBLS> dc_tables_, ac_tables_;
    std::vector<Component> components_;
    std::vector<Block> blocks_;
    std::size_t mcus_ = 0;  // in a row
    std::size_t bands_left_ = 0;
    unsigned interval_ = 0;        // MCUs between restarts; 0: there are none
    unsigned before_restart_ = 0;  // MCUs
    unsigned restart_ = 0;         // the number of the next one, 0 to 7
};

}  // namespace media
