#include "core/picture/choose.h"

#include <algorithm>
#include <cstdint>
#include <string>

#include "core/picture/engine.h"
#include "core/picture/failure.h"

namespace media {

namespace {

Format default_format(const PictureSource& source) {
    switch (source.format()) {
        case Format::svg:
        case Format::pdf:
            return Format::png;
        case Format::heic:
        case Format::tiff:
            return source.alpha() ? Format::png : Format::jpeg;
        default:
            return source.format();
    }
}

Format automatic_format(const Rendition& rendition, const PictureSource& source, int max_frames) {
    const FormatSet possible = encodable_formats();
    const bool animated = moving(rendition, source, max_frames);
    for (const Format format : rendition.auto_formats) {
        if (possible.has(format) && (!animated || info(format).animated)) {
            return format;
        }
    }
    return default_format(source);
}

}  // namespace

bool moving(const Rendition& rendition, const PictureSource& source, int max_frames) {
    const int left = source.pages() - rendition.page.value_or(0);
    return source.animated() && left > 1 && max_frames > 1 && rendition.pages.value_or(all_pages) != 1;
}

Format choose_format(const Rendition& rendition, const PictureSource& source, int max_frames) {
    const Format format = rendition.format        ? *rendition.format
                          : rendition.auto_format ? automatic_format(rendition, source, max_frames)
                                                  : default_format(source);
    const std::string name(info(format).name);
    if (!encodable_formats().has(format)) {
        fail(415, "this build cannot write " + name, rendition.format ? "fm" : "");
    }
    if (rendition.lossless && !info(format).lossless_option) {
        fail(400, name + " has no lossless mode", "lossless");
    }
    return format;
}

Pages choose_pages(const Rendition& rendition, const PictureSource& source, Format format, int max_frames) {
    const int left = source.pages() - rendition.page.value_or(0);
    const bool several = info(format).animated || format == Format::tiff;
    const int asked = rendition.pages.value_or(info(format).animated ? all_pages : 1);
    const int wanted = std::min(asked == all_pages ? left : std::min(asked, left), std::max(1, max_frames));
    if (wanted > 1 && !several) {
        fail(400, std::string(info(format).name) + " holds one page only", "n");
    }
    return {wanted, rendition.pages.has_value() && *rendition.pages != all_pages};
}

void check_source_size(const PictureSource& source, int pages, bool trim, const RenderSettings& settings) {
    const Size size = source.size();
    const std::uint64_t pixels = static_cast<std::uint64_t>(size.width) *
                                 static_cast<std::uint64_t>(size.height) * static_cast<std::uint64_t>(pages);
    // Vectors have no pixels until they are drawn, and are drawn at no more than the limit; but `trim` looks
    // at them in their own size.
    if ((trim || !source.vector()) && pixels > settings.max_source_pixels) {
        fail(422, "the original has more pixels than are allowed here");
    }
}

}  // namespace media
