#include "core/store/header_value.h"

#include <algorithm>

namespace media::detail {
namespace {

/// The rest of a quoted string, whose first quote is gone, taken off the front of `text`.
std::optional<std::string> take_quoted(std::string_view& text) {
    std::string value;
    while (!text.empty()) {
        char c = text.front();
        text.remove_prefix(1);
        if (c == '"') {
            return value;
        }
        if (c == '\\' && !text.empty()) {
            c = text.front();
            text.remove_prefix(1);
        }
        value += c;
    }
    return std::nullopt;
}

std::string_view take_until(std::string_view& text, char stop) noexcept {
    const std::string_view taken = text.substr(0, text.find(stop));
    text.remove_prefix(taken.size());
    return trimmed(taken);
}

}  // namespace

const std::string* HeaderValue::find(std::string_view name) const noexcept {
    const auto found = std::find_if(parameters.begin(), parameters.end(),
                                    [&](const auto& pair) { return pair.first == name; });
    return found == parameters.end() ? nullptr : &found->second;
}

std::string_view trimmed(std::string_view text) noexcept {
    while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) {
        text.remove_prefix(1);
    }
    while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) {
        text.remove_suffix(1);
    }
    return text;
}

std::string lower_case(std::string_view text) {
    std::string lower{text};
    for (char& c : lower) {
        if (c >= 'A' && c <= 'Z') {
            c = static_cast<char>(c + ('a' - 'A'));
        }
    }
    return lower;
}

std::optional<HeaderValue> parse_header_value(std::string_view text) {
    HeaderValue parsed;
    parsed.value = lower_case(take_until(text, ';'));
    if (parsed.value.empty()) {
        return std::nullopt;
    }
    while (!text.empty()) {
        text.remove_prefix(1);  // the semicolon
        text = trimmed(text);
        if (text.empty() || text.front() == ';') {
            continue;
        }
        const std::size_t equals = text.find('=');
        if (equals == std::string_view::npos) {
            return std::nullopt;
        }
        std::string name = lower_case(trimmed(text.substr(0, equals)));
        if (name.empty() || name.find_first_of(";\" \t") != std::string::npos ||
            parsed.find(name) != nullptr) {
            return std::nullopt;
        }
        text = trimmed(text.substr(equals + 1));
        std::string value;
        if (text.starts_with('"')) {
            text.remove_prefix(1);
            std::optional<std::string> quoted = take_quoted(text);
            text = trimmed(text);
            if (!quoted || (!text.empty() && text.front() != ';')) {
                return std::nullopt;
            }
            value = std::move(*quoted);
        } else {
            value = take_until(text, ';');
        }
        parsed.parameters.emplace_back(std::move(name), std::move(value));
    }
    return parsed;
}

}  // namespace media::detail
