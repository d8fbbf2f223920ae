#include "core/picture/jpeg_huffman.h"

#include <algorithm>

namespace media {

namespace {

constexpr unsigned most_dc_bits = 11, most_ac_bits = 10;  // of values, where samples have 8 bits
constexpr unsigned coefficients = 64;

std::uint16_t leap_word(unsigned advance, unsigned length) {
    return static_cast<std::uint16_t>(advance << 8U | length);
}

constexpr unsigned no_leap = 255;

}  // namespace

std::optional<HuffmanTable> HuffmanTable::dc(std::span<const std::uint8_t, 17> counts,
                                             std::span<const std::uint8_t, 256> symbols) {
    HuffmanTable table;
    if (!table.assign(counts, symbols, [](std::uint8_t symbol) {
            return symbol <= most_dc_bits ? Symbol{symbol, 1} : Symbol{0, 0};
        })) {
        return std::nullopt;
    }
    if (std::any_of(table.codes_.begin(), table.codes_.end(),
                    [](const Code& code) { return code.symbol.advance == 0; })) {
        return std::nullopt;
    }
    table.make_steps();
    return table;
}

std::optional<HuffmanTable> HuffmanTable::ac(std::span<const std::uint8_t, 17> counts,
                                             std::span<const std::uint8_t, 256> symbols) {
    HuffmanTable table;
    if (!table.assign(counts, symbols, [](std::uint8_t symbol) {
            const unsigned size = symbol & 15U;
            const unsigned zeros = symbol >> 4U;
            if (size == 0 && zeros == 0) {
                return Symbol{0, end_of_block};
            }
            return size > most_ac_bits || (size == 0 && zeros != 15) ? Symbol{0, 0} : Symbol{size, zeros + 1};
        })) {
        return std::nullopt;
    }
    table.make_steps();
    table.make_leaps();
    return table;
}

bool HuffmanTable::assign(std::span<const std::uint8_t, 17> counts,
                          std::span<const std::uint8_t, 256> symbols, Symbol (*meaning)(std::uint8_t)) {
    std::uint32_t code = 0;
    for (unsigned length = 1; length <= 16; ++length) {
        first_[length] = static_cast<std::uint32_t>(codes_.size());
        for (unsigned i = 0; i < counts[length]; ++i) {
            const std::size_t place = codes_.size();
            if (place == symbols.size()) {
                return false;
            }
            codes_.push_back({code++, length, meaning(symbols[place])});
        }
        if (counts[length] > 0 && code >= 1U << length) {
            return false;  // no code may be all ones
        }
        end_[length] = code << (16 - length);
        code <<= 1U;
    }
    return true;
}

HuffmanTable::Step HuffmanTable::Code::step() const noexcept {
    return {symbol.advance == 0
                ? 0
                : symbol.size << 24U | length << 16U | symbol.advance << 8U | (length + symbol.size)};
}

void HuffmanTable::make_steps() {
    steps_.assign(std::size_t{1} << step_bits, 0);
    for (const Code& code : codes_) {
        if (code.length > step_bits) {
            break;
        }
        std::fill_n(steps_.begin() + (static_cast<std::ptrdiff_t>(code.bits) << (step_bits - code.length)),
                    std::ptrdiff_t{1} << (step_bits - code.length), code.step().word);
    }
}

// Longer codes than the table has, and bad ones.
HuffmanTable::Step HuffmanTable::slow(std::uint64_t bits) const noexcept {
    const auto next = static_cast<std::uint32_t>(bits >> 48U);
    for (unsigned length = step_bits + 1; length <= 16; ++length) {
        if (next < end_[length]) {
            // Codes of fewer bits are in the table: those that were found there have no meaning.
            return next < end_[length - 1]
                       ? Step{0}
                       : codes_[first_[length] + ((next - end_[length - 1]) >> (16 - length))].step();
        }
    }
    return {0};
}

// What fits into some bits is a symbol, and behind it what fits into the bits that are left.
void HuffmanTable::make_leaps() {
    std::array<std::vector<std::uint16_t>, leap_bits + 1> of;  // by number of bits; 0 where no code fits
    for (unsigned bits = 0; bits <= leap_bits; ++bits) {
        std::vector<std::uint16_t>& leaps = of[bits];
        leaps.assign(std::size_t{1} << bits, 0);
        for (const Code& code : codes_) {
            const unsigned advance = code.symbol.advance;
            if (code.length > bits) {
                break;
            }
            if (advance == 0) {
                continue;
            }
            const unsigned length = code.length + code.symbol.size;
            auto to = leaps.begin() + (static_cast<std::ptrdiff_t>(code.bits) << (bits - code.length));
            if (advance == end_of_block || length >= bits) {
                std::fill_n(to, std::ptrdiff_t{1} << (bits - code.length), leap_word(advance, length));
                continue;
            }
            for (unsigned value = 0; value < 1U << code.symbol.size; ++value) {
                for (const std::uint16_t more : of[bits - length]) {
                    const Leap next{more};
                    const bool fits = advance + next.advance() % end_of_block < coefficients;
                    *to++ = fits ? leap_word(advance + next.advance(), length + next.length())
                                 : leap_word(advance, length);
                }
            }
        }
    }
    leaps_ = std::move(of[leap_bits]);
    std::replace(leaps_.begin(), leaps_.end(), std::uint16_t{0}, leap_word(no_leap, 0));
}

}  // namespace media
