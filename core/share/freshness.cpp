#include "core/share/freshness.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace media {

namespace {

constexpr std::int32_t longest = std::numeric_limits<std::int32_t>::max();  // RFC 9111, section 1.2.2

constexpr std::array<std::string_view, 12> month_names{"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                       "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

std::string_view trimmed(std::string_view text) noexcept {
    const auto first = text.find_first_not_of(" \t");
    if (first == std::string_view::npos) {
        return {};
    }
    return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

// Of those that `shareable` lets pass.
constexpr std::array<std::string_view, 8> harmless_fields{"accept", "accept-encoding", "origin", "sec-ch-dpr",
                                                          "dpr",    "sec-ch-width",    "width",  "save-data"};

bool same(std::string_view text, std::string_view lower) noexcept {
    return text.size() == lower.size() &&
           std::equal(text.begin(), text.end(), lower.begin(),
                      [](char a, char b) { return (a >= 'A' && a <= 'Z' ? a + ('a' - 'A') : a) == b; });
}

// The next member of a list, quoted strings whole; `list` is left with the rest.
std::string_view next_member(std::string_view& list) noexcept {
    bool quoted = false;
    std::size_t end = 0;
    for (; end < list.size() && (quoted || list[end] != ','); ++end) {
        if (list[end] == '"') {
            quoted = !quoted;
        } else if (quoted && list[end] == '\\' && end + 1 < list.size()) {
            ++end;
        }
    }
    const std::string_view member = trimmed(list.substr(0, end));
    list.remove_prefix(std::min(end + 1, list.size()));
    return member;
}

// Seconds as a token or, as some send it, a quoted string. Nothing for what is no such number.
std::optional<std::int32_t> delta_seconds(std::string_view text) noexcept {
    if (text.size() >= 2 && text.front() == '"' && text.back() == '"') {
        text = text.substr(1, text.size() - 2);
    }
    if (text.empty() || !std::all_of(text.begin(), text.end(), [](char c) { return c >= '0' && c <= '9'; })) {
        return std::nullopt;
    }
    std::int32_t seconds = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), seconds);
    return error == std::errc{} ? seconds : longest;
}

std::int32_t clamped(time_t seconds) noexcept {
    return static_cast<std::int32_t>(std::clamp<time_t>(seconds, 0, longest));
}

/// Reads a date from left to right; a mismatch shows in `good`.
class DateReader {
  public:
    explicit DateReader(std::string_view text) noexcept : rest_(text) {}

    void skip(std::string_view literal) noexcept {
        good = good && rest_.starts_with(literal);
        rest_.remove_prefix(good ? literal.size() : 0);
    }
    int number(std::size_t digits) noexcept {
        int value = 0;
        good = good && rest_.size() >= digits;
        for (std::size_t i = 0; good && i < digits; ++i) {
            good = rest_[i] >= '0' && rest_[i] <= '9';
            value = value * 10 + (rest_[i] - '0');
        }
        rest_.remove_prefix(good ? digits : 0);
        return value;
    }
    int month() noexcept {
        const auto* const found = std::find(month_names.begin(), month_names.end(), rest_.substr(0, 3));
        good = good && found != month_names.end();
        rest_.remove_prefix(good ? 3 : 0);
        return static_cast<int>(found - month_names.begin());
    }
    void time(std::tm& to) noexcept {
        to.tm_hour = number(2);
        skip(":");
        to.tm_min = number(2);
        skip(":");
        to.tm_sec = number(2);
    }
    bool at_space() const noexcept { return rest_.starts_with(' '); }
    bool ended() const noexcept { return good && rest_.empty(); }

    bool good = true;

  private:
    std::string_view rest_;
};

}  // namespace

Lifetimes lifetimes(const AnswerFields& fields, time_t now) noexcept {
    Lifetimes told;
    std::optional<std::int32_t> own;
    std::optional<std::int32_t> shared;
    std::string_view rest = fields.cache_control;
    while (!rest.empty()) {
        const std::string_view word = next_member(rest);
        const std::size_t equals = std::min(word.find('='), word.size());
        const std::string_view name = trimmed(word.substr(0, equals));
        const std::string_view value = trimmed(word.substr(std::min(equals + 1, word.size())));
        if (same(name, "no-store") || same(name, "private")) {
            told.keep = false;
        } else if (same(name, "no-cache")) {
            shared = 0;
        } else if (same(name, "must-revalidate") || same(name, "proxy-revalidate")) {
            told.must_revalidate = true;
        } else if (same(name, "s-maxage")) {
            shared = std::min(shared.value_or(longest), delta_seconds(value).value_or(0));
        } else if (same(name, "max-age")) {
            own = std::min(own.value_or(longest), delta_seconds(value).value_or(0));
        } else if (same(name, "stale-while-revalidate")) {
            told.while_revalidate = static_cast<std::uint32_t>(delta_seconds(value).value_or(0));
        } else if (same(name, "stale-if-error")) {
            told.if_error = static_cast<std::uint32_t>(delta_seconds(value).value_or(0));
        }
    }
    if (shared || own) {
        told.fresh = shared ? *shared : *own;
    } else if (!fields.expires.empty()) {
        const auto end = http_date(fields.expires);
        told.fresh = end ? clamped(*end - http_date(fields.date).value_or(now)) : 0;
    }
    if (told.states()) {
        told.must_revalidate = told.must_revalidate || told.fresh == 0;
        told.fresh = clamped(time_t{told.fresh} - time_t{age_of(fields.age)});
    }
    return told;
}

std::uint32_t age_of(std::string_view age) noexcept {
    return static_cast<std::uint32_t>(delta_seconds(next_member(age)).value_or(0));
}

std::string shortened(std::string_view cache_control, std::uint32_t most, std::uint32_t age) {
    std::string kept;
    bool stored = true;
    std::int64_t seconds = most;
    while (!cache_control.empty()) {
        const std::string_view member = next_member(cache_control);
        const std::size_t equals = std::min(member.find('='), member.size());
        const std::string_view name = trimmed(member.substr(0, equals));
        if (same(name, "max-age") || same(name, "s-maxage")) {
            const auto said = delta_seconds(trimmed(member.substr(std::min(equals + 1, member.size()))));
            seconds = std::clamp<std::int64_t>(std::int64_t{said.value_or(0)} - age, 0, seconds);
        } else if (!same(name, "immutable") && !same(name, "stale-while-revalidate") &&
                   !same(name, "stale-if-error") && !member.empty()) {
            stored = stored && !same(name, "no-store");
            kept += (kept.empty() ? "" : ", ");
            kept += member;
        }
    }
    if (stored) {
        kept += (kept.empty() ? "" : ", ");
        kept += "max-age=" + std::to_string(seconds);
    }
    return kept;
}

std::optional<time_t> http_date(std::string_view text) noexcept {
    const std::size_t comma = text.find(',');
    std::tm when{};
    int year = 0;
    DateReader in{
        text.substr(comma == std::string_view::npos ? std::min<std::size_t>(text.size(), 3) : comma + 1)};
    in.skip(" ");
    if (comma == std::string_view::npos) {  // asctime: "Sun Nov  6 08:49:37 1994"
        when.tm_mon = in.month();
        in.skip(" ");
        const bool padded = in.at_space();
        in.skip(padded ? " " : "");
        when.tm_mday = in.number(padded ? 1 : 2);
        in.skip(" ");
        in.time(when);
        in.skip(" ");
        year = in.number(4);
    } else {
        const bool long_form = comma == 3;  // "Sun, 06 Nov 1994 08:49:37 GMT", else "Sunday, 06-Nov-94 ..."
        const std::string_view between = long_form ? " " : "-";
        when.tm_mday = in.number(2);
        in.skip(between);
        when.tm_mon = in.month();
        in.skip(between);
        year = in.number(long_form ? 4 : 2);
        if (!long_form) {
            year += year < 70 ? 2000 : 1900;
        }
        in.skip(" ");
        in.time(when);
        in.skip(" GMT");
    }
    const bool sound = in.ended() && year >= 1900 && when.tm_mday >= 1 && when.tm_mday <= 31 &&
                       when.tm_hour <= 23 && when.tm_min <= 59 && when.tm_sec <= 60;
    if (!sound) {
        return std::nullopt;
    }
    when.tm_year = year - 1900;
    return timegm(&when);
}

bool shareable(std::string_view vary) noexcept {
    while (!vary.empty()) {
        const std::string_view name = next_member(vary);
        const auto is = [name](std::string_view harmless) { return same(name, harmless); };
        if (!name.empty() && std::none_of(harmless_fields.begin(), harmless_fields.end(), is)) {
            return false;
        }
    }
    return true;
}

bool strong_tag(std::string_view etag) noexcept {
    return etag.size() >= 2 && etag.front() == '"' && etag.back() == '"';
}

}  // namespace media
