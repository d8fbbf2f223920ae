// The scans of a progressive JPEG (ITU-T T.81, annex G), as bytes.
#pragma once

#include <cstdint>
#include <vector>

#include "core/base/bytes.h"

namespace media {

/// What remains of a progressive JPEG, from within its first scan on, without the scans that hold detail (AC
/// coefficients) of the component `id` alone: a decoder that makes one sample of a block of it looks at none
/// of them. Pieces of `rest`, in order; none where the file does not go on in good order to its end.
std::vector<ByteView> scans_without_detail(ByteView rest, std::uint8_t id);

}  // namespace media
