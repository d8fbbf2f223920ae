// Between planes and colours.
#pragma once

#include <cstdint>

#include "core/picture/pixels.h"
#include "core/picture/planes.h"

namespace media {

/// A colour of sRGB in the terms of planes, in 1/256 of a level (JFIF 1.02, page 3).
struct PlaneColour {
    int y = 0, cb = 0, cr = 0;
};

constexpr PlaneColour plane_colour(int r, int g, int b) {
    return {(19595 * r + 38470 * g + 7471 * b + 128) / 256,
            (-11058 * r - 21710 * g + 32768 * b + 128) / 256 + 128 * 256,
            (32768 * r - 27440 * g - 5328 * b + 128) / 256 + 128 * 256};
}

/// Gray of planes in colour that are not halved: as light as what they show, which is measured in linear
/// light, with the weights that libvips has for it (R 0.2, G 0.7, B 0.1).
Planes grayed(const Planes& planes);

/// Planes that are not halved as sRGB, or as gray.
Pixels pixels_of(const Planes& planes);

}  // namespace media
