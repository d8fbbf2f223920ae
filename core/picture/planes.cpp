#include "core/picture/planes.h"

#include <algorithm>

namespace media {

namespace {

// What a codec's block (16) and a vector (64) may take beyond the last pixel.
constexpr std::size_t line_unit = 64;

}  // namespace

Plane::Plane(Size size)
    : size_(size), stride_((static_cast<std::size_t>(size.width) + line_unit - 1) / line_unit * line_unit) {
    samples_.reset(new std::uint8_t[stride_ * static_cast<std::size_t>(size.height)]);
}

Plane Plane::copy() const {
    if (empty()) {
        return {};
    }
    Plane same(size_);
    std::copy_n(row(0), stride_ * static_cast<std::size_t>(size_.height), same.row(0));
    return same;
}

Planes Planes::copy() const {
    Planes same;
    std::transform(plane.begin(), plane.end(), same.plane.begin(), [](const Plane& p) { return p.copy(); });
    same.alpha = alpha.copy();
    same.count = count;
    same.halved = halved;
    return same;
}

Planes& LentPlanes::own() {
    if (!own_) {
        own_ = others_->copy();
    }
    return *own_;
}

void colour(Planes& planes, bool halved) {
    if (planes.count == 3) {
        return;
    }
    const Size size = planes.size();
    const int every = halved ? 2 : 1;
    for (std::size_t i = 1; i < 3; ++i) {
        planes.plane[i] = Plane({(size.width + every - 1) / every, (size.height + every - 1) / every});
        for (int y = 0; y < planes.plane[i].height(); ++y) {
            std::fill_n(planes.plane[i].row(y), planes.plane[i].stride(), std::uint8_t{128});
        }
    }
    planes.count = 3;
    planes.halved = halved;
}

Plane turned(const Turn& turn, const Plane& plane) {
    const Size from = plane.size();
    Plane out(turn.apply(from));
    // In blocks: a turn by 90 degrees walks down columns.
    constexpr int block = 32;
    const bool reverse_x = turn.mirror != (turn.angle == 180 || turn.angle == 270);
    const bool reverse_y = turn.angle == 90 || turn.angle == 180;
    for (int top = 0; top < from.height; top += block) {
        for (int left = 0; left < from.width; left += block) {
            for (int y = top; y < std::min(top + block, from.height); ++y) {
                const std::uint8_t* const row = plane.row(y);
                const int to_y = reverse_y ? from.height - 1 - y : y;
                for (int x = left; x < std::min(left + block, from.width); ++x) {
                    const int to_x = reverse_x ? from.width - 1 - x : x;
                    if (turn.swaps()) {
                        out.row(to_x)[to_y] = row[x];
                    } else {
                        out.row(to_y)[to_x] = row[x];
                    }
                }
            }
        }
    }
    return out;
}

}  // namespace media
