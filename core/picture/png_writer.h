// Pixels into a PNG without metadata.
#pragma once

#include "core/base/bytes.h"
#include "core/base/cancellation.h"
#include "core/picture/pixels.h"

namespace media {

/// The size of pictures that write_png takes: it works on all of one at once and cannot be stopped for a part
/// of a second. Larger ones are left to who writes line by line.
bool suits_write_png(Size size, int bands);

/// A PNG of no more bytes, but for a few hundredths, than zlib's level 6 makes of unfiltered lines, at the
/// least effort that gets there. Throws Failure.
Bytes write_png(const Pixels& pixels, const Cancellation& cancellation);

}  // namespace media
