// What the body of an answer is.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "core/rendition/format.h"

namespace media {

/// A picture of some format, or, of `fm=json`, what is said about one. JSON has no row in the table of
/// formats: nothing that is true of pictures is true of it.
class OutputFormat {
  public:
    // NOLINTNEXTLINE(google-explicit-constructor): a picture's format is an output format
    constexpr OutputFormat(Format picture) noexcept : code_(static_cast<std::uint8_t>(picture)) {}
    static constexpr OutputFormat json() noexcept { return OutputFormat(json_code); }

    /// As it is kept in a file; nothing for a code of no format.
    constexpr std::uint8_t code() const noexcept { return code_; }
    static constexpr std::optional<OutputFormat> from_code(std::uint8_t code) noexcept {
        return code < format_count || code == json_code ? std::optional(OutputFormat(code)) : std::nullopt;
    }

    std::string_view name() const noexcept {  ///< as in `fm=`
        return code_ == json_code ? "json" : info(static_cast<Format>(code_)).name;
    }
    std::string_view mime() const noexcept {  ///< Content-Type
        return code_ == json_code ? "application/json" : info(static_cast<Format>(code_)).mime;
    }

    constexpr bool operator==(const OutputFormat&) const = default;

  private:
    static constexpr std::uint8_t json_code = 0xFF;
    static_assert(format_count < json_code);
    constexpr explicit OutputFormat(std::uint8_t code) noexcept : code_(code) {}

    std::uint8_t code_;
};

}  // namespace media
