// Huffman tables of a sequential JPEG (ITU-T T.81, annexes C and F), made for passing quickly over what is
// not wanted.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace media {

/// Canonical codes of up to 16 bits, each with the bits that follow it. Every look-up takes the bits to come
/// in the high end of a word, `most_bits` of them at least.
class HuffmanTable {
  public:
    /// What one step may take: a code and a value.
    static constexpr unsigned most_bits = 27;
    /// The advance of the symbol that ends a block. Larger than any sum of others.
    static constexpr unsigned end_of_block = 128;

    /// Of a DHT segment: how many codes there are of 1 to 16 bits, at these places, and all their symbols.
    /// DC: a symbol is the size of a difference, at most 11 bits. Nothing where that is not so, or codes are
    /// more than their bits can tell apart.
    static std::optional<HuffmanTable> dc(std::span<const std::uint8_t, 17> counts,
                                          std::span<const std::uint8_t, 256> symbols);
    /// AC: zeros before a coefficient, and its size. Symbols that have no meaning are taken for none.
    static std::optional<HuffmanTable> ac(std::span<const std::uint8_t, 17> counts,
                                          std::span<const std::uint8_t, 256> symbols);

    /// One symbol, and how to find its value.
    struct Step {
        std::uint32_t word;

        /// Bits that it takes with its value; 0 where they stand for nothing.
        unsigned length() const noexcept { return word & 0x3FU; }
        /// By how many coefficients it leads on.
        unsigned advance() const noexcept { return word >> 8U & 0xFFU; }
        /// The difference, or the coefficient, of the bits that the step was found by.
        int value(std::uint64_t bits) const noexcept {
            const unsigned size = word >> 24U;
            const std::uint64_t value = bits << (word >> 16U & 0x3FU);
            // T.81, F.2.2.1: a value that does not begin with a one is negative. Two shifts, for sizes of 0.
            const int below = static_cast<std::int64_t>(value) < 0 ? 0 : (1 << size) - 1;
            return static_cast<int>(value >> 1U >> (63U - size)) - below;
        }
    };
    Step step(std::uint64_t bits) const noexcept {
        const Step known{steps_[bits >> (64 - step_bits)]};
        return known.length() > 0 ? known : slow(bits);
    }

    /// Several symbols at once, whose values nobody wants.
    struct Leap {
        std::uint16_t word;

        /// By how many coefficients they lead on; the end of the block counts as `end_of_block`. More than
        /// there can be, and no length: only step() leads on.
        unsigned advance() const noexcept { return word >> 8U; }
        /// At most `most_bits`.
        unsigned length() const noexcept { return word & 0x3FU; }
    };
    /// Of an AC table.
    Leap leap(std::uint64_t bits) const noexcept { return {leaps_[bits >> (64 - leap_bits)]}; }

  private:
    static constexpr unsigned step_bits = 9;
    static constexpr unsigned leap_bits = 12;

    // `advance` is 0 of a symbol that has no meaning.
    struct Symbol {
        unsigned size, advance;
    };
    struct Code {
        std::uint32_t bits;
        unsigned length;
        Symbol symbol;

        Step step() const noexcept;
    };

    bool assign(std::span<const std::uint8_t, 17> counts, std::span<const std::uint8_t, 256> symbols,
                Symbol (*meaning)(std::uint8_t));
    Step slow(std::uint64_t bits) const noexcept;
    void make_steps();
    void make_leaps();

    std::vector<Code> codes_;                // by length, and by bits among these
    std::array<std::uint32_t, 17> end_{};    // by length: behind the last code so long, in 16 bits
    std::array<std::uint32_t, 17> first_{};  // by length: the first such code's place among all
    std::vector<std::uint32_t> steps_;
    std::vector<std::uint16_t> leaps_;
};

}  // namespace media
