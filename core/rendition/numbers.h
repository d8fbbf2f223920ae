// Numbers of a query: a strict grammar, exact rounding, no locale.
#pragma once

#include <charconv>
#include <cmath>
#include <cstdint>
#include <optional>
#include <string_view>

namespace media::detail {

inline constexpr std::int64_t million = 1'000'000;

/// No side, no radius is longer once `dpr` is in it.
inline constexpr int max_device_pixels = 65535;

constexpr bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

/// Digits only.
inline std::optional<std::uint64_t> parse_unsigned(std::string_view text) noexcept {
    std::uint64_t value = 0;
    const auto [end, problem] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (problem != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

/// Digits, then possibly a point and more digits: no sign, no exponent.
inline std::optional<double> parse_decimal(std::string_view text) noexcept {
    bool point = false;
    for (std::size_t i = 0; i < text.size(); ++i) {
        if (text[i] == '.' && !point && i > 0 && i + 1 < text.size()) {
            point = true;
        } else if (!is_digit(text[i])) {
            return std::nullopt;
        }
    }
    double value = 0;
    const auto [end, problem] =
        std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
    if (problem != std::errc{} || end != text.data() + text.size()) {
        return std::nullopt;
    }
    return value;
}

/// `value` in millionths, to which decimals are rounded: sizes are then computed in integers, and a cache
/// key does not hold digits that nobody can see.
inline std::int64_t millionths(double value) noexcept {
    return std::llround(value * static_cast<double>(million));
}

inline double to_millionths(double value) noexcept {
    return static_cast<double>(millionths(value)) / static_cast<double>(million);
}

/// a * b / c rounded half up; none is negative, c is positive, and 2ab + c is below 2^63.
constexpr std::int64_t scale_half_up(std::int64_t a, std::int64_t b, std::int64_t c) noexcept {
    return (2 * a * b + c) / (2 * c);
}

}  // namespace media::detail
