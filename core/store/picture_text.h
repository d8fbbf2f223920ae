// A file written as text: base 64, or a data URI (RFC 2397).
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/base64.h"

namespace media::detail {

/// Turns the text, in pieces of any size, back into the file. A data URI may be percent-encoded, and is base
/// 64 only where it says so; its media type is not looked at.
class PictureText {
  public:
    /// Appends to `out`, hardly more than `text` has. False: why() says what is wrong, and nothing more is to
    /// be fed.
    bool feed(std::string_view text, std::vector<std::uint8_t>& out);
    /// The text has ended; `out` gets what was held back.
    bool finish(std::vector<std::uint8_t>& out);
    const char* why() const noexcept { return why_; }

  private:
    enum class At : std::uint8_t { scheme, media_type, content };

    bool escaped(std::string_view text, std::vector<std::uint8_t>& out);
    bool plain(std::string_view text, std::vector<std::uint8_t>& out);
    bool refuse(const char* why) noexcept;

    At at_ = At::scheme;
    std::string head_{};   ///< what may be a scheme, then the media type
    bool is_uri_ = false;  ///< percent signs have a meaning
    bool is_base64_ = true;
    Base64Decoder base64_{};
    unsigned missing_ = 0;  ///< digits of a percent escape
    unsigned byte_ = 0;     ///< that the escape stands for
    const char* why_ = "";
};

}  // namespace media::detail
