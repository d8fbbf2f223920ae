// From pixels to the bytes of a file.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vips/vips8>

#include "core/base/bytes.h"
#include "core/base/cancellation.h"
#include "core/rendition/format.h"

namespace media {

struct EncodeOptions {
    Format format = Format::jpeg;
    int quality = 0;  ///< where the format has one
    int effort = 0;   ///< likewise
    bool lossless = false;
    bool metadata = false;  ///< the image carries metadata that is to be kept
    std::optional<std::uint64_t> max_bytes;
};

/// Throws Failure 504 where an encoder that cannot be stopped would not end in time for so many pixels, 400
/// where the format cannot hold a picture of this size.
void admit(const EncodeOptions& options, int width, int height, int pages, const Cancellation& cancellation);

/// Lets `write` encode at the quality of the options, and at lower ones where `max_bytes` asks for it. Throws
/// Failure 422 when nothing fits.
Bytes encode_to_fit(const EncodeOptions& options, const std::function<Bytes(int quality)>& write);

/// Encodes so that it fits. `image` is of 8 bits, gray or sRGB. Throws Failure: 422, 503, 504.
Bytes encode(const vips::VImage& image, const EncodeOptions& options, const Cancellation& cancellation);

}  // namespace media
