#include "core/picture/direct.h"

#include <algorithm>
#include <chrono>

#include "core/picture/colour.h"
#include "core/picture/decoded_planes.h"
#include "core/picture/effects.h"
#include "core/picture/failure.h"
#include "core/picture/finish.h"
#include "core/picture/overlay.h"
#include "core/picture/plane_canvas.h"
#include "core/picture/plane_colour.h"
#include "core/picture/plane_writers.h"

namespace media {

namespace {

// The quality from which on colour is not halved.
constexpr int fine_colour = 90;

std::optional<PlaneOrder> order_of(const RenderTask& task, const PictureSource& source, const Layout& layout,
                                   bool halved) {
    const Geometry& geometry = layout.geometry;
    const bool planar =
        source.format() == Format::jpeg || (source.format() == Format::webp && !source.alpha());
    if (task.route == Route::libvips || !planar || task.rendition.trim ||
        Colour(source.header()).profiled()) {
        return std::nullopt;
    }
    PlaneOrder order;
    order.whole = source.size();
    order.turn = layout.turn;
    order.target = layout.turn.apply(geometry.resized);
    order.box = before(layout.turn, layout.box, source.size());
    order.cut = before(
        layout.turn,
        geometry.cut_by_content ? Box{0, 0, geometry.resized.width, geometry.resized.height} : geometry.cut,
        order.target);
    order.halved = halved;
    order.odd_across = halved && geometry.offset_x % 2 != 0;
    order.odd_down = halved && geometry.offset_y % 2 != 0;
    if (order.box.width < order.target.width || order.box.height < order.target.height) {
        return std::nullopt;
    }
    return order;
}

// Whether a rendition goes from planes into a file, without a way through RGB.
bool stays_in_planes(const RenderTask& task, const Layout& layout, const EncodeOptions& options) {
    const Rendition& rendition = task.rendition;
    const Geometry& geometry = layout.geometry;
    const bool planar =
        options.format == Format::jpeg || options.format == Format::webp || options.format == Format::avif;
    return planar && !options.lossless && !geometry.cut_by_content && !rendition.round &&
           only_grays(rendition) && rendition.strip == Strip::all;
}

// As libvips' encoders do it: fine colour is what high quality is asked for.
bool halves_colour(const EncodeOptions& options) {
    return options.format == Format::webp || options.quality < fine_colour;
}

// Gray is as light as the colour of each pixel, and wants it whole.
bool wants_halved(const RenderTask& task, const EncodeOptions& options) {
    return halves_colour(options) && !task.rendition.gray;
}

// Gray, canvas and watermarks.
void finish(const RenderTask& task, const Layout& layout, const EncodeOptions& options, LentPlanes& planes) {
    const Rendition& rendition = task.rendition;
    const Geometry& geometry = layout.geometry;
    const bool halved = halves_colour(options);
    if (rendition.gray && planes.view().count == 3) {
        planes = LentPlanes(grayed(planes.view()));
    }
    if (!(geometry.canvas == planes.view().size())) {
        const Color ground = info(options.format).alpha
                                 ? rendition.background.value_or(Color{0, 0, 0, 0})
                                 : over_white(rendition.background.value_or(Color{255, 255, 255, 255}));
        planes = LentPlanes(on_canvas(planes.view(), geometry, ground, halved));
    }
    if (!task.watermarks.empty() || (options.format == Format::webp && planes.view().count == 1)) {
        colour(planes.own(), halved);
    }
    for (const auto& watermark : task.watermarks) {
        watermark->lay_over(planes.own(), task.cancellation);
    }
}

}  // namespace

std::optional<PlaneOrder> order_of(const RenderTask& task, const RenderPlan& plan) {
    if (plan.pages != 1) {
        return std::nullopt;
    }
    const bool halved = stays_in_planes(task, plan.layout, plan.options) && wants_halved(task, plan.options);
    return order_of(task, plan.source, plan.layout, halved);
}

std::optional<LentPlanes> planes_of(const RenderTask& task, const PictureSource& source, const Layout& layout,
                                    bool halved) {
    const auto order = order_of(task, source, layout, halved);
    if (task.decoded != nullptr) {
        if (!order || !(task.decoded->order == *order)) {
            fail(500, "the rendition cannot be made of planes of another one");
        }
        return LentPlanes(&task.decoded->planes);
    }
    if (!order) {
        return std::nullopt;
    }
    PlaneReading reading({&*order, 1});
    if (!reading.read(task.original, task.settings.fail_on, task.cancellation,
                      [](std::size_t) { return true; })) {
        return std::nullopt;
    }
    return LentPlanes(reading.take(0));
}

std::optional<Encoded> render_directly(const RenderTask& task, const PictureSource& source,
                                       const Layout& layout, const EncodeOptions& options) {
    if (!stays_in_planes(task, layout, options)) {
        return std::nullopt;
    }
    const auto start = std::chrono::steady_clock::now();
    std::optional<LentPlanes> planes = planes_of(task, source, layout, wants_halved(task, options));
    if (!planes) {
        return std::nullopt;
    }
    finish(task, layout, options, *planes);
    const Planes& done = planes->view();
    Encoded encoded;
    encoded.route = Route::direct;
    encoded.format = options.format;
    encoded.width = done.size().width;
    encoded.height = done.size().height;
    const auto middle = std::chrono::steady_clock::now();
    encoded.body = encode_to_fit(options, [&](int quality) {
        switch (options.format) {
            case Format::webp:
                return write_webp(done, quality, options.effort, task.cancellation);
            case Format::avif:
                return write_avif(done, quality, options.effort, task.cancellation);
            default:
                return write_jpeg(done, quality, task.cancellation);
        }
    });
    const auto end = std::chrono::steady_clock::now();
    encoded.decode_seconds = std::chrono::duration<double>(middle - start).count();
    encoded.encode_seconds = std::chrono::duration<double>(end - middle).count();
    return encoded;
}

}  // namespace media
