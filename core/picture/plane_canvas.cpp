#include "core/picture/plane_canvas.h"

#include <algorithm>
#include <cstdint>

#include "core/picture/plane_colour.h"

namespace media {

namespace {

constexpr std::uint8_t opaque = 255;
constexpr std::uint8_t no_colour = 128;

std::uint8_t level(int in_256ths) {
    return static_cast<std::uint8_t>(std::min((in_256ths + 128) / 256, 255));
}

Plane filled(Size size, std::uint8_t value) {
    Plane plane(size);
    for (int y = 0; y < size.height; ++y) {
        std::fill_n(plane.row(y), plane.stride(), value);
    }
    return plane;
}

void lay(const Plane& picture, int x, int y, Plane& canvas) {
    for (int row = 0; row < picture.height(); ++row) {
        std::copy_n(picture.row(row), picture.width(), canvas.row(y + row) + x);
    }
}

// One axis of a canvas whose colour is halved.
struct Axis {
    int offset, length;  // of the picture
    int whole;           // canvas

    int first() const { return offset / 2; }
    int end() const { return (offset + length + 1) / 2; }
    // Of the one or two pixels of a sample: those that exist, and those that are the picture's.
    int pixels(int sample) const { return std::min(2, whole - 2 * sample); }
    int covered(int sample) const {
        return std::min(2 * sample + 2, offset + length) - std::max(2 * sample, offset);
    }
};

// Samples at the picture's edge may stand for pixels beside it too, which count as much as they can be seen.
void lay_halved(const Plane& picture, const Axis& across, const Axis& down, const Color& fill,
                Plane& canvas) {
    for (int y = down.first(); y < down.end(); ++y) {
        const std::uint8_t* const from = picture.row(y - down.first());
        std::uint8_t* const to = canvas.row(y);
        for (int x = across.first(); x < across.end(); ++x) {
            const int covered = across.covered(x) * down.covered(y);
            const int inside = covered * opaque;
            const int outside = (across.pixels(x) * down.pixels(y) - covered) * fill.a;
            const int sum = from[x - across.first()] * inside + to[x] * outside;
            to[x] = static_cast<std::uint8_t>((sum + (inside + outside) / 2) / (inside + outside));
        }
    }
}

}  // namespace

Planes on_canvas(const Planes& picture, const Geometry& geometry, Color fill, bool halved) {
    const PlaneColour ink = plane_colour(fill.r, fill.g, fill.b);
    const Size size = geometry.canvas;
    const int x = geometry.offset_x;
    const int y = geometry.offset_y;
    Planes canvas;
    canvas.count = picture.count == 3 || fill.r != fill.g || fill.g != fill.b ? 3 : 1;
    canvas.halved = canvas.count == 3 && (picture.count == 3 ? picture.halved : halved);
    canvas.plane[0] = filled(size, level(ink.y));
    lay(picture.plane[0], x, y, canvas.plane[0]);
    if (fill.a != opaque) {
        canvas.alpha = filled(size, fill.a);
        lay(filled(picture.size(), opaque), x, y, canvas.alpha);
    }
    const Plane neutral = picture.count == 1 ? filled(picture.size(), no_colour) : Plane();
    for (std::size_t i = 1; i < static_cast<std::size_t>(canvas.count); ++i) {
        const Plane& plane = picture.count == 3 ? picture.plane[i] : neutral;
        const std::uint8_t value = level(i == 1 ? ink.cb : ink.cr);
        if (canvas.halved) {
            canvas.plane[i] = filled({(size.width + 1) / 2, (size.height + 1) / 2}, value);
            lay_halved(plane, {x, picture.size().width, size.width}, {y, picture.size().height, size.height},
                       fill, canvas.plane[i]);
        } else {
            canvas.plane[i] = filled(size, value);
            lay(plane, x, y, canvas.plane[i]);
        }
    }
    return canvas;
}

}  // namespace media
