#include "core/picture/jpeg_skim.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "core/picture/jpeg_idct.h"

namespace media {

namespace {

constexpr unsigned last_coefficient = 63;
constexpr std::size_t most_blocks = 10;            // of an MCU; T.81, B.2.3
constexpr std::size_t mcus_at_once = idct_blocks;  // so that each component has whole tiles

// T.81, table B.1.
constexpr std::uint8_t first_restart = 0xD0;
constexpr std::uint8_t end_of_image = 0xD9;

// What an MCU can take at most, and a word of which not all is used.
constexpr std::size_t reserve =
    most_blocks * (last_coefficient + 1) * HuffmanTable::most_bits / 8 + 2 * sizeof(std::uint64_t);

// T.81, figure A.6.
constexpr std::array<std::uint8_t, 64> zigzag{0,  1,  8,  16, 9,  2,  3,  10, 17, 24, 32, 25, 18, 11, 4,  5,
                                              12, 19, 26, 33, 40, 48, 41, 34, 27, 20, 13, 6,  7,  14, 21, 28,
                                              35, 42, 49, 56, 57, 50, 43, 36, 29, 22, 15, 23, 30, 37, 44, 51,
                                              58, 59, 52, 45, 38, 31, 39, 46, 53, 60, 61, 54, 47, 55, 62, 63};

}  // namespace

inline void JpegSkim::Bits::refill() noexcept {
    std::uint64_t bytes = 0;
    std::memcpy(&bytes, next, sizeof bytes);
    if constexpr (std::endian::native == std::endian::little) {
        bytes = __builtin_bswap64(bytes);
    }
    word |= bytes >> count;
    next += (63 - count) / 8;
    count |= 56U;
}

inline void JpegSkim::Bits::take(unsigned length) noexcept {
    word <<= length;
    count -= length;
}

JpegSkim::JpegSkim(ByteView scan) : bytes_(scan, reserve) {}

// The tables of one component, unless another one has made them.
bool JpegSkim::take_tables(const jpeg_decompress_struct& codec, Component& c, int dc, int ac) {
    if (dc < 0 || dc >= NUM_HUFF_TBLS || ac < 0 || ac >= NUM_HUFF_TBLS) {
        return false;
    }
    auto& dc_table = dc_tables_[static_cast<std::size_t>(dc)];
    auto& ac_table = ac_tables_[static_cast<std::size_t>(ac)];
    const JHUFF_TBL* const dc_codes = codec.dc_huff_tbl_ptrs[dc];
    const JHUFF_TBL* const ac_codes = codec.ac_huff_tbl_ptrs[ac];
    if (!dc_table && dc_codes != nullptr) {
        dc_table = HuffmanTable::dc(dc_codes->bits, dc_codes->huffval);
    }
    if (!ac_table && ac_codes != nullptr) {
        ac_table = HuffmanTable::ac(ac_codes->bits, ac_codes->huffval);
    }
    if (!dc_table || !ac_table) {
        return false;
    }
    c.dc_table = &*dc_table;
    c.ac_table = &*ac_table;
    return true;
}

bool JpegSkim::take_component(const jpeg_decompress_struct& codec, const jpeg_component_info& info,
                              std::size_t size) {
    Component& c = components_.emplace_back();
    if (info.quant_tbl_no < 0 || info.quant_tbl_no >= NUM_QUANT_TBLS ||
        codec.quant_tbl_ptrs[info.quant_tbl_no] == nullptr ||
        !take_tables(codec, c, info.dc_tbl_no, info.ac_tbl_no)) {
        return false;
    }
    if (codec.num_components > 1) {  // an MCU of one component is one block
        c.across = static_cast<std::size_t>(info.h_samp_factor);
        c.down = static_cast<std::size_t>(info.v_samp_factor);
    }
    c.size = size;
    c.tile = (size * size + 1) * idct_blocks;
    c.places.fill(static_cast<std::uint16_t>(size * size * idct_blocks));
    c.steps.resize(size * size);
    for (unsigned k = 0; k <= last_coefficient; ++k) {
        const std::size_t x = zigzag[k] % 8;
        const std::size_t y = zigzag[k] / 8;
        if (x < size && y < size) {
            c.places[k] = static_cast<std::uint16_t>((y * size + x) * idct_blocks);
            c.steps[y * size + x] = idct_step(codec.quant_tbl_ptrs[info.quant_tbl_no]->quantval[zigzag[k]]);
            c.last = k;
        }
    }
    for (std::size_t row = 0; row < c.down; ++row) {
        for (std::size_t column = 0; column < c.across; ++column) {
            blocks_.push_back({components_.size() - 1, row, column});
        }
    }
    return true;
}

std::unique_ptr<JpegSkim> JpegSkim::of(const jpeg_decompress_struct& codec, const std::array<int, 3>& sizes,
                                       ByteView scan) {
    const int count = codec.num_components;
    if (codec.progressive_mode != 0 || codec.arith_code != 0 || codec.data_precision != 8 ||
        (count != 1 && count != 3) || codec.comps_in_scan != count || codec.Ss != 0 ||
        codec.Se != static_cast<int>(last_coefficient) || codec.Ah != 0 || codec.Al != 0) {
        return nullptr;
    }
    std::unique_ptr<JpegSkim> skim(new JpegSkim(scan));
    for (int i = 0; i < count; ++i) {
        if (codec.cur_comp_info[i] != &codec.comp_info[i] ||
            !skim->take_component(codec, codec.comp_info[i],
                                  static_cast<std::size_t>(sizes[static_cast<std::size_t>(i)]))) {
            return nullptr;
        }
    }
    if (skim->blocks_.size() > most_blocks) {
        return nullptr;
    }
    const auto over = [](JDIMENSION length, int factor) {
        const auto part = static_cast<std::size_t>(factor) * 8;
        return (length + part - 1) / part;
    };
    skim->mcus_ = over(codec.image_width, count == 1 ? 1 : codec.max_h_samp_factor);
    skim->bands_left_ = over(codec.image_height, count == 1 ? 1 : codec.max_v_samp_factor);
    for (Component& c : skim->components_) {
        const std::size_t coefficients = c.tile * c.across * c.down;
        c.coefficients = hwy::AllocateAligned<std::int16_t>(coefficients);
        if (c.coefficients == nullptr) {
            throw std::bad_alloc();
        }
        std::fill_n(c.coefficients.get(), coefficients, std::int16_t{0});
        c.stride = (skim->mcus_ + mcus_at_once - 1) / mcus_at_once * mcus_at_once * c.across * c.size + 64;
        c.band.assign(c.stride * c.lines(), 0);
    }
    skim->interval_ = codec.restart_interval;
    skim->begin_segment();
    return skim;
}

void JpegSkim::begin_segment() {
    bits_ = {0, 0, bytes_.next_segment()};
    for (Component& c : components_) {
        c.dc = 0;
    }
    before_restart_ = interval_;
}

// Whether the marker comes next, but for bits that fill up a byte.
bool JpegSkim::ends_with(std::uint8_t marker) {
    bits_.next = bytes_.more(bits_.next);
    const std::ptrdiff_t left = bits_.left(bytes_.end());
    return bytes_.complete() && bytes_.marker() == marker && left >= 0 && left < 8;
}

// Passes over the coefficients behind `at`.
inline bool JpegSkim::leap(Bits& bits, const HuffmanTable& table, unsigned at) {
    for (;;) {
        bits.refill();
        Bits before = bits;
        auto leap = table.leap(bits.word);
        bits.take(leap.length());
        unsigned to = at + leap.advance();
        if (to < last_coefficient) {
            at = to;
            before = bits;
            leap = table.leap(bits.word);
            bits.take(leap.length());
            to = at + leap.advance();
        }
        if (to < last_coefficient) {
            at = to;
            continue;
        }
        if (to == last_coefficient ||
            (to >= HuffmanTable::end_of_block && to < HuffmanTable::end_of_block + last_coefficient)) {
            return true;
        }
        // It was too long for the table, or led into the next block.
        bits = before;
        bits.refill();
        const auto step = table.step(bits.word);
        bits.take(step.length());
        at += step.advance();
        if (step.length() == 0 || at >= last_coefficient) {
            return step.length() > 0 && (at == last_coefficient || at >= HuffmanTable::end_of_block);
        }
    }
}

inline bool JpegSkim::read_block(Bits& bits, Component& c, std::int16_t* to) {
    bits.refill();
    auto step = c.dc_table->step(bits.word);
    if (step.length() == 0) {
        return false;
    }
    c.dc += static_cast<std::uint32_t>(step.value(bits.word));
    bits.take(step.length());
    to[0] = static_cast<std::int16_t>(c.dc);
    unsigned at = 0;
    while (at < c.last) {
        bits.refill();
        // One word holds two steps.
        for (int i = 0; i < 2 && at < c.last; ++i) {
            step = c.ac_table->step(bits.word);
            if (step.length() == 0) {
                return false;
            }
            at += step.advance();
            to[c.places[at]] = static_cast<std::int16_t>(step.value(bits.word));
            bits.take(step.length());
        }
    }
    if (at >= last_coefficient) {
        return at == last_coefficient || at >= HuffmanTable::end_of_block;
    }
    return leap(bits, *c.ac_table, at);
}

// The next `count` MCUs, at most mcus_at_once.
bool JpegSkim::read_mcus(std::size_t count) {
    Bits bits = bits_;
    for (std::size_t mcu = 0; mcu < count; ++mcu) {
        if (interval_ > 0 && before_restart_-- == 0) {
            bits_ = bits;
            if (!ends_with(static_cast<std::uint8_t>(first_restart + restart_))) {
                return false;
            }
            restart_ = (restart_ + 1) % 8;
            begin_segment();
            bits = bits_;
            --before_restart_;
        }
        if (bits.next > bytes_.safe()) {
            bits.next = bytes_.more(bits.next);
            if (bits.left(bytes_.end()) < 0) {
                return false;
            }
        }
        for (const Block& block : blocks_) {
            Component& c = components_[block.component];
            const std::size_t column = mcu * c.across + block.column;
            std::int16_t* const to =
                c.coefficients.get() + (block.row * c.across + column / idct_blocks) * c.tile;
            if (!read_block(bits, c, to + column % idct_blocks)) {
                return false;
            }
        }
    }
    bits_ = bits;
    return true;
}

// The MCUs that were read, the first of them with that number in its row.
void JpegSkim::transform(std::size_t first) {
    for (Component& c : components_) {
        for (std::size_t row = 0; row < c.down; ++row) {
            for (std::size_t i = 0; i < c.across && first * c.across + i * idct_blocks < mcus_ * c.across;
                 ++i) {
                idct(static_cast<int>(c.size), c.coefficients.get() + (row * c.across + i) * c.tile,
                     c.steps.data(),
                     c.band.data() + row * c.size * c.stride + (first * c.across + i * idct_blocks) * c.size,
                     c.stride);
            }
        }
    }
}

bool JpegSkim::next_band() {
    for (std::size_t first = 0; first < mcus_; first += mcus_at_once) {
        if (!read_mcus(std::min(mcus_at_once, mcus_ - first))) {
            return false;
        }
        transform(first);
    }
    --bands_left_;
    return bits_.left(bytes_.end()) >= 0;
}

bool JpegSkim::ends() {
    return ends_with(end_of_image);
}

}  // namespace media
