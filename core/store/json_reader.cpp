#include "core/store/json_reader.h"

#include <utility>

#include "core/store/body_guard.h"

namespace media::detail {
namespace {

constexpr std::size_t longest_name = 64;

[[noreturn]] void malformed() {
    throw BadBody{"the body is not JSON"};
}

constexpr bool is_space(char c) noexcept {
    return c == ' ' || c == '\t' || c == '\n' || c == '\r';
}

}  // namespace

void JsonReader::feed(std::string_view text) {
    while (!text.empty()) {
        if (at_ == At::string) {
            text = string(text);
        } else {
            sign(text.front());
            text.remove_prefix(1);
        }
    }
}

void JsonReader::finish() const {
    if (at_ != At::after_value || !open_.empty()) {
        throw BadBody{"the body is not JSON: it ends too early"};
    }
}

void JsonReader::sign(char c) {
    switch (at_) {
        case At::escape:
            return escape(c);
        case At::hex:
            return hex(c);
        case At::low_surrogate:
        case At::low_escape:
            if (c != (at_ == At::low_surrogate ? '\\' : 'u')) {
                malformed();
            }
            at_ = at_ == At::low_surrogate ? At::low_escape : At::hex;
            return;
        case At::literal:
            if (c != literal_.front()) {
                malformed();
            }
            literal_.remove_prefix(1);
            if (literal_.empty()) {
                at_ = At::after_value;
                handler_.boolean(truth_);
            }
            return;
        default:
            break;
    }
    if (is_space(c)) {
        return;
    }
    switch (at_) {
        case At::first_member:
        case At::member:
            if (c == '}' && at_ == At::first_member) {
                return close(c);
            }
            if (c != '"') {
                malformed();
            }
            return begin_text(true);
        case At::colon:
            if (c != ':') {
                malformed();
            }
            at_ = At::value;
            return;
        case At::after_value:
            return after_value(c);
        default:
            return value(c);
    }
}

void JsonReader::value(char c) {
    switch (c) {
        case ']':
            if (at_ != At::first_value) {
                malformed();
            }
            return close(c);
        case '{':
            open_ += '}';
            at_ = At::first_member;
            return handler_.begin_object();
        case '[':
            open_ += ']';
            at_ = At::first_value;
            return handler_.begin_array();
        case '"':
            return begin_text(false);
        case 't':
        case 'f':
            truth_ = c == 't';
            literal_ = truth_ ? "rue" : "alse";
            at_ = At::literal;
            return;
        default:
            if (c == 'n' || c == '-' || (c >= '0' && c <= '9')) {
                handler_.other();
            }
            malformed();
    }
}

void JsonReader::after_value(char c) {
    if (open_.empty()) {
        throw BadBody{"the body is not JSON: something follows it"};
    }
    if (c == open_.back()) {
        return close(c);
    }
    if (c != ',') {
        malformed();
    }
    at_ = open_.back() == '}' ? At::member : At::value;
}

void JsonReader::close(char closing) {
    open_.pop_back();
    at_ = At::after_value;
    closing == '}' ? handler_.end_object() : handler_.end_array();
}

void JsonReader::begin_text(bool name) {
    at_ = At::string;
    in_name_ = name;
    name_.clear();
    if (!name) {
        handler_.begin_string();
    }
}

/// Up to the next quote or escape.
std::string_view JsonReader::string(std::string_view text) {
    const auto is_plain = [](char c) {
        return c != '"' && c != '\\' && static_cast<unsigned char>(c) >= 0x20;
    };
    std::size_t plain = 0;
    while (plain < text.size() && is_plain(text[plain])) {
        ++plain;
    }
    this->text(text.substr(0, plain));
    if (plain == text.size()) {
        return {};
    }
    if (text[plain] == '"') {
        end_text();
    } else if (text[plain] == '\\') {
        at_ = At::escape;
    } else {
        malformed();
    }
    return text.substr(plain + 1);
}

void JsonReader::text(std::string_view piece) {
    if (piece.empty()) {
        return;
    }
    if (!in_name_) {
        handler_.text(piece);
    } else if (name_.size() < longest_name) {
        name_ += piece.substr(0, longest_name - name_.size());
    }
}

void JsonReader::end_text() {
    if (in_name_) {
        at_ = At::colon;
        handler_.member(name_);
    } else {
        at_ = At::after_value;
        handler_.end_string();
    }
}

void JsonReader::escape(char c) {
    constexpr std::string_view signs = "\"\\/bfnrt";
    constexpr std::string_view meant = "\"\\/\b\f\n\r\t";
    if (c == 'u') {
        at_ = At::hex;
        return;
    }
    const std::size_t found = signs.find(c);
    if (found == signs.npos) {
        malformed();
    }
    at_ = At::string;
    text(meant.substr(found, 1));
}

void JsonReader::hex(char c) {
    const char lower = static_cast<char>(c | 0x20);
    const bool digit = c >= '0' && c <= '9';
    if (!digit && !(lower >= 'a' && lower <= 'f')) {
        malformed();
    }
    code_ = code_ * 16 + static_cast<std::uint32_t>(digit ? c - '0' : lower - 'a' + 10);
    if (++digits_ < 4) {
        return;
    }
    const std::uint32_t code = std::exchange(code_, 0);
    digits_ = 0;
    const bool low = code >= 0xDC00 && code < 0xE000;
    if (low != (high_ != 0)) {  // half a pair stands for no character
        malformed();
    }
    at_ = At::string;
    if (low) {
        character(0x10000 + ((std::exchange(high_, 0) - 0xD800) << 10U) + (code - 0xDC00));
    } else if (code >= 0xD800 && code < 0xDC00) {
        high_ = code;
        at_ = At::low_surrogate;
    } else {
        character(code);
    }
}

void JsonReader::character(std::uint32_t code) {
    std::string utf8;
    const auto tail = [&](unsigned shift) { utf8 += static_cast<char>(0x80U | (code >> shift & 0x3FU)); };
    if (code < 0x80) {
        utf8 += static_cast<char>(code);
    } else if (code < 0x800) {
        utf8 += static_cast<char>(0xC0U | code >> 6U);
        tail(0);
    } else if (code < 0x10000) {
        utf8 += static_cast<char>(0xE0U | code >> 12U);
        tail(6);
        tail(0);
    } else {
        utf8 += static_cast<char>(0xF0U | code >> 18U);
        tail(12);
        tail(6);
        tail(0);
    }
    text(utf8);
}

}  // namespace media::detail
