// Watermarks: a picture prepared once and laid over renditions.
#pragma once

#include <memory>
#include <string>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/rendition/geometry.h"

namespace media {

/// As `media_watermark` declares it. Plain data; made when the configuration is read.
struct WatermarkSpec {
    std::string name;
    std::shared_ptr<const Bytes> file;  ///< content of the picture file
    double opacity = 1;
    OverlayPlacement placement;
    std::string fingerprint;  ///< hash of content and options, part of the cache key
};

/// A watermark ready to be laid over renditions: decoded once, scaled copies kept for the sizes last used
/// (bounded). Thread-safe; shared by all pool threads of a worker.
class Watermark;

/// Decodes the picture. Needs the engine. Errors: 500 with a detail fit for the operator's log.
Result<std::shared_ptr<Watermark>> prepare_watermark(const WatermarkSpec& spec) noexcept;

/// A quick look whether the content is a raster picture, without starting the engine: for `nginx -t`.
Status check_watermark(ByteView file) noexcept;

}  // namespace media
