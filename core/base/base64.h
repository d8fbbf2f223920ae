// Bytes as text.
#pragma once

#include <string>

#include "core/base/bytes.h"

namespace media {

/// Base 64 with padding (RFC 4648, section 4), as data URLs want it.
std::string base64(ByteView bytes);

}  // namespace media
