#include "core/picture/info.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <optional>
#include <string_view>

#include "core/base/base64.h"
#include "core/base/hash.h"
#include "core/picture/blurhash.h"
#include "core/picture/choose.h"
#include "core/picture/colour.h"
#include "core/picture/contain.h"
#include "core/picture/encode.h"
#include "core/picture/engine.h"
#include "core/picture/finish.h"
#include "core/picture/frames.h"
#include "core/picture/overlay.h"
#include "core/picture/resize.h"
#include "core/picture/survey.h"

namespace media {

using vips::VImage;

namespace {

using Clock = std::chrono::steady_clock;

// Longest side at which an original is looked at where it can be decoded at a smaller size, or is drawn.
constexpr int look_side = 256;

// Longest side of the small picture from which the placeholders are made.
constexpr int small_side = 64;

// What is tried for the placeholder: the first size that fits at the least quality, at the best that fits. A
// larger picture of less quality looks better than a smaller one of more. The last size fits always.
constexpr std::array<int, 10> lqip_sides{48, 40, 32, 24, 16, 12, 8, 4, 2, 1};
constexpr std::array<int, 4> lqip_qualities{25, 40, 60, 80};
constexpr int lqip_effort = 6;

std::string_view space_of(const VImage& header, const Colour& colour) {
    switch (header.guess_interpretation()) {
        case VIPS_INTERPRETATION_sRGB:
        case VIPS_INTERPRETATION_RGB:
            return colour.profiled() ? "rgb" : "srgb";
        case VIPS_INTERPRETATION_RGB16:
            return "rgb16";
        case VIPS_INTERPRETATION_B_W:
            return "gray";
        case VIPS_INTERPRETATION_GREY16:
            return "gray16";
        case VIPS_INTERPRETATION_CMYK:
            return "cmyk";
        case VIPS_INTERPRETATION_LAB:
        case VIPS_INTERPRETATION_LABQ:
        case VIPS_INTERPRETATION_LABS:
            return "lab";
        case VIPS_INTERPRETATION_scRGB:
            return "scrgb";
        case VIPS_INTERPRETATION_XYZ:
            return "xyz";
        default:
            return "other";
    }
}

// The picture's size, made smaller until its longer side is `side`.
Size within(Size size, int side) {
    const double scale = std::min(1.0, static_cast<double>(side) / std::max(size.width, size.height));
    const auto scaled = [scale](int length) {
        return std::max(1, static_cast<int>(std::lround(length * scale)));
    };
    return {scaled(size.width), scaled(size.height)};
}

// How the original is looked at: its part, turned, at a small size.
Rendition look_of(const Rendition& asked) {
    Rendition look;
    look.crop = asked.crop;
    look.trim = asked.trim;
    look.rotate = asked.rotate;
    look.flip = asked.flip;
    look.width = look.height = look_side;
    return look;
}

std::string blurhash_of(const Pixels& small, Size picture) {
    const Pixels flat = flattened(small, Color{255, 255, 255, 255}).with_colour();
    const std::size_t bytes = flat.row_bytes() * static_cast<std::size_t>(flat.height());
    return blurhash({flat.row(0), bytes}, flat.size(), blurhash_components(picture, flat.size()));
}

Bytes lqip_of(Pixels small, const RenderTask& task) {
    if (!task.watermarks.empty()) {
        small = small.with_colour();
    }
    for (const auto& watermark : task.watermarks) {
        watermark->lay_over(small, task.cancellation);
    }
    EncodeOptions options;
    options.format = Format::webp;
    options.effort = lqip_effort;
    Size tried;
    for (const int side : lqip_sides) {
        const Size size = within(small.size(), side);
        if (size == tried) {
            continue;
        }
        tried = size;
        const VImage image = resize(small.image(), size, task.cancellation);
        Bytes best;
        for (const int quality : lqip_qualities) {
            options.quality = quality;
            Bytes bytes = encode(image, options, task.cancellation);
            if (bytes.size() > lqip_bytes) {
                break;
            }
            best = std::move(bytes);
        }
        if (!best.empty()) {
            return best;
        }
    }
    fail(500, "the placeholder cannot be written");
}

std::string hex_of(Color color) {
    const std::array<std::uint8_t, 3> channels{color.r, color.g, color.b};
    return '#' + hex(channels);
}

Encoded describe_or_throw(const RenderTask& task) {
    const auto start = Clock::now();
    check(task.cancellation);
    if (!encodable_formats().has(Format::webp)) {
        fail(415, "this build cannot write webp, which lqip is");
    }
    PictureSource source(task.original, task.settings.input, task.settings.fail_on, task.cancellation);
    const int page = task.rendition.page.value_or(0);
    source.select_page(page);
    check_source_size(source, 1, task.rendition.trim.has_value(), task.settings);
    const Rendition look = look_of(task.rendition);
    RenderSettings settings = task.settings;
    settings.max_width = settings.max_height = look_side;  // these are limits of what is sent
    const RenderTask looking{task.original, look, settings, {}, task.cancellation};
    Layout layout = layout_of(looking, source);
    const Extract extracted = extract(looking, source, layout, page);

    Description description;
    description.width = layout.box.width;
    description.height = layout.box.height;
    const Size box{layout.box.width, layout.box.height};
    Size stored = layout.turn.apply(within(source.vector() ? layout.geometry.resized : box, small_side));
    stored.width = std::min(stored.width, extracted.image.width());
    stored.height = std::min(stored.height, extracted.image.height());
    const Survey found = survey(extracted, stored, task.cancellation);
    const Pixels small(to_memory(apply(layout.turn, found.small.image()), task.cancellation));
    description.format = source.format();
    description.pages = source.pages();
    description.alpha = source.alpha();
    description.orientation = source.orientation();
    description.space = space_of(source.header(), Colour(source.header()));
    description.bytes = task.original.size();
    description.average = found.average;
    description.dominant = found.dominant;
    description.blurhash = blurhash_of(small, box);

    Encoded encoded;
    encoded.format = OutputFormat::json();
    encoded.width = description.width;
    encoded.height = description.height;
    encoded.decode_seconds = std::chrono::duration<double>(Clock::now() - start).count();
    const auto encode_start = Clock::now();
    description.lqip = lqip_of(small, task);
    const std::string json = to_json(description);
    encoded.body = Bytes::copy_of({reinterpret_cast<const std::uint8_t*>(json.data()), json.size()});
    if (encoded.body.empty()) {
        fail(500, "out of memory");
    }
    encoded.encode_seconds = std::chrono::duration<double>(Clock::now() - encode_start).count();
    return encoded;
}

}  // namespace

std::string to_json(const Description& description) {
    std::string out;
    out.reserve(1024);
    const auto name = [&out](std::string_view key) -> std::string& {
        out += out.empty() ? '{' : ',';
        out += '"';
        out += key;
        out += "\":";
        return out;
    };
    const auto number = [&](std::string_view key, std::uint64_t value) {
        name(key) += std::to_string(value);
    };
    const auto text = [&](std::string_view key, std::string_view value) { name(key) += json_string(value); };
    number("width", static_cast<std::uint64_t>(description.width));
    number("height", static_cast<std::uint64_t>(description.height));
    text("format", info(description.format).name);
    number("pages", static_cast<std::uint64_t>(description.pages));
    name("alpha") += description.alpha ? "true" : "false";
    number("orientation", static_cast<std::uint64_t>(description.orientation));
    text("space", description.space);
    number("bytes", description.bytes);
    text("average", hex_of(description.average));
    text("dominant", hex_of(description.dominant));
    text("blurhash", description.blurhash);
    text("lqip", "data:image/webp;base64," + base64(description.lqip.view()));
    out += '}';
    return out;
}

Result<Encoded> describe(const RenderTask& task) noexcept {
    return contained(task.cancellation, [&task] { return describe_or_throw(task); });
}

}  // namespace media
