// Bytes as text.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"

namespace media {

/// Base 64 with padding (RFC 4648, section 4), as data URLs want it.
std::string base64(ByteView bytes);

/// Base 64 back to bytes, however the text is cut into pieces. Takes the alphabets of RFC 4648, sections 4
/// and 5, with padding or without; no white space, no bits beyond the last byte (section 3.5).
class Base64Decoder {
  public:
    /// Appends to `out`. False where this is no base 64: then nothing more is to be fed.
    bool feed(std::string_view text, std::vector<std::uint8_t>& out);

    /// Whether the text may end here. The next feed() begins another one.
    bool finish() noexcept;

  private:
    std::uint32_t bits_ = 0;
    unsigned digits_ = 0;   ///< of the group of four
    unsigned padding_ = 0;  ///< signs of padding seen
};

}  // namespace media
