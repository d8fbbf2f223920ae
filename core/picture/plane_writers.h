// Planes into files, without a way through RGB.
#pragma once

#include "core/base/bytes.h"
#include "core/base/cancellation.h"
#include "core/picture/planes.h"

namespace media {

/// A baseline JPEG, without alpha. Throws Failure.
Bytes write_jpeg(const Planes& planes, int quality, const Cancellation& cancellation);

/// A lossy WebP of halved planes in colour; `effort` 0-6. Throws Failure.
Bytes write_webp(const Planes& planes, int quality, int effort, const Cancellation& cancellation);

/// A still AVIF of planes as they are; `effort` 0-9. Throws Failure. Runs to its end once it has begun.
Bytes write_avif(const Planes& planes, int quality, int effort, const Cancellation& cancellation);

}  // namespace media
