// What a common decode gives to one rendition.
#pragma once

#include "core/picture/plane_reading.h"
#include "core/picture/planes.h"

namespace media {

/// The planes of an order, never changed.
struct DecodedPlanes {
    PlaneOrder order;
    Planes planes;
    int renditions;  ///< that are made of the decode, all orders together
    double seconds;  ///< that the decode took
};

}  // namespace media
