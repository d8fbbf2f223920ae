// The facts about a rendition that stand between nginx' header of a cache file and the body.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <string_view>

#include "core/rendition/output_format.h"
#include "core/share/freshness.h"

namespace media {

/// A short text of at most `N` bytes, in place. One that is too long is dropped whole.
template <std::size_t N>
struct ShortText {
    static_assert(N < 256);
    static constexpr std::size_t limit = N;

    std::uint8_t length = 0;
    std::array<char, N> text{};

    std::string_view view() const noexcept { return {text.data(), std::min<std::size_t>(length, N)}; }
    void set(std::string_view value) noexcept {
        length = value.size() <= N ? static_cast<std::uint8_t>(value.size()) : 0;
        std::copy_n(value.begin(), length, text.begin());
    }
};

/// What is kept beside a body; plain bytes in the cache file, read back by this build only.
struct StoredFacts {
    static constexpr std::uint32_t magic_value = 0x33444d4e;  // "NMD3"

    std::uint32_t magic = magic_value;
    std::uint16_t status = 200;
    std::uint8_t format = 0;  ///< OutputFormat::code
    std::int32_t width = 0, height = 0, pages = 0;
    /// A signpost has no body and is never sent: it stands where `fm=auto` would be a format that cannot
    /// move, and says that the original does.
    std::uint8_t signpost = 0;
    std::uint64_t source_bytes = 0;
    Lifetimes life;                ///< as the origin stated them
    std::int64_t born = 0;         ///< Unix time at which the origin made its answer, by its Age
    std::int64_t checked = 0;      ///< when it came or was confirmed last, in milliseconds
    ShortText<128> cache_control;  ///< of the origin, to be passed on
    ShortText<128> etag;           ///< the original's, as it came
    ShortText<40> last_modified;   ///< likewise

    /// Whether they are ours, and not damaged.
    bool sound() const noexcept { return magic == magic_value && OutputFormat::from_code(format); }
};

}  // namespace media
