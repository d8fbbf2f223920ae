#include "core/access/address.h"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>

namespace media {

namespace {

template <std::size_t size>
struct Network {
    std::array<std::uint8_t, size> prefix;
    unsigned bits;

    constexpr bool holds(std::span<const std::uint8_t, size> address) const noexcept {
        for (unsigned i = 0; i < bits / 8; ++i) {
            if (address[i] != prefix[i]) {
                return false;
            }
        }
        const unsigned rest = bits % 8;
        return rest == 0 || ((address[bits / 8] ^ prefix[bits / 8]) & (0xff00U >> rest) & 0xffU) == 0;
    }
};

constexpr Network<4> not_public_v4[] = {
    {{0}, 8},                  // "this network"
    {{10}, 8},                 // private
    {{100, 64}, 10},           // shared by the customers of a provider (CGNAT)
    {{127}, 8},                // loopback
    {{169, 254}, 16},          // link-local; metadata of clouds
    {{172, 16}, 12},           // private
    {{192, 0, 0}, 24},         // protocol assignments
    {{192, 0, 2}, 24},         // documentation
    {{192, 88, 99}, 24},       // relays of 6to4
    {{192, 168}, 16},          // private
    {{198, 18}, 15},           // benchmarks
    {{198, 51, 100}, 24},      // documentation
    {{203, 0, 113}, 24},       // documentation
    {{224}, 4},                // multicast
    {{240}, 4},                // reserved, broadcast
    {{168, 63, 129, 16}, 32},  // what hosts of Azure ask for their configuration
};

constexpr Network<16> global_unicast{{0x20}, 3};
constexpr Network<16> not_public_v6[] = {
    {{0x20, 0x01}, 23},              // protocol assignments; Teredo, ORCHID, benchmarks
    {{0x20, 0x01, 0x0d, 0xb8}, 32},  // documentation
    {{0x20, 0x02}, 16},              // 6to4
    {{0x3f, 0xff}, 20},              // documentation
};
// RFC 6052: the last four bytes are an IPv4 address that a translator on the way will turn to.
constexpr Network<16> nat64{{0x00, 0x64, 0xff, 0x9b}, 96};
constexpr Network<16> mapped{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff}, 96};

bool is_public_v4(std::span<const std::uint8_t, 4> address) noexcept {
    return std::none_of(std::begin(not_public_v4), std::end(not_public_v4),
                        [address](const Network<4>& network) { return network.holds(address); });
}

// ISATAP (RFC 5214, section 6.1): the interface is named by an IPv4 address.
bool names_v4_interface(std::span<const std::uint8_t, 16> address) noexcept {
    return (address[8] & 0xfcU) == 0 && address[9] == 0 && address[10] == 0x5e && address[11] == 0xfe;
}

bool is_public_v6(std::span<const std::uint8_t, 16> address) noexcept {
    if (nat64.holds(address)) {
        return is_public_v4(address.last<4>());
    }
    if (!global_unicast.holds(address) ||
        std::any_of(std::begin(not_public_v6), std::end(not_public_v6),
                    [address](const Network<16>& network) { return network.holds(address); })) {
        return false;
    }
    return !names_v4_interface(address) || is_public_v4(address.last<4>());
}

std::optional<Address> parse_v4(std::string_view text) noexcept {
    std::array<std::uint8_t, 4> bytes{};
    const char* at = text.data();
    const char* const end = at + text.size();
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        if (i > 0) {
            if (at == end || *at++ != '.') {
                return std::nullopt;
            }
        }
        const bool digit = at != end && *at >= '0' && *at <= '9';
        const auto [next, error] = std::from_chars(at, end, bytes[i]);
        if (!digit || error != std::errc{} || (*at == '0' && next != at + 1)) {
            return std::nullopt;
        }
        at = next;
    }
    return at == end ? std::optional{Address::v4(bytes)} : std::nullopt;
}

}  // namespace

Address Address::v4(std::span<const std::uint8_t, 4> bytes) noexcept {
    Address address;
    std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
    return address;
}

Address Address::v6(std::span<const std::uint8_t, 16> bytes) noexcept {
    if (mapped.holds(bytes)) {
        return v4(bytes.last<4>());
    }
    Address address;
    std::copy(bytes.begin(), bytes.end(), address.bytes_.begin());
    address.v6_ = true;
    return address;
}

std::optional<Address> Address::parse(std::string_view text) noexcept {
    if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
        text = text.substr(1, text.size() - 2);
        if (text.find(':') == std::string_view::npos) {
            return std::nullopt;
        }
    }
    if (text.find(':') == std::string_view::npos) {
        return parse_v4(text);
    }
    std::array<char, INET6_ADDRSTRLEN> copy{};
    if (text.size() >= copy.size() || text.find('\0') != std::string_view::npos) {
        return std::nullopt;
    }
    std::copy(text.begin(), text.end(), copy.begin());
    std::array<std::uint8_t, 16> bytes{};
    return inet_pton(AF_INET6, copy.data(), bytes.data()) == 1 ? std::optional{v6(bytes)} : std::nullopt;
}

std::string Address::text() const {
    std::array<char, INET6_ADDRSTRLEN> text{};
    inet_ntop(v6_ ? AF_INET6 : AF_INET, bytes_.data(), text.data(), text.size());
    return v6_ ? '[' + std::string{text.data()} + ']' : std::string{text.data()};
}

bool Address::is_public() const noexcept {
    const std::span<const std::uint8_t, 16> all{bytes_};
    return v6_ ? is_public_v6(all) : is_public_v4(all.first<4>());
}

}  // namespace media
