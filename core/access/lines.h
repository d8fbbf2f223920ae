// Small files of lines, as people write them.
#pragma once

#include <algorithm>
#include <optional>
#include <string_view>

namespace media::detail {

/// Takes the next line off the front of `text`, without its end; nothing where there is none.
inline std::optional<std::string_view> next_line(std::string_view& text) noexcept {
    if (text.empty()) {
        return std::nullopt;
    }
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return line;
}

/// Without blanks around it, and without the carriage return of another system.
inline std::string_view stripped(std::string_view text) noexcept {
    constexpr std::string_view blanks = " \t\r";
    text.remove_prefix(std::min(text.find_first_not_of(blanks), text.size()));
    return text.substr(0, text.find_last_not_of(blanks) + 1);
}

}  // namespace media::detail
