#include "core/picture/direct.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <vector>

#include "core/picture/colour.h"
#include "core/picture/effects.h"
#include "core/picture/failure.h"
#include "core/picture/jpeg_reader.h"
#include "core/picture/lanczos.h"
#include "core/picture/overlay.h"
#include "core/picture/plane_writers.h"

namespace media {

namespace {

// Lanczos does at least the last factor of 1.5: by SSIM that is as good as decoding everything.
constexpr double least_residue = 1.5;

// The quality from which on colour is not halved.
constexpr int fine_colour = 90;

// One axis of the stored picture.
struct Side {
    int first, end;  // of them: the box that is resized
    int target;      // the pixels it becomes
    int cut, count;  // of these: where what is wanted begins, and how many are
    bool reversed;   // will be mirrored or turned round
};

// How samples of a plane become those of the result; `every` pixels of the result share one sample.
AxisMap map_of(const Side& side, double samples_a_pixel, int samples, int every) {
    const double step = static_cast<double>(side.end - side.first) / side.target * samples_a_pixel;
    // Of an odd number of pixels, the one that has a sample of colour to itself is the last one after the
    // turn.
    const int lead = every == 2 && side.reversed && side.count % 2 != 0 ? 1 : 0;
    AxisMap map;
    map.step = step * every;
    map.origin = side.first * samples_a_pixel + (side.cut - lead) * step;
    map.first = std::clamp(static_cast<int>(std::floor(side.first * samples_a_pixel)), 0, samples - 1);
    map.last = std::clamp(static_cast<int>(std::ceil(side.end * samples_a_pixel)), map.first + 1, samples);
    map.count = (side.count + every - 1) / every;
    return map;
}

int shrink_for(double factor) {
    for (const int shrink : {8, 4, 2}) {
        if (factor >= shrink * least_residue) {
            return shrink;
        }
    }
    return 1;
}

}  // namespace

std::optional<Planes> planes_of(const RenderTask& task, const PictureSource& source, const Layout& layout,
                                bool halved) {
    const Geometry& geometry = layout.geometry;
    if (task.route == Route::libvips || source.format() != Format::jpeg || task.rendition.trim) {
        return std::nullopt;
    }
    const Colour colour(source.header());
    if (colour.profiled()) {
        return std::nullopt;
    }
    const Size target = layout.turn.apply(geometry.resized);
    const Box box = before(layout.turn, layout.box, source.size());
    const Box cut = before(
        layout.turn,
        geometry.cut_by_content ? Box{0, 0, geometry.resized.width, geometry.resized.height} : geometry.cut,
        target);
    const double factor = std::min(static_cast<double>(box.width) / target.width,
                                   static_cast<double>(box.height) / target.height);
    if (factor < 1) {
        return std::nullopt;
    }
    JpegReader reader(task.original, task.settings.fail_on, task.cancellation);
    if (!reader.open()) {
        check(task.cancellation);
        return std::nullopt;
    }
    const Turn& turn = layout.turn;
    const Side across{box.x, box.x + box.width, target.width,
                      cut.x, cut.width,         turn.mirror != (turn.angle == 180 || turn.angle == 270)};
    const Side down{box.y, box.y + box.height, target.height,
                    cut.y, cut.height,         turn.angle == 90 || turn.angle == 180};
    std::vector<PlaneResizer> resizers;
    std::vector<AxisMap> lines;
    std::vector<int> at;
    do {
        const auto components = reader.scale(shrink_for(factor), halved && factor >= least_residue);
        resizers.clear();
        lines.clear();
        at.assign(components.size(), 0);
        for (std::size_t i = 0; i < components.size(); ++i) {
            const int every = i > 0 && halved ? 2 : 1;
            lines.push_back(map_of(down, components[i].down, components[i].height, every));
            resizers.emplace_back(map_of(across, components[i].across, components[i].width, every),
                                  lines.back());
        }
    } while (!reader.read(
        [&](int component, const std::uint8_t* line) {
            const auto i = static_cast<std::size_t>(component);
            if (at[i]++ >= lines[i].first) {
                resizers[i].push(line);
            }
        },
        [&] {
            return std::none_of(resizers.begin(), resizers.end(),
                                [](const PlaneResizer& r) { return r.wants_more(); });
        }));
    Planes planes;
    planes.count = static_cast<int>(resizers.size());
    planes.halved = halved;
    for (std::size_t i = 0; i < resizers.size(); ++i) {
        planes.plane[i] = std::move(resizers[i]).take();
        if (!turn.nothing()) {
            planes.plane[i] = turned(turn, planes.plane[i]);
        }
    }
    return planes;
}

std::optional<Encoded> render_directly(const RenderTask& task, const PictureSource& source,
                                       const Layout& layout, const EncodeOptions& options) {
    const Rendition& rendition = task.rendition;
    const Geometry& geometry = layout.geometry;
    const bool planar =
        options.format == Format::jpeg || options.format == Format::webp || options.format == Format::avif;
    const bool padded = !(geometry.canvas == Size{geometry.cut.width, geometry.cut.height});
    if (!planar || options.lossless || padded || geometry.cut_by_content || rendition.round ||
        has_effects(rendition) || rendition.strip != Strip::all) {
        return std::nullopt;
    }
    const auto start = std::chrono::steady_clock::now();
    // As libvips' encoders do it: fine colour is what high quality is asked for.
    const bool halved = options.format == Format::webp || options.quality < fine_colour;
    std::optional<Planes> planes = planes_of(task, source, layout, halved);
    if (!planes) {
        return std::nullopt;
    }
    if (!task.watermarks.empty() || options.format == Format::webp) {
        colour(*planes, halved);
    }
    for (const auto& watermark : task.watermarks) {
        watermark->lay_over(*planes, task.cancellation);
    }
    Encoded encoded;
    encoded.route = Route::direct;
    encoded.format = options.format;
    encoded.width = planes->size().width;
    encoded.height = planes->size().height;
    const auto middle = std::chrono::steady_clock::now();
    encoded.body = encode_to_fit(options, [&](int quality) {
        switch (options.format) {
            case Format::webp:
                return write_webp(*planes, quality, options.effort, task.cancellation);
            case Format::avif:
                return write_avif(*planes, quality, options.effort, task.cancellation);
            default:
                return write_jpeg(*planes, quality, task.cancellation);
        }
    });
    const auto end = std::chrono::steady_clock::now();
    encoded.decode_seconds = std::chrono::duration<double>(middle - start).count();
    encoded.encode_seconds = std::chrono::duration<double>(end - middle).count();
    return encoded;
}

}  // namespace media
