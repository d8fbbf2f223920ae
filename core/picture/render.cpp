#include "core/picture/render.h"

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <string>
#include <vips/vips8>

#include "core/picture/choose.h"
#include "core/picture/contain.h"
#include "core/picture/direct.h"
#include "core/picture/encode.h"
#include "core/picture/failure.h"
#include "core/picture/frames.h"
#include "core/picture/metadata.h"
#include "core/picture/source.h"
#include "core/rendition/hints.h"

namespace media {

using vips::VImage;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
}

std::uint64_t area(Size size) {
    return static_cast<std::uint64_t>(size.width) * static_cast<std::uint64_t>(size.height);
}

void check_animation_size(const Layout& layout, int pages, const RenderSettings& settings) {
    // Enlarged or padded frames could otherwise need far more memory than their original.
    const std::uint64_t pixels = area(layout.geometry.canvas) * static_cast<std::uint64_t>(pages);
    if (pages > 1 && (pixels > settings.max_source_pixels ||
                      std::int64_t{layout.geometry.canvas.height} * pages > VIPS_MAX_COORD)) {
        fail(400, "an animation of this size is too large", "n");
    }
}

EncodeOptions encode_options(const RenderTask& task, Format format) {
    const auto index = static_cast<std::size_t>(format);
    EncodeOptions options;
    options.format = format;
    const int standard = task.settings.quality[index];
    options.quality =
        task.rendition.quality.value_or(task.rendition.economy ? economy_quality(standard) : standard);
    options.effort = task.settings.effort[index];
    options.lossless = task.rendition.lossless;
    options.max_bytes = task.rendition.max_bytes;
    return options;
}

// The pixels without any of the metadata that libvips carried along from the original.
VImage bare(Pixels& pixels) {
    const std::size_t bytes = pixels.row_bytes() * static_cast<std::size_t>(pixels.height());
    return VImage::new_from_memory(pixels.row(0), bytes, pixels.width(), pixels.height(), pixels.bands(),
                                   VIPS_FORMAT_UCHAR)
        .copy(VImage::option()->set("interpretation",
                                    pixels.colour() ? VIPS_INTERPRETATION_sRGB : VIPS_INTERPRETATION_B_W));
}

void describe_pages(const PictureSource& source, int first, int pages, int page_height, VImage& image) {
    if (pages == 1) {
        return;
    }
    image.set(VIPS_META_PAGE_HEIGHT, page_height);
    if (!source.animated()) {
        return;
    }
    image.set("loop", source.loop());
    const std::vector<int>& all = source.delays();
    if (all.size() >= static_cast<std::size_t>(first) + static_cast<std::size_t>(pages)) {
        image.set("delay", std::vector<int>(all.begin() + first, all.begin() + first + pages));
    }
}

// Whether pages of a document can be one animation: they are as large as one another.
bool alike(const PictureSource& source, int first, int pages) {
    try {
        const VImage image = source.load({.page = first, .pages = pages, .header_only = true});
        return image.height() == source.size().height * pages;
    } catch (const vips::VError&) {
        vips_error_clear();
        return false;
    }
}

Encoded render_or_throw(const RenderTask& task) {
    const auto start = Clock::now();
    check(task.cancellation);
    PictureSource source(task.original, task.settings.input, task.settings.fail_on, task.cancellation);
    const int first = task.rendition.page.value_or(0);
    source.select_page(first);
    const Format format = choose_format(task.rendition, source, task.settings.max_frames);
    auto [pages, asked] = choose_pages(task.rendition, source, format, task.settings.max_frames);
    check_source_size(source, pages, task.rendition.trim.has_value(), task.settings);
    if (pages > 1 && !source.animated() && !alike(source, first, pages)) {
        if (asked) {
            fail(422, "the pages of the original differ in size");
        }
        pages = 1;
    }
    Layout layout = layout_of(task, source);
    check_animation_size(layout, pages, task.settings);
    EncodeOptions options = encode_options(task, format);
    if (!task.rendition.trim) {
        admit(options, layout.geometry.canvas.width, layout.geometry.canvas.height, pages, task.cancellation);
    }
    if (pages == 1) {
        if (auto encoded = render_directly(task, source, layout, options)) {
            return std::move(*encoded);
        }
    }
    auto [pixels, route] = make_frames(task, source, layout, format, first, pages);

    Encoded encoded;
    encoded.route = route;
    encoded.format = format;
    encoded.width = pixels.width();
    encoded.height = pixels.height() / pages;
    encoded.pages = pages;
    encoded.decode_seconds = seconds_since(start);
    const auto encode_start = Clock::now();
    admit(options, encoded.width, encoded.height, pages, task.cancellation);
    VImage image = bare(pixels);
    describe_pages(source, first, pages, encoded.height, image);
    options.metadata = keep_metadata(source.header(), task.rendition.strip, image);
    encoded.body = encode(image, options, task.cancellation);
    encoded.encode_seconds = seconds_since(encode_start);
    return encoded;
}

}  // namespace

bool moves_past_first_format(const RenderTask& task) noexcept {
    const std::vector<Format>& accepted = task.rendition.auto_formats;
    if (!task.rendition.auto_format || accepted.empty() || info(accepted.front()).animated) {
        return false;
    }
    const auto format = sniff(task.original);
    if (!format || !info(*format).animated) {
        return false;
    }
    try {
        try {
            PictureSource source(task.original, task.settings.input, task.settings.fail_on,
                                 task.cancellation);
            source.select_page(task.rendition.page.value_or(0));
            return moving(task.rendition, source, task.settings.max_frames);
        } catch (const Failure&) {
            vips_error_clear();
        } catch (const vips::VError&) {
            vips_error_clear();
        }
    } catch (...) {
        // Out of memory: `render` will say so.
    }
    return false;
}

Result<Encoded> render(const RenderTask& task) noexcept {
    return contained(task.cancellation, [&task] { return render_or_throw(task); });
}

}  // namespace media
