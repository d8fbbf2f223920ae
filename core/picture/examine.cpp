#include "core/picture/examine.h"

#include <algorithm>

#include "core/picture/choose.h"
#include "core/picture/contain.h"
#include "core/picture/pixels.h"
#include "core/picture/source.h"
#include "core/picture/turn.h"

namespace media {

namespace {

// Longest side at which a document is drawn: enough to see that it can be.
constexpr int drawn_side = 64;

constexpr int strip_lines = 16;

void decode(const PictureSource& source, const LoadOptions& options, const Cancellation& cancellation) {
    each_line(source.load(options), cancellation, strip_lines,
              [](int /*y*/, const std::uint8_t* /*line*/) {});
}

void decode_animation(const PictureSource& source, int pages, const Cancellation& cancellation) {
    // As many at once as libvips can have one below another.
    const int most = std::max(1, VIPS_MAX_COORD / source.size().height);
    for (int page = 0; page < pages; page += most) {
        decode(source, {.page = page, .pages = std::min(most, pages - page)}, cancellation);
    }
}

Examined examine_or_throw(int file, FormatSet allowed, const RenderSettings& settings,
                          const Cancellation& cancellation) {
    check(cancellation);
    PictureSource source(file, allowed, settings.fail_on, cancellation);
    const Size upright = turn_of_orientation(source.orientation()).apply(source.size());
    const Examined examined{source.format(), upright.width, upright.height, source.pages()};
    const int pages = std::min(source.pages(), std::max(1, settings.max_frames));
    if (source.vector()) {
        const int side = std::max(upright.width, upright.height);
        decode(source, {.scale = std::min(1.0, static_cast<double>(drawn_side) / side)}, cancellation);
    } else if (source.animated()) {
        check_source_size(source, pages, false, settings);
        decode_animation(source, pages, cancellation);
    } else {
        for (int page = 0; page < pages; ++page) {
            source.select_page(page);
            check_source_size(source, 1, false, settings);
        }
        for (int page = 0; page < pages; ++page) {
            decode(source, {.page = page}, cancellation);
        }
    }
    return examined;
}

}  // namespace

Result<Examined> examine(int file, FormatSet allowed, const RenderSettings& settings,
                         const Cancellation& cancellation) noexcept {
    return contained(cancellation, [&] { return examine_or_throw(file, allowed, settings, cancellation); });
}

}  // namespace media
