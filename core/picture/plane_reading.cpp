#include "core/picture/plane_reading.h"

#include <algorithm>
#include <cmath>

#include "core/picture/failure.h"
#include "core/picture/webp_reader.h"
#include "core/rendition/format.h"

namespace media {

namespace {

// One axis of the stored picture.
struct Side {
    int first, end;  // of them: the box that is resized
    int target;      // the pixels it becomes
    int cut, count;  // of these: where what is wanted begins, and how many are
    bool reversed;   // will be mirrored or turned round
    bool odd;        // PlaneOrder::odd_across, odd_down
};

// How samples of a plane become those of the result; `every` pixels of the result share one sample.
AxisMap map_of(const Side& side, double samples_a_pixel, int samples, int every) {
    const double step = static_cast<double>(side.end - side.first) / side.target * samples_a_pixel;
    // Of an odd number of pixels, the one that has a sample of colour to itself is the last one after the
    // turn, unless it is to be the first.
    const int before_first = every == 2 && side.odd ? 1 : 0;
    const int lead = every == 2 && side.reversed ? (side.count + before_first) % 2 : before_first;
    AxisMap map;
    map.step = step * every;
    map.origin = side.first * samples_a_pixel + (side.cut - lead) * step;
    map.first = std::clamp(static_cast<int>(std::floor(side.first * samples_a_pixel)), 0, samples - 1);
    map.last = std::clamp(static_cast<int>(std::ceil(side.end * samples_a_pixel)), map.first + 1, samples);
    map.count = (side.count + before_first + every - 1) / every;
    return map;
}

double factor_of(const PlaneOrder& order) {
    return std::min(static_cast<double>(order.box.width) / order.target.width,
                    static_cast<double>(order.box.height) / order.target.height);
}

int shrink_for(double factor) {
    for (const int shrink : {8, 4, 2}) {
        if (factor >= shrink * PlaneCascade::least_residue) {
            return shrink;
        }
    }
    return 1;
}

}  // namespace

bool PlaneReading::read(ByteView original, FailOn fail_on, const Cancellation& cancellation,
                        const std::function<bool(std::size_t)>& wanted) {
    const auto enough = [&] {
        bool all = true;
        for (std::size_t i = 0; i < orders_.size(); ++i) {
            if (!dropped_[i] && !wanted(i)) {
                dropped_[i] = true;
                for (std::size_t c = 0; c < cascades_.size(); ++c) {
                    cascades_[c].drop(results_[i][c]);
                }
            }
            all = all && (dropped_[i] || complete(i));
        }
        return all;
    };
    return sniff(original) == Format::webp ? read_webp(original, cancellation, enough)
                                           : read_jpeg(original, fail_on, cancellation, enough);
}

bool PlaneReading::read_jpeg(ByteView original, FailOn fail_on, const Cancellation& cancellation,
                             const Enough& enough) {
    JpegReader reader(original, fail_on, cancellation);
    if (!reader.open()) {
        check(cancellation);
        return false;
    }
    double factor = factor_of(orders_.front());
    for (const PlaneOrder& order : orders_) {
        factor = std::min(factor, factor_of(order));
    }
    do {
        begin(reader.scale(shrink_for(factor)));
    } while (!reader.read([&](int component, const std::uint8_t* line) { push(component, line); }, enough));
    return true;
}

bool PlaneReading::read_webp(ByteView original, const Cancellation& cancellation, const Enough& enough) {
    WebpReader reader(original);
    if (!reader.open() || !reader.lossy() || !(reader.size() == orders_.front().whole)) {
        return false;
    }
    begin(reader.planes());
    if (!reader.read_planes([&](int component, const std::uint8_t* line) { push(component, line); }, enough,
                            cancellation)) {
        cascades_.clear();
        return false;
    }
    return true;
}

void PlaneReading::push(int component, const std::uint8_t* line) {
    cascades_[static_cast<std::size_t>(component)].push(line);
}

void PlaneReading::begin(std::span<const JpegReader::Component> components) {
    cascades_.clear();
    results_.assign(orders_.size(), {});
    dropped_.assign(orders_.size(), false);
    for (const JpegReader::Component& component : components) {
        cascades_.emplace_back(component.width, component.height);
    }
    for (std::size_t i = 0; i < orders_.size(); ++i) {
        const PlaneOrder& order = orders_[i];
        const Turn& turn = order.turn;
        const Side across{.first = order.box.x,
                          .end = order.box.x + order.box.width,
                          .target = order.target.width,
                          .cut = order.cut.x,
                          .count = order.cut.width,
                          .reversed = turn.mirror != (turn.angle == 180 || turn.angle == 270),
                          .odd = turn.swaps() ? order.odd_down : order.odd_across};
        const Side down{.first = order.box.y,
                        .end = order.box.y + order.box.height,
                        .target = order.target.height,
                        .cut = order.cut.y,
                        .count = order.cut.height,
                        .reversed = turn.angle == 90 || turn.angle == 180,
                        .odd = turn.swaps() ? order.odd_across : order.odd_down};
        for (std::size_t c = 0; c < components.size(); ++c) {
            const JpegReader::Component& component = components[c];
            const int every = c > 0 && order.halved ? 2 : 1;
            results_[i][c] = cascades_[c].add(map_of(across, component.across, component.width, every),
                                              map_of(down, component.down, component.height, every));
        }
    }
}

bool PlaneReading::complete(std::size_t order) const {
    if (cascades_.empty() || dropped_[order]) {
        return false;
    }
    for (std::size_t c = 0; c < cascades_.size(); ++c) {
        if (cascades_[c].lacks(results_[order][c])) {
            return false;
        }
    }
    return true;
}

Planes PlaneReading::take(std::size_t order) {
    Planes planes;
    planes.count = static_cast<int>(cascades_.size());
    planes.halved = orders_[order].halved;
    for (std::size_t c = 0; c < cascades_.size(); ++c) {
        planes.plane[c] = cascades_[c].take(results_[order][c]);
        if (!orders_[order].turn.nothing()) {
            planes.plane[c] = turned(orders_[order].turn, planes.plane[c]);
        }
    }
    return planes;
}

}  // namespace media
