// The facts about a rendition that stand between nginx' header of a cache file and the body.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/rendition/format.h"

namespace media {

/// What is kept beside a body; plain bytes in the cache file, read back by this build only.
struct StoredFacts {
    static constexpr std::uint32_t magic_value = 0x31444d4e;  // "NMD1"

    std::uint32_t magic = magic_value;
    std::uint16_t status = 200;
    std::uint8_t format = 0;
    std::uint8_t cache_control_length = 0;
    std::int32_t width = 0, height = 0, pages = 0;
    std::uint64_t source_bytes = 0;
    char cache_control[128] = {};  ///< of the origin, to be passed on

    /// Whether they are ours, and not damaged.
    bool sound() const noexcept {
        return magic == magic_value && format < format_count && cache_control_length <= sizeof(cache_control);
    }

    std::string_view control() const noexcept { return {cache_control, cache_control_length}; }
};

}  // namespace media
