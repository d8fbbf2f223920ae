#include "core/base/base64.h"

#include <algorithm>
#include <array>

namespace media {
namespace {

constexpr std::string_view alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
constexpr std::uint8_t no_digit = 0xFF;

constexpr std::array<std::uint8_t, 256> values_of_digits() {
    std::array<std::uint8_t, 256> values{};
    values.fill(no_digit);
    for (std::size_t i = 0; i < alphabet.size(); ++i) {
        values[static_cast<unsigned char>(alphabet[i])] = static_cast<std::uint8_t>(i);
    }
    values['-'] = 62;
    values['_'] = 63;
    return values;
}

constexpr std::array<std::uint8_t, 256> value_of = values_of_digits();

}  // namespace

std::string base64(ByteView bytes) {
    std::string out;
    for (std::size_t i = 0; i < bytes.size(); i += 3) {
        const std::size_t count = std::min<std::size_t>(3, bytes.size() - i);
        unsigned group = 0;
        for (std::size_t k = 0; k < 3; ++k) {
            group = group << 8U | (k < count ? bytes[i + k] : 0U);
        }
        for (std::size_t k = 0; k < 4; ++k) {
            out += k <= count ? alphabet[group >> (18 - 6 * k) & 0x3FU] : '=';
        }
    }
    return out;
}

bool Base64Decoder::feed(std::string_view text, std::vector<std::uint8_t>& out) {
    while (!text.empty()) {
        if (digits_ == 0 && padding_ == 0) {  // whole groups, which is nearly all there is
            while (text.size() >= 4) {
                const std::uint8_t a = value_of[static_cast<unsigned char>(text[0])];
                const std::uint8_t b = value_of[static_cast<unsigned char>(text[1])];
                const std::uint8_t c = value_of[static_cast<unsigned char>(text[2])];
                const std::uint8_t d = value_of[static_cast<unsigned char>(text[3])];
                if ((a | b | c | d) == no_digit) {
                    break;
                }
                out.push_back(static_cast<std::uint8_t>(a << 2U | b >> 4U));
                out.push_back(static_cast<std::uint8_t>(b << 4U | c >> 2U));
                out.push_back(static_cast<std::uint8_t>(c << 6U | d));
                text.remove_prefix(4);
            }
            if (text.empty()) {
                break;
            }
        }
        const char sign = text.front();
        text.remove_prefix(1);
        if (sign == '=') {
            ++padding_;
            if (digits_ < 2 || digits_ + padding_ > 4) {
                return false;
            }
            continue;
        }
        const std::uint8_t value = value_of[static_cast<unsigned char>(sign)];
        if (value == no_digit || padding_ > 0) {
            return false;
        }
        bits_ = (bits_ << 6U | value) & 0xFFFU;
        digits_ = (digits_ + 1) % 4;
        if (digits_ != 1) {  // 12, 10, 8 bits at hand: the second, third, fourth digit completes a byte
            out.push_back(static_cast<std::uint8_t>(bits_ >> (digits_ == 0 ? 0U : 8 - 2 * digits_) & 0xFFU));
        }
    }
    return true;
}

bool Base64Decoder::finish() noexcept {
    const std::uint32_t rest = digits_ == 2 ? bits_ & 0xFU : digits_ == 3 ? bits_ & 0x3U : 0;
    const bool whole = digits_ != 1 && rest == 0 && (padding_ == 0 || digits_ + padding_ == 4);
    *this = {};
    return whole;
}

}  // namespace media
