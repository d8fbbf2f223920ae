#include "core/rendition/cost.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <utility>

#include "core/rendition/parse.h"

namespace media {

namespace {

// All of it in nanoseconds of CPU, measured on photographs, one core of a server of today.

struct Decoding {
    double pixel;          ///< of a frame, decoded whole
    double typical_bytes;  ///< of a pixel in a file: for originals whose size is not seen
};

// By Format. JPEG is another matter, below; documents are drawn.
constexpr std::array<Decoding, format_count> decoding{{
    {12, 0.3},   // jpeg, through libvips
    {12, 1.2},   // png
    {16, 0.15},  // webp
    {13, 0.1},   // avif
    {7, 0.5},    // gif
    {40, 0.15},  // heic
    {8, 1},      // tiff
    {32, 0.1},   // jxl
    {100, 1},    // svg
    {100, 1},    // pdf
}};

// Of a JPEG, the entropy coding goes by bytes. Of a progressive one that becomes an eighth, most scans are
// passed over.
constexpr double jpeg_byte = 6.7;
constexpr double progressive_byte = 46;
constexpr double progressive_byte_of_an_eighth = 12;
// Transform and resizing of planes, for a pixel of the size that it is decoded at.
constexpr double jpeg_sample = 2.5;

// libwebp scales while it decodes.
constexpr double webp_scaled_pixel = 5;

// Resizing through libvips, for a pixel that goes in and one that comes out. Of animations, with alpha.
constexpr double resize_in = 3;
constexpr double resize_out = 45;
constexpr double with_alpha = 3;

// For a pixel of a rendition.
constexpr double effects = 50;
// For a pixel of an original that is looked at for its border.
constexpr double trimming = 10;
// By Format, of encoders without an effort.
constexpr std::array<double, format_count> encoding{2.5, 75, 0, 0, 200, 0, 200, 0, 0, 0};
// By effort. Rounded down, as relentless_nanoseconds() promises.
constexpr std::array<double, 7> webp_effort{15, 20, 25, 50, 55, 65, 100};
constexpr std::array<double, 10> avif_effort{35, 130, 200, 400, 1000, 1500, 3500, 5000, 7000, 10000};
constexpr std::array<double, 10> jxl_effort{40, 40, 40, 40, 45, 80, 100, 120, 1200, 2000};
constexpr double rounded_off = 1.25;
constexpr double lossless = 12;  ///< times as much
constexpr double tries = 4;      ///< until a rendition fits into max_bytes

constexpr double seconds = 1e-9;
constexpr double least = 0.0005;  ///< whatever it is
constexpr double camera_pixels = 12e6;
constexpr double unknown_pixels = 1e6;  ///< of a document
constexpr int description_side = 400;   ///< `fm=json` wants a small picture as well
constexpr double survey_pixel = 4;      ///< and looks at all of it

template <std::size_t N>
double at_effort(const std::array<double, N>& costs, int effort) noexcept {
    return costs[static_cast<std::size_t>(std::clamp(effort, 0, static_cast<int>(N) - 1))];
}

double area(Size size) noexcept {
    return static_cast<double>(size.width) * size.height;
}

// The side of a square is as good as any other for what is not known.
Size size_or_guess(const Outline& original) noexcept {
    if (original.size.width > 0) {
        return original.size;
    }
    const double bytes = decoding[static_cast<std::size_t>(original.format)].typical_bytes;
    const double pixels =
        info(original.format).raster ? static_cast<double>(original.bytes) / bytes : unknown_pixels;
    const int side = static_cast<int>(std::clamp(std::sqrt(pixels), 1.0, 65535.0));
    return {side, side};
}

int frames_of(const Outline& original, const Rendition& rendition, const RenderSettings& settings) noexcept {
    const int left = original.frames - rendition.page.value_or(0);
    const int asked = rendition.pages.value_or(all_pages);
    return std::max(1, std::min({left, asked == all_pages ? left : asked, settings.max_frames}));
}

// As the picture will choose it; HEIC and TIFF might be with alpha, which costs as much as a photograph.
Format format_of(const Outline& original, const Rendition& rendition, int frames) noexcept {
    if (rendition.format) {
        return *rendition.format;
    }
    const FormatSet possible = buildable_formats();
    for (const Format format : rendition.auto_formats) {
        if (possible.has(format) && (frames == 1 || info(format).animated)) {
            return format;
        }
    }
    switch (original.format) {
        case Format::svg:
        case Format::pdf:
            return Format::png;
        case Format::heic:
        case Format::tiff:
            return Format::jpeg;
        default:
            return original.format;
    }
}

bool has_effects(const Rendition& r) noexcept {
    return r.blur || r.sharpen || r.gray || r.brightness != 1 || r.saturation != 1 || r.contrast != 1 ||
           r.hue != 0;
}

/// Decoding and resizing of one frame of size `from` into one of size `to`, by `factor`.
double frame_cost(const Outline& original, const Rendition& rendition, Size from, Size to, double factor,
                  bool moves) noexcept {
    const double in = area(from);
    if (original.format == Format::jpeg && !rendition.trim) {
        const int shrink = factor >= 12 ? 8 : factor >= 6 ? 4 : factor >= 3 ? 2 : 1;
        const double byte = !original.progressive ? jpeg_byte
                            : shrink == 8         ? progressive_byte_of_an_eighth
                                                  : progressive_byte;
        return byte * static_cast<double>(original.bytes) + jpeg_sample * in / (shrink * shrink);
    }
    const bool scaled = original.format == Format::webp && factor >= 4 && !moves && !rendition.trim;
    const double decoded =
        in * (scaled ? webp_scaled_pixel : decoding[static_cast<std::size_t>(original.format)].pixel);
    const double coded =
        original.format == Format::jpeg ? jpeg_byte * static_cast<double>(original.bytes) : 0;
    const double looked_at = rendition.trim ? trimming * in : 0;
    if (factor == 1) {
        return decoded + coded + looked_at;
    }
    const double resized = resize_in * in + resize_out * area(to);
    return decoded + coded + looked_at + resized * (moves ? with_alpha : 1);
}

double pixel_cost(const Rendition& rendition, const RenderSettings& settings, Format format) noexcept {
    const auto index = static_cast<std::size_t>(format);
    const double relentless = relentless_nanoseconds(format, settings.effort[index]) * rounded_off;
    double encoder = relentless > 0 ? relentless : encoding[index];
    if (rendition.lossless && relentless > 0) {
        encoder *= lossless;
    }
    if (rendition.max_bytes) {
        encoder *= tries;
    }
    return encoder + (has_effects(rendition) ? effects : 0);
}

}  // namespace

double relentless_nanoseconds(Format format, int effort) noexcept {
    switch (format) {
        case Format::avif:
            return at_effort(avif_effort, effort);
        case Format::webp:
            return at_effort(webp_effort, effort);
        case Format::jxl:
            return at_effort(jxl_effort, effort);
        default:
            return 0;
    }
}

double encoding_seconds(const Rendition& rendition, const RenderSettings& settings, Format format) noexcept {
    const double width = rendition.width.value_or(rendition.height.value_or(0));
    const double height = rendition.height.value_or(rendition.width.value_or(0));
    return pixel_cost(rendition, settings, format) * (width > 0 ? width * height : camera_pixels) * seconds;
}

double seconds_of(const Outline& original, const Rendition& rendition,
                  const RenderSettings& settings) noexcept {
    Size from = size_or_guess(original);
    if (!settings.input.has(original.format)) {
        return least;
    }
    if (rendition.describe) {
        const double factor = std::max(1.0, std::min(from.width, from.height) / double{description_side});
        const double decoded = frame_cost(original, rendition, from, {0, 0}, factor, false);
        return least + (decoded + survey_pixel * area(from)) * seconds;
    }
    const int frames = frames_of(original, rendition, settings);
    const Format format = format_of(original, rendition, frames);
    const bool moves = frames > 1 && info(format).animated;
    const int pages = moves ? frames : 1;
    if (area(from) * pages > static_cast<double>(settings.max_source_pixels) &&
        info(original.format).raster) {
        return least;
    }
    // The header's orientation is not read: it turns the picture, and changes no more than the shape.
    if (rendition.rotate == 90 || rendition.rotate == 270) {
        std::swap(from.width, from.height);
    }
    Size box = from;
    if (rendition.crop) {
        const auto cut = crop_box(*rendition.crop, from);
        if (!cut) {
            return least;
        }
        box = {cut->width, cut->height};
    }
    const auto geometry = plan(rendition, box, settings, !info(original.format).raster);
    if (!geometry) {
        return least;
    }
    const Size to = geometry->resized;
    const double factor =
        std::min(static_cast<double>(box.width) / to.width, static_cast<double>(box.height) / to.height);
    const double frame = frame_cost(original, rendition, from, to, factor, moves) +
                         pixel_cost(rendition, settings, format) * area(geometry->canvas);
    return least + frame * pages * seconds;
}

}  // namespace media
