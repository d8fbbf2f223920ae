#include "core/picture/render.h"

#include <algorithm>
#include <chrono>
#include <vips/vips8>

#include "core/picture/choose.h"
#include "core/picture/contain.h"
#include "core/picture/decoded_planes.h"
#include "core/picture/direct.h"
#include "core/picture/encode.h"
#include "core/picture/failure.h"
#include "core/picture/frames.h"
#include "core/picture/metadata.h"
#include "core/picture/plan.h"
#include "core/picture/source.h"

namespace media {

using vips::VImage;

namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) {
    return std::chrono::duration<double>(Clock::now() - start).count();
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

// Those that were made of the same decode.
void tell_of_others(const RenderTask& task, Encoded& encoded) {
    if (task.decoded != nullptr && encoded.route == Route::direct) {
        encoded.shared = task.decoded->renditions;
        encoded.decode_seconds += task.decoded->seconds;
    }
}

Encoded render_or_throw(const RenderTask& task) {
    const auto start = Clock::now();
    RenderPlan plan(task);
    auto& [source, first, format, pages, layout, options] = plan;
    if (pages == 1) {
        if (auto encoded = render_directly(task, source, layout, options)) {
            tell_of_others(task, *encoded);
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
    tell_of_others(task, encoded);
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
