// Where a Redis Cluster keeps which key (the cluster specification of Redis).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/share/resp.h"

namespace media {

inline constexpr std::uint16_t slot_count = 16384;

/// The slot of a key: CRC16 (XMODEM) of what stands between its first braces, or of all of it, modulo
/// slot_count.
std::uint16_t slot_of(std::string_view key) noexcept;

/// Where a node listens.
struct NodeAddress {
    std::string host;  ///< an address or a name; empty: the node that said so
    std::uint16_t port = 0;
    bool operator==(const NodeAddress&) const = default;
};

/// A range of slots and their master.
struct SlotRange {
    std::uint16_t first = 0, last = 0;
    NodeAddress master;
};

/// Reads the reply to CLUSTER SLOTS. Nothing where it is none.
std::optional<std::vector<SlotRange>> read_slots(RespValue reply);

/// What an error reply asks for: `MOVED slot host:port` or `ASK slot host:port`.
struct Redirect {
    bool ask = false;
    std::uint16_t slot = 0;
    NodeAddress to;
};
std::optional<Redirect> read_redirect(std::string_view error);

}  // namespace media
