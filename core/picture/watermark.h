// Watermarks: a picture prepared once, or a text drawn for each request, laid over renditions.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <string>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/rendition/geometry.h"
#include "core/rendition/rendition.h"

namespace media {

/// What the letters of a text look like.
struct TextStyle {
    std::string font = "Sans";               ///< a Pango font description; a size in it does not matter
    std::shared_ptr<const Bytes> font_file;  ///< the font itself; then `font` does not matter
    Color color{255, 255, 255, 255};
};

/// As `media_watermark` and `media_watermark_text` declare it. Plain data; made when the configuration is
/// read.
struct WatermarkSpec {
    std::string name;
    std::shared_ptr<const Bytes> file;  ///< content of the picture file; none for a text
    std::optional<TextStyle> text;
    double opacity = 1;
    OverlayPlacement placement;
    std::string fingerprint;  ///< hash of content and options, part of the cache key; the text is not in it
};

/// A watermark ready to be laid over renditions. What was drawn is kept for the sizes and texts last used
/// (bounded). Thread-safe; shared by all pool threads of a worker.
class Watermark;

/// Characters (code points) of a text; what is longer is to be cut before it is drawn.
inline constexpr std::size_t max_watermark_text = 200;

/// Decodes the picture; of a text, only notes what will be drawn. Needs the engine.
/// Errors: 500 with a detail fit for the operator's log.
Result<std::shared_ptr<Watermark>> prepare_watermark(const WatermarkSpec& spec) noexcept;

/// A text watermark with the text of one request (as `plain_text` gives it; an empty one draws nothing). A
/// picture comes back as it is. Does no work: for the event loop.
std::shared_ptr<Watermark> watermark_with_text(std::shared_ptr<Watermark> watermark, const std::string& text);

/// Loads the fonts of a text watermark, which may take a second where no font cache is at hand: for a pool
/// thread. Done by the first text otherwise. Errors: 500 with a detail fit for the operator's log.
Status load_fonts(Watermark& watermark) noexcept;

/// A quick look whether the content is a raster picture, without starting the engine: for `nginx -t`.
Status check_watermark(ByteView file) noexcept;

/// Likewise, whether it is a font: TrueType, OpenType, a collection of them, or WOFF.
Status check_font(ByteView file) noexcept;

}  // namespace media
