#include "core/access/target.h"

#include <algorithm>
#include <charconv>

namespace media {

namespace {

constexpr std::uint16_t http_port = 80;
constexpr std::uint16_t https_port = 443;

Error malformed(std::string_view why) {
    return Error{400, "this is no URL of an original: " + std::string{why}};
}

Error refused(std::string_view why) {
    return Error{403, "originals are not fetched from there: " + std::string{why}};
}

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_digit(char c) noexcept {
    return c >= '0' && c <= '9';
}

bool is_letter(char c) noexcept {
    return lower(c) >= 'a' && lower(c) <= 'z';
}

bool is_hex(char c) noexcept {
    return is_digit(c) || (lower(c) >= 'a' && lower(c) <= 'f');
}

std::string lower(std::string_view text) {
    std::string lowered{text};
    std::transform(lowered.begin(), lowered.end(), lowered.begin(), [](char c) { return lower(c); });
    return lowered;
}

/// The scheme in front of a colon, or nothing where there is none (RFC 3986, section 3.1).
std::optional<std::string_view> scheme_of(std::string_view url) noexcept {
    const std::size_t colon = url.find_first_of(":/?#");
    if (colon == std::string_view::npos || url[colon] != ':' || colon == 0 || !is_letter(url[0])) {
        return std::nullopt;
    }
    const std::string_view scheme = url.substr(0, colon);
    const bool plain = std::all_of(scheme.begin(), scheme.end(), [](char c) {
        return is_letter(c) || is_digit(c) || c == '+' || c == '-' || c == '.';
    });
    return plain ? std::optional{scheme} : std::nullopt;
}

// What some reader of URLs would drop, or take for a slash.
bool misleads(std::string_view url) noexcept {
    return std::any_of(url.begin(), url.end(), [](char c) {
        const auto byte = static_cast<unsigned char>(c);
        return byte < 0x20 || byte == 0x7f || c == '\\';
    });
}

std::optional<std::uint16_t> parse_port(std::string_view text) noexcept {
    std::uint16_t port = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
    const bool whole = error == std::errc{} && end == text.data() + text.size();
    return whole && port != 0 && text.front() != '0' ? std::optional{port} : std::nullopt;
}

bool is_name(std::string_view host) noexcept {
    if (host.empty() || host.size() > 253) {
        return false;
    }
    std::size_t label = 0;
    for (const char c : host) {
        if (c == '.' ? label == 0 : !is_letter(c) && !is_digit(c) && c != '-' && c != '_') {
            return false;
        }
        label = c == '.' ? 0 : label + 1;
        if (label > 63) {
            return false;
        }
    }
    return label > 0;
}

// What one resolver or another reads as an IPv4 address: inet_aton() takes "127.1", "0x7f000001",
// "017700000001".
bool looks_like_number(std::string_view name) noexcept {
    const std::string_view last = name.substr(name.rfind('.') + 1);
    const bool digits = std::all_of(last.begin(), last.end(), is_digit);
    const bool hexadecimal = last.size() >= 2 && last[0] == '0' && lower(last[1]) == 'x' &&
                             std::all_of(last.begin() + 2, last.end(), is_hex);
    return digits || hexadecimal;
}

/// Reads a host into `target`.
Status read_host(std::string_view host, Target& target) {
    if (host.starts_with('[')) {
        target.address = Address::parse(host);
        if (!target.address) {
            return malformed("its host is no address");
        }
        target.host = target.address->text();
        return Nothing{};
    }
    if (host.ends_with('.')) {
        host.remove_suffix(1);
    }
    if (!is_name(host)) {
        return malformed("its host is no name");
    }
    target.address = Address::parse(host);
    if (!target.address && looks_like_number(host)) {
        return refused("the host is a number");
    }
    target.host = lower(host);
    return Nothing{};
}

Status read_authority(std::string_view authority, Target& target) {
    if (authority.find('@') != std::string_view::npos) {
        return refused("the URL names a user");
    }
    // Colons of an IPv6 address stand in brackets.
    const std::size_t behind = authority.starts_with('[') ? authority.find(']') : 0;
    const std::size_t colon = behind == std::string_view::npos ? behind : authority.find(':', behind);
    if (colon != std::string_view::npos) {
        const auto port = parse_port(authority.substr(colon + 1));
        if (!port) {
            return malformed("its port is no number from 1 to 65535");
        }
        target.port = *port;
    }
    return read_host(authority.substr(0, colon), target);
}

// RFC 3986, section 5.2.4.
std::string without_dots(std::string_view path) {
    std::vector<std::string_view> kept;
    bool folder = false;
    path.remove_prefix(1);
    while (true) {
        const std::size_t slash = path.find('/');
        const std::string_view segment = path.substr(0, slash);
        folder = segment == "." || segment == "..";
        if (segment == ".." && !kept.empty()) {
            kept.pop_back();
        }
        if (!folder) {
            kept.push_back(segment);
        }
        if (slash == std::string_view::npos) {
            break;
        }
        path.remove_prefix(slash + 1);
    }
    std::string clean;
    for (const std::string_view segment : kept) {
        clean += '/';
        clean += segment;
    }
    return folder || clean.empty() ? clean + '/' : clean;
}

// Whatever no request line may hold is escaped; escapes that are there stay.
std::string escaped(std::string_view text) {
    constexpr std::string_view hex_digits = "0123456789ABCDEF";
    constexpr std::string_view never = " \"<>^`{|}";
    std::string out;
    out.reserve(text.size());
    for (const char c : text) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte > 0x7e || never.find(c) != std::string_view::npos) {
            out += '%';
            out += hex_digits[byte >> 4U];
            out += hex_digits[byte & 15U];
        } else {
            out += c;
        }
    }
    return out;
}

/// Path and query of a request; `text` is empty or begins with a slash or a question mark.
std::string request_uri(std::string_view text) {
    text = text.substr(0, text.find('#'));
    const std::size_t mark = std::min(text.find('?'), text.size());
    const std::string_view path = text.substr(0, mark);
    return escaped((path.empty() ? "/" : without_dots(path)) + std::string{text.substr(mark)});
}

Result<Target> parse(std::string_view url) {
    if (url.size() > longest_url) {
        return malformed("it is too long");
    }
    if (misleads(url)) {
        return malformed("it holds characters that no URL may hold");
    }
    const auto scheme = scheme_of(url);
    if (!scheme) {
        return malformed("it begins with no scheme");
    }
    const std::string name = lower(*scheme);
    if (name != "http" && name != "https") {
        return refused("the scheme is neither http nor https");
    }
    url.remove_prefix(scheme->size() + 1);
    if (!url.starts_with("//")) {
        return malformed("it names no host");
    }
    url.remove_prefix(2);
    Target target;
    target.secure = name == "https";
    target.port = target.secure ? https_port : http_port;
    const std::size_t end = std::min(url.find_first_of("/?#"), url.size());
    if (const Status status = read_authority(url.substr(0, end), target); !status) {
        return status.error();
    }
    target.uri = request_uri(url.substr(end));
    if (target.url().size() > longest_url) {
        return malformed("it is too long");
    }
    return target;
}

}  // namespace

std::string Target::authority() const {
    const bool usual = port == (secure ? https_port : http_port);
    return usual ? host : host + ':' + std::to_string(port);
}

std::string Target::url() const {
    return std::string{scheme()} + "://" + authority() + uri;
}

Result<Target> parse_target(std::string_view url) noexcept {
    try {
        return parse(url);
    } catch (...) {
        return Error{500, "out of memory"};
    }
}

Result<Target> follow(const Target& from, std::string_view location) noexcept {
    try {
        if (location.size() > longest_url) {
            return malformed("it is too long");
        }
        if (scheme_of(location)) {
            return parse(location);
        }
        std::string url{from.scheme()};
        url += ':';
        if (!location.starts_with("//")) {
            url += "//" + from.authority();
            const std::string_view path = std::string_view{from.uri}.substr(0, from.uri.find('?'));
            if (location.empty() || location.starts_with('#')) {
                url += from.uri;
            } else if (location.starts_with('?')) {
                url += path;
            } else if (!location.starts_with('/')) {
                url += path.substr(0, path.rfind('/') + 1);
            }
        }
        return parse(url + std::string{location});
    } catch (...) {
        return Error{500, "out of memory"};
    }
}

bool AllowList::add(std::string_view text) {
    Rule rule;
    const std::size_t behind = text.starts_with('[') ? text.find(']') : 0;
    const std::size_t colon = behind == std::string_view::npos ? behind : text.find(':', behind);
    if (colon != std::string_view::npos) {
        const auto port = parse_port(text.substr(colon + 1));
        if (!port) {
            return false;
        }
        rule.port = *port;
        text = text.substr(0, colon);
    }
    if (text != "*") {
        rule.kind = text.starts_with("*.") ? Kind::below : Kind::name;
        Target target;
        const std::string_view host = rule.kind == Kind::below ? text.substr(2) : text;
        if (!read_host(host, target) || (target.address && rule.kind == Kind::below)) {
            return false;
        }
        if (target.address) {
            rule.kind = Kind::address;
        }
        rule.address = target.address;
        rule.name = rule.kind == Kind::below ? '.' + target.host : target.host;
    }
    rules_.push_back(std::move(rule));
    return true;
}

bool AllowList::names_hosts() const noexcept {
    return std::any_of(rules_.begin(), rules_.end(),
                       [](const Rule& rule) { return rule.kind != Kind::address; });
}

Status AllowList::check(const Target& target) const noexcept {
    const bool found = std::any_of(rules_.begin(), rules_.end(), [&target](const Rule& rule) {
        if (!rule.fits(target.port)) {
            return false;
        }
        switch (rule.kind) {
            case Kind::all:
                return true;
            case Kind::below:
                return target.host.size() > rule.name.size() && target.host.ends_with(rule.name);
            case Kind::name:
                return target.host == rule.name;
            case Kind::address:
                return target.address == rule.address;
        }
        return false;
    });
    if (!found) {
        return refused("the host is not allowed");
    }
    return target.address ? check(*target.address, target.port) : Nothing{};
}

Status AllowList::check(const Address& address, std::uint16_t port) const noexcept {
    const bool named = std::any_of(rules_.begin(), rules_.end(), [&](const Rule& rule) {
        return rule.kind == Kind::address && rule.address == address && rule.fits(port);
    });
    if (named || address.is_public()) {
        return Nothing{};
    }
    return refused("the host's address is not public");
}

std::string AllowList::text() const {
    std::string text;
    for (const Rule& rule : rules_) {
        text += (rule.kind == Kind::all     ? "*"
                 : rule.kind == Kind::below ? '*' + rule.name
                                            : rule.name) +
                ':' + std::to_string(rule.port) + ' ';
    }
    return text;
}

}  // namespace media
