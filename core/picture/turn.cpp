#include "core/picture/turn.h"

#include <utility>

namespace media {

Turn turn_of_orientation(int orientation) {
    switch (orientation) {
        case 2:
            return {true, 0};
        case 3:
            return {false, 180};
        case 4:
            return {true, 180};
        case 5:
            return {true, 270};
        case 6:
            return {false, 90};
        case 7:
            return {true, 90};
        case 8:
            return {false, 270};
        default:
            return {};
    }
}

Turn turn_of(int orientation, const Rendition& rendition) {
    Turn turn = turn_of_orientation(orientation).then({false, rendition.rotate});
    switch (rendition.flip) {
        case Flip::h:
            return turn.then({true, 0});
        case Flip::v:
            return turn.then({true, 180});
        case Flip::hv:
            return turn.then({false, 180});
        case Flip::none:
            break;
    }
    return turn;
}

Box before(const Turn& turn, Box box, Size stored) {
    // Undo the angle: (x, y) of the turned picture in terms of the unturned one.
    switch (turn.angle) {
        case 90:
            box = {box.y, stored.height - box.x - box.width, box.height, box.width};
            break;
        case 180:
            box = {stored.width - box.x - box.width, stored.height - box.y - box.height, box.width,
                   box.height};
            break;
        case 270:
            box = {stored.width - box.y - box.height, box.x, box.height, box.width};
            break;
        default:
            break;
    }
    if (turn.mirror) {
        box.x = stored.width - box.x - box.width;
    }
    return box;
}

vips::VImage apply(const Turn& turn, vips::VImage image) {
    if (turn.mirror) {
        image = image.flip(VIPS_DIRECTION_HORIZONTAL);
    }
    switch (turn.angle) {
        case 90:
            return image.rot(VIPS_ANGLE_D90);
        case 180:
            return image.rot(VIPS_ANGLE_D180);
        case 270:
            return image.rot(VIPS_ANGLE_D270);
        default:
            return image;
    }
}

}  // namespace media
