#include "core/picture/finish.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>

namespace media {

namespace {

std::uint8_t mix(int top, int bottom, int share) {
    return static_cast<std::uint8_t>((top * share + bottom * (255 - share) + 127) / 255);
}

bool is_gray(Color color) {
    return color.r == color.g && color.g == color.b;
}

// A colour in the bands of a picture.
std::array<std::uint8_t, 4> ink_of(Color color, const Pixels& pixels) {
    if (pixels.colour()) {
        return {color.r, color.g, color.b, color.a};
    }
    return {color.r, color.a, 0, 0};
}

}  // namespace

Color over_white(Color color) {
    return {mix(color.r, 255, color.a), mix(color.g, 255, color.a), mix(color.b, 255, color.a), 255};
}

Pixels flattened(const Pixels& pixels, Color color) {
    if (!pixels.alpha()) {
        return pixels;
    }
    const Pixels in = is_gray(color) ? pixels : pixels.with_colour();
    const auto ink = ink_of(color, in);
    const int colours = in.bands() - 1;
    Pixels out = Pixels::blank(in.size(), colours);
    for (int y = 0; y < in.height(); ++y) {
        const std::uint8_t* from = in.row(y);
        std::uint8_t* to = out.row(y);
        for (int x = 0; x < in.width(); ++x, from += colours + 1, to += colours) {
            const int alpha = from[colours];
            for (int b = 0; b < colours; ++b) {
                to[b] = mix(from[b], ink[static_cast<std::size_t>(b)], alpha);
            }
        }
    }
    return out;
}

Pixels on_canvas(const Pixels& pixels, const Geometry& geometry, Color fill) {
    if (geometry.canvas == pixels.size()) {
        return pixels;
    }
    Pixels in = pixels;
    if (!is_gray(fill)) {
        in = in.with_colour();
    }
    if (fill.a != 255) {
        in = in.with_alpha();
    }
    const auto ink = ink_of(fill, in);
    const auto bands = static_cast<std::size_t>(in.bands());
    Pixels out = Pixels::blank(geometry.canvas, in.bands());
    std::uint8_t* const first = out.row(0);
    for (int x = 0; x < out.width(); ++x) {
        std::copy_n(ink.begin(), bands, first + static_cast<std::size_t>(x) * bands);
    }
    for (int y = 1; y < out.height(); ++y) {
        std::memcpy(out.row(y), first, out.row_bytes());
    }
    // Whatever sticks out is cut off.
    const int left = std::max(0, geometry.offset_x);
    const int right = std::min(out.width(), geometry.offset_x + in.width());
    for (int y = std::max(0, geometry.offset_y);
         y < std::min(out.height(), geometry.offset_y + in.height()) && left < right; ++y) {
        std::memcpy(
            out.row(y) + static_cast<std::size_t>(left) * bands,
            in.row(y - geometry.offset_y) + static_cast<std::size_t>(left - geometry.offset_x) * bands,
            static_cast<std::size_t>(right - left) * bands);
    }
    return out;
}

void round_corners(Pixels& pixels, int radius, const std::optional<Color>& fill) {
    const int width = pixels.width();
    const int height = pixels.height();
    const double limit = std::min(width, height) / 2.0;
    const double r = radius == round_max ? limit : std::min<double>(radius, limit);
    if (r <= 0) {
        return;
    }
    if (!fill) {
        pixels = pixels.with_alpha();
    } else if (!is_gray(*fill)) {
        pixels = pixels.with_colour();
    }
    const auto ink = ink_of(fill.value_or(Color{}), pixels);
    const int bands = pixels.bands();
    const int colours = pixels.colour() ? 3 : 1;
    const int corner = static_cast<int>(std::ceil(r));
    const auto shade = [&](int x, int y, int cover) {
        std::uint8_t* const pixel =
            pixels.row(y) + static_cast<std::size_t>(x) * static_cast<std::size_t>(bands);
        if (!fill) {
            pixel[bands - 1] = mix(pixel[bands - 1], 0, cover);
            return;
        }
        for (int b = 0; b < colours; ++b) {
            pixel[b] = mix(pixel[b], ink[static_cast<std::size_t>(b)], cover);
        }
        if (bands > colours) {
            pixel[bands - 1] = mix(pixel[bands - 1], 255, cover);
        }
    };
    for (int y = 0; y < corner; ++y) {
        for (int x = 0; x < corner; ++x) {
            // How much of this pixel lies within the circle: near enough by the distance of its centre.
            const double distance = std::hypot(r - x - 0.5, r - y - 0.5);
            const int cover = static_cast<int>(std::lround(std::clamp(r - distance + 0.5, 0.0, 1.0) * 255));
            if (cover == 255) {
                continue;
            }
            // Where two corners meet in the middle of an odd side, its pixels belong to one of them only.
            const bool twice_x = width - 1 - x <= x;
            const bool twice_y = height - 1 - y <= y;
            shade(x, y, cover);
            if (!twice_x) {
                shade(width - 1 - x, y, cover);
            }
            if (!twice_y) {
                shade(x, height - 1 - y, cover);
            }
            if (!twice_x && !twice_y) {
                shade(width - 1 - x, height - 1 - y, cover);
            }
        }
    }
}

}  // namespace media
