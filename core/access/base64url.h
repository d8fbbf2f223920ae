// Bytes as text that needs no escape in a URL.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"

namespace media {

/// Unpadded base64url (RFC 4648, section 5).
std::string base64url(ByteView bytes);

/// Only what base64url() writes: no padding, no other alphabet, no bits beyond the last byte. So one value
/// has one spelling.
std::optional<std::vector<std::uint8_t>> from_base64url(std::string_view text);

}  // namespace media
