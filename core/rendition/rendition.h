// What is asked for: one rendition of one original.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/rendition/format.h"

namespace media {

enum class Fit : std::uint8_t { inside, outside, cover, contain, fill };
enum class Gravity : std::uint8_t { center, n, ne, e, se, s, sw, w, nw, attention, entropy, fp };
enum class Flip : std::uint8_t { none, h, v, hv };
enum class Strip : std::uint8_t { all, none, gps };

/// sRGB with alpha, 8 bits each.
struct Color {
    std::uint8_t r = 0, g = 0, b = 0, a = 255;
    bool operator==(const Color&) const = default;
};

/// One side of a crop: pixels, or a share of the picture's side.
struct Length {
    double value = 0;
    bool percent = false;
    bool operator==(const Length&) const = default;
};

struct Crop {
    Length x, y, width, height;
    bool operator==(const Crop&) const = default;
};

/// Which client hints an answer depends on, whatever they said this time: its `Vary`.
struct HintUse {
    bool dpr = false;
    bool width = false;
    bool save_data = false;
    bool operator==(const HintUse&) const = default;
};

inline constexpr int round_max = -1;  ///< `round=max`: half of the shorter side
inline constexpr int all_pages = -1;  ///< `n=-1`

/// Parsed, validated and normalised parameters. What is absent in the query is absent here, or has the
/// default of the parameter table. Copyable plain data.
struct Rendition {
    std::optional<int> width;   ///< box in device pixels: `w` x `dpr`, rounded half up, at least 1
    std::optional<int> height;  ///< likewise
    double dpr = 1;             ///< what pads and `round` grow with; already inside width and height
    Fit fit = Fit::inside;      ///< `inside` where only one side is given
    bool enlarge = false;
    Gravity gravity = Gravity::center;
    double focus_x = 0.5, focus_y = 0.5;  ///< 0-1, with Gravity::fp
    std::optional<Crop> crop;
    std::optional<int> trim;  ///< threshold 1-255
    int rotate = 0;           ///< 0, 90, 180, 270, clockwise, after the EXIF orientation
    Flip flip = Flip::none;
    std::optional<double> blur;     ///< sigma
    std::optional<double> sharpen;  ///< sigma
    bool gray = false;
    double brightness = 1, saturation = 1, contrast = 1;  ///< factors
    double hue = 0;                                       ///< degrees
    std::optional<Color> background;
    std::optional<int> round;  ///< radius in device pixels (already times dpr), or round_max
    std::vector<std::string> watermarks;
    std::optional<Format> format;  ///< nothing: the original's
    bool auto_format = false;      ///< `fm=auto`; format is then nothing
    /// `fm=json`: not a picture is wanted, but what can be said of the original. format is then nothing, and
    /// whatever says how a picture is to be made (a preset may have said it) has its default.
    bool describe = false;
    /// `fm=auto` only: the formats the client accepts explicitly, in the operator's order of preference.
    std::vector<Format> auto_formats;
    std::optional<int> quality;
    bool lossless = false;
    std::optional<std::uint64_t> max_bytes;
    std::optional<int> page;   ///< from 0
    std::optional<int> pages;  ///< `n`: 1 or more, or all_pages
    Strip strip = Strip::all;
    std::string version;   ///< `v`
    std::string download;  ///< `dl`, a file name; not part of the cache key

    bool economy = false;      ///< `Save-Data`: economy_quality of the default, where `quality` is absent
    HintUse hints;             ///< not part of the cache key
    bool hinted_size = false;  ///< a hint has made it larger than the query alone would; not part of the key

    /// Names of all presets that were applied, those named by presets too; sorted, each once. Not part of the
    /// canonical form, which tells nothing of how it came about.
    std::vector<std::string> presets;

    std::optional<std::uint64_t> expires;  ///< `exp`, Unix time; not part of the cache key

    /// Parameters whose value is that of a preset, with the preset's name: for errors. Not part of the cache
    /// key.
    std::vector<std::pair<std::string_view, std::string>> preset_of;

    /// No parameter at all: the original's bytes are wanted, untouched.
    bool original = true;
};

}  // namespace media
