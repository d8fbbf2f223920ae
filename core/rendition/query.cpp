#include "core/rendition/query.h"

#include "core/rendition/numbers.h"

namespace media::detail {
namespace {

/// 0-15, or -1.
int hex_value(char c) noexcept {
    if (is_digit(c)) {
        return c - '0';
    }
    const char lower = static_cast<char>(c | 0x20);
    return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

bool is_control(char c) noexcept {
    const auto byte = static_cast<unsigned char>(c);
    return byte < 0x20 || byte == 0x7F;
}

bool is_unreserved(char c) noexcept {
    const char lower = static_cast<char>(c | 0x20);
    return is_digit(c) || (lower >= 'a' && lower <= 'z') || c == '-' || c == '.' || c == '_' || c == '~';
}

}  // namespace

std::optional<Pair> next_pair(std::string_view& query) noexcept {
    while (query.starts_with('&')) {
        query.remove_prefix(1);
    }
    if (query.empty()) {
        return std::nullopt;
    }
    const std::string_view text = query.substr(0, query.find('&'));
    query.remove_prefix(text.size());
    const std::size_t equals = text.find('=');
    if (equals == std::string_view::npos) {
        return Pair{text, {}};
    }
    return Pair{text.substr(0, equals), text.substr(equals + 1)};
}

std::optional<std::string_view> percent_decode(std::string_view text, std::string& scratch) {
    std::size_t plain = 0;
    while (plain < text.size() && text[plain] != '%') {
        if (is_control(text[plain])) {
            return std::nullopt;
        }
        ++plain;
    }
    if (plain == text.size()) {
        return text;
    }
    scratch.assign(text.substr(0, plain));
    for (std::size_t i = plain; i < text.size(); ++i) {
        char c = text[i];
        if (c == '%') {
            const int high = i + 2 < text.size() ? hex_value(text[i + 1]) : -1;
            const int low = i + 2 < text.size() ? hex_value(text[i + 2]) : -1;
            if (high < 0 || low < 0) {
                return std::nullopt;
            }
            c = static_cast<char>(high * 16 + low);
            i += 2;
        }
        if (is_control(c)) {
            return std::nullopt;
        }
        scratch += c;
    }
    return std::string_view(scratch);
}

void append_encoded(std::string& out, std::string_view text) {
    static constexpr char digits[] = "0123456789ABCDEF";
    for (const char c : text) {
        if (is_unreserved(c)) {
            out += c;
        } else {
            out += '%';
            out += digits[static_cast<unsigned char>(c) >> 4];
            out += digits[static_cast<unsigned char>(c) & 0xF];
        }
    }
}

}  // namespace media::detail
