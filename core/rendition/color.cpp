#include "core/rendition/color.h"

#include <array>

#include "core/rendition/numbers.h"

namespace media {

namespace {

std::optional<unsigned> hex_digit(char c) noexcept {
    if (detail::is_digit(c)) {
        return static_cast<unsigned>(c - '0');
    }
    const char lower = static_cast<char>(c | 0x20);
    if (lower >= 'a' && lower <= 'f') {
        return static_cast<unsigned>(lower - 'a' + 10);
    }
    return std::nullopt;
}

}  // namespace

std::optional<Color> parse_color(std::string_view text) noexcept {
    const bool brief = text.size() == 3 || text.size() == 4;
    if (!brief && text.size() != 6 && text.size() != 8) {
        return std::nullopt;
    }
    std::array<std::uint8_t, 4> channels{0, 0, 0, 255};
    const std::size_t digits = brief ? 1 : 2;
    for (std::size_t i = 0; i < text.size() / digits; ++i) {
        const auto high = hex_digit(text[i * digits]);
        const auto low = hex_digit(text[i * digits + digits - 1]);
        if (!high || !low) {
            return std::nullopt;
        }
        channels[i] = static_cast<std::uint8_t>(*high * 16 + *low);
    }
    return Color{channels[0], channels[1], channels[2], channels[3]};
}

}  // namespace media
