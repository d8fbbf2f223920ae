#include "core/picture/overlay.h"

#include <algorithm>
#include <cmath>
#include <utility>

namespace media {

namespace {

// Of one watermark.
constexpr std::size_t max_kept_bytes = std::size_t{16} << 20U;
constexpr std::size_t max_kept = 256;

std::size_t bytes_of(const Pixels& pixels) {
    return pixels.row_bytes() * static_cast<std::size_t>(pixels.height());
}

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

std::shared_ptr<const Pixels> OverlayCache::find(std::string_view text, Size size) {
    const std::lock_guard lock(mutex_);
    const auto found = std::find_if(entries_.begin(), entries_.end(), [&](const Entry& entry) {
        return entry.size == size && entry.text == text;
    });
    if (found == entries_.end()) {
        return nullptr;
    }
    entries_.splice(entries_.begin(), entries_, found);
    return found->pixels;
}

void OverlayCache::keep(std::string_view text, Size size, std::shared_ptr<const Pixels> pixels) {
    const std::lock_guard lock(mutex_);
    bytes_ += bytes_of(*pixels);
    entries_.push_front({std::string(text), size, std::move(pixels)});
    while (entries_.size() > max_kept || (bytes_ > max_kept_bytes && entries_.size() > 1)) {
        bytes_ -= bytes_of(*entries_.back().pixels);
        entries_.pop_back();
    }
}

void Watermark::lay_over(Pixels& pixels, const Cancellation& cancellation) {
    const Size size = pixels.size();
    const auto overlay = overlay_for(size, cancellation);
    if (overlay == nullptr) {
        return;
    }
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

}  // namespace media
