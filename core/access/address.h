// Addresses of hosts, and which of them a stranger may make this server connect to.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace media {

/// An IPv4 or IPv6 address. What is IPv4 in an IPv4-mapped coat (RFC 4291, section 2.5.5.2) is IPv4.
class Address {
  public:
    /// From 4 or 16 bytes in network order.
    static Address v4(std::span<const std::uint8_t, 4> bytes) noexcept;
    static Address v6(std::span<const std::uint8_t, 16> bytes) noexcept;

    /// From its text: dotted decimal in its one form (RFC 6943, section 3.1.1: no octal, no hex, no missing
    /// part), or RFC 4291 in brackets or without, zone identifiers excluded.
    static std::optional<Address> parse(std::string_view text) noexcept;

    bool is_v6() const noexcept { return v6_; }

    /// As it stands in a URL: IPv6 in brackets and in its shortest form (RFC 5952).
    std::string text() const;

    /// Whether it belongs to a host of the public internet. Everything else is not: whatever IANA's
    /// special-purpose registries (RFC 6890) call other than globally reachable, multicast, what is
    /// reserved, IPv6 outside 2000::/3, IPv6 that holds an IPv4 address which is not public, 6to4 and Teredo
    /// at all, and the one public IPv4 address that a cloud gives to its hosts' own agents (168.63.129.16).
    bool is_public() const noexcept;

    bool operator==(const Address&) const = default;

  private:
    std::array<std::uint8_t, 16> bytes_{};  ///< of IPv4 the first four
    bool v6_ = false;
};

}  // namespace media
