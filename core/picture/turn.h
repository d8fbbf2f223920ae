// The eight ways in which a picture can lie: EXIF orientation, `rot` and `flip` in one.
#pragma once

#include <vips/vips8>

#include "core/rendition/geometry.h"

namespace media {

/// First mirror left to right (where `mirror`), then turn clockwise by `angle` (0, 90, 180, 270).
struct Turn {
    bool mirror = false;
    int angle = 0;

    bool operator==(const Turn&) const = default;
    bool nothing() const { return !mirror && angle == 0; }
    bool swaps() const { return angle == 90 || angle == 270; }

    /// This turn, and then another.
    Turn then(Turn next) const {
        const int before = next.mirror ? 360 - angle : angle;
        return {mirror != next.mirror, (before + next.angle) % 360};
    }

    Size apply(Size size) const { return swaps() ? Size{size.height, size.width} : size; }
};

/// The turn that EXIF orientation 1-8 asks for.
Turn turn_of_orientation(int orientation);

/// Orientation, then `rot`, then `flip`.
Turn turn_of(int orientation, const Rendition& rendition);

/// Where a box of the turned picture lies in the picture as stored, which is of size `stored`.
Box before(const Turn& turn, Box box, Size stored);

/// Needs an image that allows random access.
vips::VImage apply(const Turn& turn, vips::VImage image);

}  // namespace media
