#include "core/picture/plan.h"

#include <cstdint>
#include <vips/vips8>

#include "core/picture/choose.h"
#include "core/picture/failure.h"
#include "core/rendition/hints.h"

namespace media {

using vips::VImage;

namespace {

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

PictureSource open(const RenderTask& task) {
    check(task.cancellation);
    return {task.original, task.settings.input, task.settings.fail_on, task.cancellation};
}

}  // namespace

RenderPlan::RenderPlan(const RenderTask& task) : source(open(task)), first(task.rendition.page.value_or(0)) {
    source.select_page(first);
    format = choose_format(task.rendition, source, task.settings.max_frames);
    const Pages wanted = choose_pages(task.rendition, source, format, task.settings.max_frames);
    pages = wanted.count;
    check_source_size(source, pages, task.rendition.trim.has_value(), task.settings);
    if (pages > 1 && !source.animated() && !alike(source, first, pages)) {
        if (wanted.asked) {
            fail(422, "the pages of the original differ in size");
        }
        pages = 1;
    }
    layout = layout_of(task, source);
    check_animation_size(layout, pages, task.settings);
    options = encode_options(task, format);
    if (!task.rendition.trim) {
        admit(options, layout.geometry.canvas.width, layout.geometry.canvas.height, pages, task.cancellation);
    }
}

}  // namespace media
