#include "core/picture/watermark.h"

#include <algorithm>
#include <chrono>
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

// Scaled copies kept for one watermark.
constexpr std::size_t max_scaled_bytes = std::size_t{16} << 20U;

// A watermark lies decoded in the memory of every worker.
constexpr std::int64_t max_watermark_pixels = 16'000'000;

// Draws one row of an overlay (straight alpha) over one row of a picture.
void over_row(const std::uint8_t* overlay, std::uint8_t* to, int count, bool alpha) {
    const int step = alpha ? 4 : 3;
    for (int x = 0; x < count; ++x, overlay += 4, to += step) {
        const int top = overlay[3];
        if (top == 0) {
            continue;
        }
        if (!alpha || to[3] == 255) {
            for (int b = 0; b < 3; ++b) {
                to[b] = static_cast<std::uint8_t>((overlay[b] * top + to[b] * (255 - top) + 127) / 255);
            }
            continue;
        }
        // Porter and Duff's "over"; weights in 1/255 of an alpha step.
        const int weight_top = top * 255;
        const int weight_bottom = to[3] * (255 - top);
        const int weight = weight_top + weight_bottom;
        for (int b = 0; b < 3; ++b) {
            to[b] = static_cast<std::uint8_t>((overlay[b] * weight_top + to[b] * weight_bottom + weight / 2) /
                                              weight);
        }
        to[3] = static_cast<std::uint8_t>((weight + 127) / 255);
    }
}

void draw(const Pixels& overlay, Pixels& onto, int x, int y) {
    const int left = std::max(0, x);
    const int right = std::min(onto.width(), x + overlay.width());
    if (left >= right) {
        return;
    }
    const auto from = static_cast<std::size_t>(left - x) * 4;
    const auto to = static_cast<std::size_t>(left) * static_cast<std::size_t>(onto.bands());
    for (int row = std::max(0, y); row < std::min(onto.height(), y + overlay.height()); ++row) {
        over_row(overlay.row(row - y) + from, onto.row(row) + to, right - left, onto.alpha());
    }
}

}  // namespace

Watermark::Watermark(Pixels picture, const WatermarkSpec& spec)
    : picture_(std::move(picture)), opacity_(spec.opacity), placement_(spec.placement) {}

void Watermark::lay_over(Pixels& pixels) {
    const Size size = pixels.size();
    const auto overlay = scaled_to(overlay_size(picture_.size(), size, placement_.size));
    if (!placement_.tile) {
        const Box box = overlay_box(overlay->size(), size, placement_);
        draw(*overlay, pixels, box.x, box.y);
        return;
    }
    // The margin runs around the whole and between the tiles.
    const int gap = static_cast<int>(std::floor(std::min(size.width, size.height) * placement_.margin + 0.5));
    for (int y = gap; y < size.height; y += overlay->height() + gap) {
        for (int x = gap; x < size.width; x += overlay->width() + gap) {
            draw(*overlay, pixels, x, y);
        }
    }
}

std::shared_ptr<const Pixels> Watermark::scaled_to(Size size) {
    {
        const std::lock_guard lock(mutex_);
        const auto found = std::find_if(scaled_.begin(), scaled_.end(),
                                        [size](const Scaled& scaled) { return scaled.size == size; });
        if (found != scaled_.end()) {
            scaled_.splice(scaled_.begin(), scaled_, found);
            return found->pixels;
        }
    }
    // Outside the lock: two threads may do the same once, none waits for another.
    const Cancellation never(Cancellation::Clock::time_point::max());
    VImage image = resize(picture_.image(), picture_.width(), picture_.height(), size);
    auto pixels = std::make_shared<Pixels>(to_memory(image, never));
    for (int y = 0; y < size.height && opacity_ < 1; ++y) {
        std::uint8_t* const row = pixels->row(y);
        for (int x = 0; x < size.width; ++x) {
            std::uint8_t& alpha = row[x * 4 + 3];
            alpha = static_cast<std::uint8_t>(std::lround(alpha * opacity_));
        }
    }
    const auto bytes_of = [](const Pixels& of) {
        return of.row_bytes() * static_cast<std::size_t>(of.height());
    };
    const std::lock_guard lock(mutex_);
    scaled_.push_front({size, pixels});
    scaled_bytes_ += bytes_of(*pixels);
    while (scaled_bytes_ > max_scaled_bytes && scaled_.size() > 1) {
        scaled_bytes_ -= bytes_of(*scaled_.back().pixels);
        scaled_.pop_back();
    }
    return pixels;
}

Result<std::shared_ptr<Watermark>> prepare_watermark(const WatermarkSpec& spec) noexcept {
    try {
        if (Status status = check_watermark(spec.file ? spec.file->view() : ByteView{}); !status) {
            return std::move(status).error();
        }
        const Cancellation never(Cancellation::Clock::time_point::max());
        const Source source(spec.file->view(), raster_formats(), FailOn::truncated, never);
        if (std::int64_t{source.size().width} * source.size().height > max_watermark_pixels) {
            return Error{500, "watermark \"" + spec.name + "\" has too many pixels"};
        }
        const Colour colour(source.header());
        VImage image = to_memory(colour.finish(colour.prepare(source.load({}))), never);
        const Turn turn = turn_of_orientation(source.orientation());
        if (!turn.nothing()) {
            image = to_memory(apply(turn, image), never);
        }
        return std::make_shared<Watermark>(Pixels(image).with_colour().with_alpha(), spec);
    } catch (const Failure& failure) {
        return Error{500, "watermark \"" + spec.name + "\": " + failure.error.detail};
    } catch (const vips::VError&) {
        vips_error_clear();
        return Error{500, "watermark \"" + spec.name + "\" cannot be decoded"};
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
