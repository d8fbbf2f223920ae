// Digests, for entity tags and keys.
#pragma once

#include <array>
#include <cstdint>
#include <string>

#include "core/base/bytes.h"

namespace media {

using Sha256 = std::array<std::uint8_t, 32>;

/// SHA-256 (FIPS 180-4).
Sha256 sha256(ByteView bytes) noexcept;

/// HMAC-SHA-256 (RFC 2104).
Sha256 hmac_sha256(ByteView key, ByteView text) noexcept;

/// A hash of two: `sum` is that of what came before. For tables in memory, not for keys.
constexpr std::uint64_t mixed(std::uint64_t sum, std::uint64_t hash) noexcept {
    return (sum ^ hash) * 0x9E3779B97F4A7C15;  // odd, its bits well spread: 2^64 by the golden ratio
}

/// Lower-case hex of the first `count` bytes of a view (all of them by default).
std::string hex(ByteView bytes, std::size_t count = SIZE_MAX);

}  // namespace media
