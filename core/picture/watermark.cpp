#include "core/picture/watermark.h"

#include <cmath>
#include <string>
#include <utility>

#include "core/picture/colour.h"
#include "core/picture/engine.h"
#include "core/picture/failure.h"
#include "core/picture/overlay.h"
#include "core/picture/resize.h"
#include "core/picture/source.h"
#include "core/picture/turn.h"
#include "core/rendition/format.h"

namespace media {

using vips::VImage;

namespace {

// A watermark lies decoded in the memory of every worker.
constexpr std::int64_t max_watermark_pixels = 16'000'000;

const Cancellation& never() {
    static const Cancellation forever(Cancellation::Clock::time_point::max());
    return forever;
}

class PictureWatermark final : public Watermark {
  public:
    /// `picture` is sRGB with alpha.
    PictureWatermark(Pixels picture, const WatermarkSpec& spec)
        : Watermark(spec.placement), picture_(std::move(picture)), opacity_(spec.opacity) {}

  private:
    std::shared_ptr<const Pixels> overlay_for(Size rendition, const Cancellation& /*cancellation*/) override {
        const Size size = overlay_size(picture_.size(), rendition, placement().size);
        if (auto kept = cache_.find({}, size)) {
            return kept;
        }
        // Two threads may do the same once, none waits for another.
        auto pixels = std::make_shared<Pixels>(resize(picture_.image(), size, never()));
        for (int y = 0; y < size.height && opacity_ < 1; ++y) {
            std::uint8_t* const row = pixels->row(y);
            for (int x = 0; x < size.width; ++x) {
                std::uint8_t& alpha = row[x * 4 + 3];
                alpha = static_cast<std::uint8_t>(std::lround(alpha * opacity_));
            }
        }
        cache_.keep({}, size, pixels);
        return pixels;
    }

    const Pixels picture_;
    const double opacity_;
    OverlayCache cache_;
};

std::shared_ptr<Watermark> make_picture_watermark(const WatermarkSpec& spec) {
    if (Status status = check_watermark(spec.file ? spec.file->view() : ByteView{}); !status) {
        throw Failure{std::move(status).error()};
    }
    const PictureSource source(spec.file->view(), raster_formats(), FailOn::truncated, never());
    if (std::int64_t{source.size().width} * source.size().height > max_watermark_pixels) {
        fail(500, "it has too many pixels");
    }
    const Colour colour(source.header());
    VImage image = to_memory(colour.finish(colour.prepare(source.load({}))), never());
    const Turn turn = turn_of_orientation(source.orientation());
    if (!turn.nothing()) {
        image = to_memory(apply(turn, image), never());
    }
    return std::make_shared<PictureWatermark>(Pixels(image).with_colour().with_alpha(), spec);
}

}  // namespace

Result<std::shared_ptr<Watermark>> prepare_watermark(const WatermarkSpec& spec) noexcept {
    try {
        return spec.text ? make_text_watermark(spec) : make_picture_watermark(spec);
    } catch (const Failure& failure) {
        return Error{500, failure.error.detail};
    } catch (const vips::VError&) {
        vips_error_clear();
        return Error{500, "it cannot be decoded"};
    } catch (...) {
        return Error{500, "out of memory"};
    }
}

std::shared_ptr<Watermark> watermark_with_text(std::shared_ptr<Watermark> watermark,
                                               const std::string& text) {
    auto written = watermark->with_text(text);
    return written == nullptr ? std::move(watermark) : written;
}

Status load_fonts(Watermark& watermark) noexcept {
    try {
        watermark.load_fonts(never());
        return Nothing{};
    } catch (const Failure& failure) {
        return Error{500, failure.error.detail};
    } catch (...) {
        return Error{500, "out of memory"};
    }
}

Status check_watermark(ByteView file) noexcept {
    try {
        const auto format = sniff(file);
        if (!format) {
            return Error{500, "the watermark is not a picture of a known format"};
        }
        if (!info(*format).raster) {
            return Error{500, "a watermark cannot be " + std::string(info(*format).name)};
        }
        return Nothing{};
    } catch (...) {
        return Error{500, "out of memory"};
    }
}

}  // namespace media
