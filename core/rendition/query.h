// A query string's outer grammar: pairs and percent-encoding (RFC 3986, section 2.1).
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace media::detail {

/// A pair as it stands in a query, still encoded. Without '=' the value is empty.
struct Pair {
    std::string_view name;
    std::string_view value;
};

/// Takes the next pair off the front of `query`, passing over empty ones; nothing at the end.
std::optional<Pair> next_pair(std::string_view& query) noexcept;

/// `text` decoded; '+' stays '+'. A view of `text` itself where nothing is escaped, else of `scratch`.
/// Nothing where an escape is malformed or a control character comes out.
std::optional<std::string_view> percent_decode(std::string_view text, std::string& scratch);

/// Appends `text` with everything but unreserved characters escaped, in upper case.
void append_encoded(std::string& out, std::string_view text);

}  // namespace media::detail
