// Header fields of the shape `form-data; name="a"; filename="b"`.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace media::detail {

/// A value and its parameters, names and value in lower case.
struct HeaderValue {
    std::string value;
    std::vector<std::pair<std::string, std::string>> parameters;

    const std::string* find(std::string_view name) const noexcept;
};

/// RFC 2045, section 5.1, but forgiving where senders are known to be careless: an unquoted parameter goes up
/// to the next semicolon. Nothing for text that is malformed or repeats a parameter.
std::optional<HeaderValue> parse_header_value(std::string_view text);

/// Without spaces and tabs at either end.
std::string_view trimmed(std::string_view text) noexcept;

/// ASCII only, whatever the locale.
std::string lower_case(std::string_view text);

}  // namespace media::detail
