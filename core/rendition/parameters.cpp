// The parameter table, and how each value is read.
#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/base/utf8.h"
#include "core/rendition/color.h"
#include "core/rendition/numbers.h"
#include "core/rendition/parameter.h"
#include "core/rendition/words.h"

namespace media {
namespace detail {
namespace {

template <auto Member, const auto& Words>
Reading word(std::string_view value, const Parameter&, Rendition& rendition, const ParseContext&) {
    for (const auto& candidate : Words) {
        if (candidate.name == value) {
            rendition.*Member = candidate.value;
            return Reading::ok;
        }
    }
    return Reading::invalid;
}

bool within(double value, const Parameter& row) {
    return value >= row.min && value <= row.max;
}

std::optional<int> integer_of(std::string_view value, const Parameter& row) {
    const auto number = parse_unsigned(value);
    if (!number || !within(static_cast<double>(*number), row)) {
        return std::nullopt;
    }
    return static_cast<int>(*number);
}

template <auto Member>
Reading integer(std::string_view value, const Parameter& row, Rendition& rendition, const ParseContext&) {
    const auto number = integer_of(value, row);
    if (!number) {
        return Reading::invalid;
    }
    rendition.*Member = *number;
    return Reading::ok;
}

template <auto Member>
Reading decimal(std::string_view value, const Parameter& row, Rendition& rendition, const ParseContext&) {
    const auto number = parse_decimal(value);
    if (!number || !within(*number, row)) {
        return Reading::invalid;
    }
    rendition.*Member = to_millionths(*number);
    return Reading::ok;
}

Reading hue(std::string_view value, const Parameter& row, Rendition& rendition, const ParseContext& context) {
    const Reading reading = decimal<&Rendition::hue>(value, row, rendition, context);
    if (reading == Reading::ok && rendition.hue >= row.max) {
        rendition.hue = 0;  // a full turn
    }
    return reading;
}

Reading round(std::string_view value, const Parameter& row, Rendition& rendition, const ParseContext&) {
    if (value == "max") {
        rendition.round = round_max;
        return Reading::ok;
    }
    const auto radius = integer_of(value, row);
    if (!radius) {
        return Reading::invalid;
    }
    rendition.round = *radius == 0 ? std::nullopt : radius;
    return Reading::ok;
}

Reading page_count(std::string_view value, const Parameter& row, Rendition& rendition,
                   const ParseContext& context) {
    if (value == "-1") {
        rendition.pages = all_pages;
        return Reading::ok;
    }
    return integer<&Rendition::pages>(value, row, rendition, context);
}

/// A side of a crop. Pixels are whole; a share has decimals. A size is more than 0.
std::optional<Length> length_of(std::string_view text, const Parameter& row, bool size) {
    Length length;
    if (text.ends_with('%')) {
        const auto share = parse_decimal(text.substr(0, text.size() - 1));
        if (!share || *share > 100) {
            return std::nullopt;
        }
        length = {to_millionths(*share), true};
    } else {
        const auto pixels = integer_of(text, row);
        if (!pixels) {
            return std::nullopt;
        }
        length = {static_cast<double>(*pixels), false};
    }
    if (size && length.value == 0) {
        return std::nullopt;
    }
    return length;
}

Reading crop(std::string_view value, const Parameter& row, Rendition& rendition, const ParseContext&) {
    std::array<Length, 4> lengths;
    for (std::size_t i = 0; i < lengths.size(); ++i) {
        const std::size_t comma = value.find(',');
        if ((comma == std::string_view::npos) != (i + 1 == lengths.size())) {
            return Reading::invalid;
        }
        const auto length = length_of(value.substr(0, comma), row, i >= 2);
        if (!length) {
            return Reading::invalid;
        }
        lengths[i] = *length;
        value.remove_prefix(std::min(comma, value.size() - 1) + 1);
    }
    rendition.crop = Crop{lengths[0], lengths[1], lengths[2], lengths[3]};
    return Reading::ok;
}

Reading background(std::string_view value, const Parameter&, Rendition& rendition, const ParseContext&) {
    const auto color = parse_color(value);
    if (!color) {
        return Reading::invalid;
    }
    rendition.background = *color;
    return Reading::ok;
}

Reading watermarks(std::string_view value, const Parameter&, Rendition& rendition,
                   const ParseContext& context) {
    rendition.watermarks.clear();
    return each_name(value, [&](std::string_view name) {
        if (context.watermark_names == nullptr ||
            std::find(context.watermark_names->begin(), context.watermark_names->end(), name) ==
                context.watermark_names->end()) {
            return Reading::unknown;
        }
        rendition.watermarks.emplace_back(name);
        return Reading::ok;
    });
}

Reading output_format(std::string_view value, const Parameter&, Rendition& rendition, const ParseContext&) {
    rendition.format.reset();
    rendition.auto_format = value == "auto";
    rendition.describe = value == "json";
    if (rendition.auto_format || rendition.describe) {
        return Reading::ok;
    }
    const auto format = format_by_name(value);
    if (!format || !info(*format).output) {
        return Reading::invalid;
    }
    if (!buildable_formats().has(*format)) {
        return Reading::no_build;
    }
    rendition.format = format;
    return Reading::ok;
}

/// As nginx writes sizes: a number, then possibly `k`, `m` or `g`.
Reading byte_size(std::string_view value, const Parameter& row, Rendition& rendition, const ParseContext&) {
    unsigned shift = 0;
    switch (value.back() | 0x20) {
        case 'k':
            shift = 10;
            break;
        case 'm':
            shift = 20;
            break;
        case 'g':
            shift = 30;
            break;
        default:
            break;
    }
    const auto number = parse_unsigned(value.substr(0, value.size() - (shift == 0 ? 0 : 1)));
    if (!number || !within(static_cast<double>(*number) * static_cast<double>(1U << shift), row)) {
        return Reading::invalid;
    }
    rendition.max_bytes = *number << shift;
    return Reading::ok;
}

bool is_version_character(char c) {
    const char lower = static_cast<char>(c | 0x20);
    return is_digit(c) || (lower >= 'a' && lower <= 'z') || c == '.' || c == '_' || c == '-';
}

Reading version(std::string_view value, const Parameter& row, Rendition& rendition, const ParseContext&) {
    if (!within(static_cast<double>(value.size()), row) ||
        !std::all_of(value.begin(), value.end(), is_version_character)) {
        return Reading::invalid;
    }
    rendition.version = value;
    return Reading::ok;
}

/// A name that is harmless on every system and in a header; control characters were refused before.
Reading file_name(std::string_view value, const Parameter& row, Rendition& rendition, const ParseContext&) {
    if (!within(static_cast<double>(value.size()), row) || value == "." || value == ".." ||
        value.find_first_of("/\\\"") != std::string_view::npos || !is_utf8(value)) {
        return Reading::invalid;
    }
    rendition.download = value;
    return Reading::ok;
}

Reading expiry(std::string_view value, const Parameter& row, Rendition& rendition, const ParseContext&) {
    const auto time = parse_unsigned(value);
    if (!time || !within(static_cast<double>(*time), row)) {
        return Reading::invalid;
    }
    rendition.expires = *time;
    return Reading::ok;
}

/// Only its place in the query is known here; who has the keys has checked it.
Reading signature(std::string_view, const Parameter&, Rendition&, const ParseContext& context) {
    return context.signatures ? Reading::ok : Reading::unused;
}

constexpr double max_time = 1e11;  // the year 5138
constexpr double max_side = 65535;
constexpr double max_offset = 1e6;  // pixels of an original
constexpr double max_pages = 100'000;
constexpr double max_file = 1U << 30;

constexpr std::array<Parameter, parameter_count> table{{
    {{"w", "1-65535", "width in CSS pixels"}, integer<&Rendition::width>, 1, max_side},
    {{"h", "1-65535", "height in CSS pixels"}, integer<&Rendition::height>, 1, max_side},
    {{"dpr", "0.5-5", "device pixels per CSS pixel: multiplies w, h and round (default 1)"},
     decimal<&Rendition::dpr>,
     0.5,
     5},
    {{"fit", "inside, outside, cover, contain, fill", "how the picture fits into w x h (default inside)"},
     word<&Rendition::fit, fits>},
    {{"enlarge", "0, 1", "whether a rendition may be larger than its original (default 0)"},
     word<&Rendition::enlarge, switches>},
    {{"g", "center, n, ne, e, se, s, sw, w, nw, attention, entropy, fp",
      "what fit=cover keeps (default center); fp: the point fx, fy"},
     word<&Rendition::gravity, gravities>},
    {{"fx", "0-1", "where the point of g=fp lies, from the left edge (default 0.5)"},
     decimal<&Rendition::focus_x>,
     0,
     1},
    {{"fy", "0-1", "where the point of g=fp lies, from the top edge (default 0.5)"},
     decimal<&Rendition::focus_y>,
     0,
     1},
    {.info = {"crop", "x,y,w,h (each in pixels or 0%-100%; % is written %25)",
              "cut out of the upright, rotated picture before resizing"},
     .read = crop,
     .max = max_offset,
     .with_json = true},
    {.info = {"trim", "1-255", "remove a uniform border; the value is the threshold"},
     .read = integer<&Rendition::trim>,
     .min = 1,
     .max = 255,
     .with_json = true},
    {.info = {"rot", "0, 90, 180, 270", "turn clockwise, after the EXIF orientation (default 0)"},
     .read = word<&Rendition::rotate, rotations>,
     .with_json = true},
    {.info = {"flip", "h, v, hv", "mirror horizontally, vertically, or both"},
     .read = word<&Rendition::flip, flips>,
     .with_json = true},
    {{"blur", "0.3-100", "blur; the value is sigma"}, decimal<&Rendition::blur>, 0.3, 100},
    {{"sharpen", "0.1-10", "sharpen; the value is sigma"}, decimal<&Rendition::sharpen>, 0.1, 10},
    {{"gray", "0, 1", "shades of grey (default 0)"}, word<&Rendition::gray, switches>},
    {{"bri", "0-10", "brightness as a factor (default 1)"}, decimal<&Rendition::brightness>, 0, 10},
    {{"sat", "0-10", "saturation as a factor (default 1)"}, decimal<&Rendition::saturation>, 0, 10},
    {{"hue", "0-360", "turn the hue, in degrees (default 0)"}, hue, 0, 360},
    {{"con", "0-10", "contrast as a factor (default 1)"}, decimal<&Rendition::contrast>, 0, 10},
    {{"round", "0-65535, max", "rounded corners; the value is the radius in CSS pixels (default 0)"},
     round,
     0,
     max_side},
    {{"bg", "rgb, rgba, rrggbb, rrggbbaa (hexadecimal)",
      "background of fit=contain, and under transparency where the format has none (default transparent, "
      "else white)"},
     background},
    {.info = {"wm", "names of media_watermark, separated by commas", "watermarks, laid in that order"},
     .read = watermarks,
     .with_json = true},
    {.info =
         {"fm", "jpeg, png, webp, avif, gif, jxl, tiff, auto, json",
          "format (default: that of the original); auto: the best that the client accepts; json: no picture, "
          "but facts about the original"},
     .read = output_format,
     .with_json = true},
    {{"q", "1-100", "quality (default: media_quality)"}, integer<&Rendition::quality>, 1, 100},
    {{"lossless", "0, 1", "compress without loss, for formats that can (default 0)"},
     word<&Rendition::lossless, switches>},
    {{"max_bytes", "a size from 1 to 1g, such as 50k", "the highest quality that fits into it"},
     byte_size,
     1,
     max_file},
    {.info = {"page", "0-100000", "page to start from (default 0)"},
     .read = integer<&Rendition::page>,
     .max = max_pages,
     .with_json = true},
    {{"n", "1-100000, -1",
      "number of pages; -1: all (default: all where the output can be animated, else 1)"},
     page_count,
     1,
     max_pages},
    {{"strip", "all, none, gps", "which metadata is removed (default all)"}, word<&Rendition::strip, strips>},
    {.info = {"v", "1 to 64 characters of A-Z a-z 0-9 . _ -", "a version of yours, part of the cache key"},
     .read = version,
     .min = 1,
     .max = 64,
     .leaves_original = true,
     .with_json = true},
    {.info = {"dl", "a file name of at most 255 bytes, without / \\ and \"",
              "Content-Disposition: attachment, under that name"},
     .read = file_name,
     .min = 1,
     .max = 255,
     .leaves_original = true,
     .with_json = true},
    {.info = {"p", "names of media_preset, separated by commas",
              "presets, applied first and in that order; the other parameters win"},
     .with_presets_only = true,
     .with_json = true},
    {.info = {"exp", "a Unix time", "the end of the link's life: after it the answer is 410"},
     .read = expiry,
     .max = max_time,
     .leaves_original = true,
     .with_presets_only = true,
     .with_json = true},
    {.info = {"s", "a signature", "the signature of the URL, where media_signature has a key for it"},
     .read = signature,
     .leaves_original = true,
     .with_presets_only = true,
     .with_json = true},
}};

constexpr std::optional<std::size_t> place_of(std::string_view name) {
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (table[i].info.name == name) {
            return i;
        }
    }
    return std::nullopt;
}

constexpr auto infos = [] {
    std::array<ParameterInfo, parameter_count> result;
    for (std::size_t i = 0; i < result.size(); ++i) {
        result[i] = table[i].info;
    }
    return result;
}();

}  // namespace

std::span<const Parameter, parameter_count> parameter_table() noexcept {
    return table;
}

std::optional<std::size_t> find_parameter(std::string_view name) noexcept {
    return place_of(name);
}

constinit const std::size_t place_of_dpr = place_of("dpr").value();
constinit const std::size_t place_of_fx = place_of("fx").value();
constinit const std::size_t place_of_fy = place_of("fy").value();
constinit const std::size_t place_of_presets = place_of("p").value();

}  // namespace detail

std::span<const ParameterInfo> parameters() noexcept {
    return detail::infos;
}

}  // namespace media
