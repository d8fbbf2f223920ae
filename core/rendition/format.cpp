#include "core/rendition/format.h"

#include <atomic>

#include "core/rendition/parse.h"

namespace media {
namespace {

// `lossless=1` is known to PNG and TIFF too: they are lossless in any case, which "no quality" says.
constexpr std::array<FormatInfo, format_count> table{{
    {.format = Format::jpeg,
     .name = "jpeg",
     .mime = "image/jpeg",
     .extension = "jpg",
     .raster = true,
     .output = true,
     .alpha = false,
     .animated = false,
     .lossless_option = false,
     .quality = 80,
     .effort_min = 0,
     .effort_max = 0,
     .effort = 0},
    {.format = Format::png,
     .name = "png",
     .mime = "image/png",
     .extension = "png",
     .raster = true,
     .output = true,
     .alpha = true,
     .animated = false,
     .lossless_option = true,
     .quality = 0,
     .effort_min = 0,
     .effort_max = 0,
     .effort = 0},
    {.format = Format::webp,
     .name = "webp",
     .mime = "image/webp",
     .extension = "webp",
     .raster = true,
     .output = true,
     .alpha = true,
     .animated = true,
     .lossless_option = true,
     .quality = 80,
     .effort_min = 0,
     .effort_max = 6,
     .effort = 2},
    {.format = Format::avif,
     .name = "avif",
     .mime = "image/avif",
     .extension = "avif",
     .raster = true,
     .output = true,
     .alpha = true,
     .animated = false,
     .lossless_option = true,
     .quality = 60,
     .effort_min = 0,
     .effort_max = 9,
     .effort = 0},
    {.format = Format::gif,
     .name = "gif",
     .mime = "image/gif",
     .extension = "gif",
     .raster = true,
     .output = true,
     .alpha = true,
     .animated = true,
     .lossless_option = false,
     .quality = 0,
     .effort_min = 0,
     .effort_max = 0,
     .effort = 0},
    {.format = Format::heic,
     .name = "heic",
     .mime = "image/heic",
     .extension = "heic",
     .raster = true,
     .output = false,
     .alpha = true,
     .animated = false,
     .lossless_option = false,
     .quality = 0,
     .effort_min = 0,
     .effort_max = 0,
     .effort = 0},
    {.format = Format::tiff,
     .name = "tiff",
     .mime = "image/tiff",
     .extension = "tiff",
     .raster = true,
     .output = true,
     .alpha = true,
     .animated = false,
     .lossless_option = true,
     .quality = 0,
     .effort_min = 0,
     .effort_max = 0,
     .effort = 0},
    {.format = Format::jxl,
     .name = "jxl",
     .mime = "image/jxl",
     .extension = "jxl",
     .raster = true,
     .output = true,
     .alpha = true,
     .animated = false,
     .lossless_option = true,
     .quality = 75,
     .effort_min = 1,
     .effort_max = 9,
     .effort = 3},
    {.format = Format::svg,
     .name = "svg",
     .mime = "image/svg+xml",
     .extension = "svg",
     .raster = false,
     .output = false,
     .alpha = true,
     .animated = false,
     .lossless_option = false,
     .quality = 0,
     .effort_min = 0,
     .effort_max = 0,
     .effort = 0},
    {.format = Format::pdf,
     .name = "pdf",
     .mime = "application/pdf",
     .extension = "pdf",
     .raster = false,
     .output = false,
     .alpha = true,
     .animated = false,
     .lossless_option = false,
     .quality = 0,
     .effort_min = 0,
     .effort_max = 0,
     .effort = 0},
}};

constexpr bool in_order() {
    for (std::size_t i = 0; i < table.size(); ++i) {
        if (static_cast<std::size_t>(table[i].format) != i) {
            return false;
        }
    }
    return true;
}
static_assert(in_order(), "the table is indexed by Format");

constexpr FormatSet all_where(bool FormatInfo::*property) {
    FormatSet set;
    for (const FormatInfo& row : table) {
        if (row.*property) {
            set.add(row.format);
        }
    }
    return set;
}

constinit std::atomic<FormatSet> buildable{all_where(&FormatInfo::output)};

}  // namespace

std::span<const FormatInfo, format_count> formats() noexcept {
    return table;
}

const FormatInfo& info(Format format) noexcept {
    return table[static_cast<std::size_t>(format)];
}

std::optional<Format> format_by_name(std::string_view name) noexcept {
    for (const FormatInfo& row : table) {
        if (row.name == name) {
            return row.format;
        }
    }
    return std::nullopt;
}

std::optional<Format> format_by_mime(std::string_view mime) noexcept {
    for (const FormatInfo& row : table) {
        if (row.mime == mime) {
            return row.format;
        }
    }
    return std::nullopt;
}

FormatSet raster_formats() noexcept {
    static constexpr FormatSet set = all_where(&FormatInfo::raster);
    return set;
}

void set_buildable_formats(FormatSet formats) noexcept {
    buildable.store(formats, std::memory_order_relaxed);
}

FormatSet buildable_formats() noexcept {
    return buildable.load(std::memory_order_relaxed);
}

}  // namespace media
