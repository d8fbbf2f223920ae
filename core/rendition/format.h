// The picture formats, in one table.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "core/base/bytes.h"

namespace media {

enum class Format : std::uint8_t { jpeg, png, webp, avif, gif, heic, tiff, jxl, svg, pdf };
inline constexpr std::size_t format_count = 10;

/// A set of formats, one bit each.
class FormatSet {
  public:
    constexpr FormatSet() = default;
    constexpr FormatSet(std::initializer_list<Format> formats) {
        for (const Format format : formats) {
            add(format);
        }
    }
    constexpr void add(Format format) { bits_ |= bit(format); }
    constexpr bool has(Format format) const { return (bits_ & bit(format)) != 0; }
    constexpr bool empty() const { return bits_ == 0; }
    constexpr std::uint16_t bits() const { return bits_; }
    constexpr bool operator==(const FormatSet&) const = default;
    /// What is in both.
    constexpr FormatSet operator&(const FormatSet& other) const {
        FormatSet both;
        both.bits_ = static_cast<std::uint16_t>(bits_ & other.bits_);
        return both;
    }

  private:
    static constexpr std::uint16_t bit(Format format) {
        return static_cast<std::uint16_t>(1U << static_cast<unsigned>(format));
    }
    std::uint16_t bits_ = 0;
};

struct FormatInfo {
    Format format;
    std::string_view name;       ///< as in `fm=` and `media_input`
    std::string_view mime;       ///< Content-Type
    std::string_view extension;  ///< of files of that format, without the dot
    bool raster;                 ///< decoded unless the operator says otherwise
    bool output;                 ///< may stand in `fm=` (if the build can)
    bool alpha;                  ///< can hold transparency
    bool animated;               ///< we write animations in it
    bool lossless_option;        ///< knows `lossless=1`
    int quality;                 ///< default quality 1-100; 0: has none
    int effort_min, effort_max;  ///< range of `media_effort`; both 0: has none
    int effort;                  ///< default effort
};

/// All formats, indexed by Format.
std::span<const FormatInfo, format_count> formats() noexcept;
const FormatInfo& info(Format format) noexcept;
std::optional<Format> format_by_name(std::string_view name) noexcept;
/// By media type in lower case, without parameters.
std::optional<Format> format_by_mime(std::string_view mime) noexcept;

/// What the first bytes (64 or more, where there are so many) say the content is; never looks at a name.
std::optional<Format> sniff(ByteView head) noexcept;

/// Every raster format: the default of `media_input`.
FormatSet raster_formats() noexcept;

}  // namespace media
