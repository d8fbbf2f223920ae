// What a location says about every rendition it makes.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "core/rendition/format.h"

namespace media {

/// How damaged an original may be and still be rendered; libvips' terms, mildest last.
enum class FailOn : std::uint8_t { none, truncated, error, warning };

/// Plain data, copied freely between threads.
struct RenderSettings {
    FormatSet input = raster_formats();
    std::uint64_t max_source_pixels = 100'000'000;  ///< width x height x pages read
    int max_frames = 256;
    int max_width = 8192;  ///< of a rendition, after dpr
    int max_height = 8192;
    FailOn fail_on = FailOn::truncated;
    std::array<int, format_count> quality{};  ///< 1-100, by Format
    std::array<int, format_count> effort{};   ///< by Format, in the range of FormatInfo

    RenderSettings();  ///< the defaults of the format table

    /// Whatever of these changes the picture, as a short string for the cache key.
    std::string fingerprint() const;
};

}  // namespace media
