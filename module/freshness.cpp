#include "module/freshness.h"

#include <algorithm>
#include <charconv>

#include "module/ngx.h"

namespace media {

namespace {

std::string_view trimmed(std::string_view text) noexcept {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

bool same(std::string_view text, std::string_view lower) noexcept {
    return text.size() == lower.size() &&
           std::equal(text.begin(), text.end(), lower.begin(),
                      [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b; });
}

}  // namespace

std::optional<time_t> stated_lifetime(std::string_view cache_control, std::string_view expires,
                                      time_t now) noexcept {
    std::optional<time_t> max_age;
    std::optional<time_t> shared_age;
    while (!cache_control.empty()) {
        const std::size_t comma = std::min(cache_control.find(','), cache_control.size());
        const std::string_view word = trimmed(cache_control.substr(0, comma));
        cache_control.remove_prefix(std::min(comma + 1, cache_control.size()));

        const std::size_t equals = std::min(word.find('='), word.size());
        const std::string_view name = trimmed(word.substr(0, equals));
        if (same(name, "no-store") || same(name, "no-cache") || same(name, "private")) {
            return 0;
        }
        const bool shared = same(name, "s-maxage");
        if (equals == word.size() || (!shared && !same(name, "max-age"))) {
            continue;
        }
        std::string_view number = trimmed(word.substr(equals + 1));
        if (number.size() >= 2 && number.front() == '"' && number.back() == '"') {
            number = number.substr(1, number.size() - 2);
        }
        long long seconds = 0;
        const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), seconds);
        // Nonsense is stale at once (RFC 9111, section 4.2.1).
        const bool sound = error == std::errc{} && end == number.data() + number.size() && seconds >= 0;
        (shared ? shared_age : max_age) =
            sound ? static_cast<time_t>(std::min(seconds, 31'536'000'000LL)) : 0;
    }
    if (shared_age) {
        return shared_age;
    }
    if (max_age) {
        return max_age;
    }
    if (expires.empty()) {
        return std::nullopt;
    }
    const time_t date =
        ngx_parse_http_time(reinterpret_cast<u_char*>(const_cast<char*>(expires.data())), expires.size());
    return date == NGX_ERROR ? 0 : std::max<time_t>(date - now, 0);
}

bool shareable(std::string_view vary) noexcept {
    while (!vary.empty()) {
        const std::size_t comma = std::min(vary.find(','), vary.size());
        const std::string_view name = trimmed(vary.substr(0, comma));
        vary.remove_prefix(std::min(comma + 1, vary.size()));
        if (!name.empty() && !same(name, "accept") && !same(name, "accept-encoding") &&
            !same(name, "origin")) {
            return false;
        }
    }
    return true;
}

}  // namespace media
