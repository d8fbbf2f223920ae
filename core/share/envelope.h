// A stored answer on its way through a shared cache: self-describing, versioned and checksummed, so that what
// another version, another program or a broken disk left under our key is never taken for a picture.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/bytes.h"

namespace media {

/// Of the layout.
inline constexpr std::uint32_t envelope_version = 1;

/// What is said of a body beside itself.
struct Sealed {
    std::string_view facts;  ///< bytes whose meaning the writer's and the reader's build agree on
    std::string_view etag;   ///< with its quotes
    time_t valid = 0;        ///< Unix time until which it is fresh
    time_t last_modified = -1;
    ByteView body;
};

/// Puts it into an envelope for the cache key `key`.
std::string seal(const Sealed& content, std::string_view key);

/// What an envelope holds, as views into `bytes`; nothing where it is not one of this version and of this
/// key, or where a bit of it is wrong.
std::optional<Sealed> unseal(ByteView bytes, std::string_view key) noexcept;

}  // namespace media
