// Progressive JPEGs in one scan, which is read several times faster.
#pragma once

#include "core/base/bytes.h"
#include "core/base/cancellation.h"
#include "core/base/result.h"
#include "core/rendition/outline.h"

namespace media {

/// Whether a copy in one scan pays for itself by the second rendition of such a size that is made of it: of a
/// progressive JPEG of at least a megapixel, unless it becomes so small that most scans are left out
/// (bench/README.md).
bool pays_as_sequential(const Outline& original, Size rendition) noexcept;

/// A progressive JPEG in one scan: its coefficients, so the same picture in the same quality, and what it
/// says of itself (APPn and COM before its first scan). Takes the memory of all coefficients, two bytes each,
/// and at most one and a half times that of the original for the copy. Errors: 500 for an original that is
/// not complete and sound or cannot be had in one scan, 503, 504.
Result<Bytes> as_sequential(ByteView original, const Cancellation& cancellation) noexcept;

}  // namespace media
