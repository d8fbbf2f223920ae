// What an Accept header names.
#include <algorithm>

#include "core/rendition/header_text.h"
#include "core/rendition/numbers.h"
#include "core/rendition/parameter.h"

namespace media::detail {
namespace {

/// Takes what stands before the next `separator` off the front; separators in quotes do not count.
std::string_view take(std::string_view& text, char separator) noexcept {
    bool quoted = false;
    std::size_t at = 0;
    for (; at < text.size() && (quoted || text[at] != separator); ++at) {
        if (text[at] == '"') {
            quoted = !quoted;
        } else if (quoted && text[at] == '\\' && at + 1 < text.size()) {
            ++at;
        }
    }
    const std::string_view taken = text.substr(0, at);
    text.remove_prefix(std::min(at + 1, text.size()));
    return trimmed(taken);
}

/// Whether the parameters of a media range leave it acceptable: a weight, if any, is a number above 0.
bool acceptable(std::string_view parameters) noexcept {
    while (!parameters.empty()) {
        std::string_view parameter = take(parameters, ';');
        const std::string_view name = take(parameter, '=');
        if (same_word(name, "q")) {
            const auto weight = parse_decimal(parameter);
            return weight && *weight > 0;
        }
    }
    return true;
}

}  // namespace

std::vector<Format> negotiate(std::string_view accept, std::span<const Format> preferred) {
    FormatSet named;
    while (!accept.empty()) {
        std::string_view range = take(accept, ',');
        const std::string_view type = take(range, ';');
        for (const FormatInfo& row : formats()) {
            if (same_word(type, row.mime) && acceptable(range)) {
                named.add(row.format);
            }
        }
    }
    std::vector<Format> chosen;
    for (const Format format : preferred) {
        if (named.has(format) && info(format).output && buildable_formats().has(format)) {
            chosen.push_back(format);
        }
    }
    return chosen;
}

}  // namespace media::detail
