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

// A pixel of an overlay in the terms of planes, weighted by its alpha, in 1/256 of a level.
struct Weighed {
    int y = 0, cb = 0, cr = 0;
    int alpha = 0;
};

// JFIF 1.02, page 3.
Weighed weighed(const std::uint8_t* pixel) {
    const int r = pixel[0];
    const int g = pixel[1];
    const int b = pixel[2];
    const int alpha = pixel[3];
    return {(19595 * r + 38470 * g + 7471 * b + 128) / 256 * alpha,
            ((-11058 * r - 21710 * g + 32768 * b + 128) / 256 + 128 * 256) * alpha,
            ((32768 * r - 27440 * g - 5328 * b + 128) / 256 + 128 * 256) * alpha, alpha};
}

// `top` in 1/256 of a level times alpha, of `pixels` pixels together.
std::uint8_t laid_over(int top, int alpha, std::uint8_t bottom, int pixels) {
    const int whole = 255 * pixels;
    return static_cast<std::uint8_t>(
        std::clamp((top + bottom * (whole - alpha) * 256 + whole * 128) / (whole * 256), 0, 255));
}

void draw(const Pixels& overlay, Planes& onto, int x, int y) {
    const Size size = onto.size();
    const int left = std::max(0, x);
    const int right = std::min(size.width, x + overlay.width());
    const int top = std::max(0, y);
    const int bottom = std::min(size.height, y + overlay.height());
    const auto pixel = [&](int at_x, int at_y) {
        const bool inside = at_x >= left && at_x < right && at_y >= top && at_y < bottom;
        return inside ? weighed(overlay.row(at_y - y) + static_cast<std::ptrdiff_t>(at_x - x) * 4)
                      : Weighed{};
    };
    for (int at_y = top; at_y < bottom; ++at_y) {
        std::uint8_t* const row = onto.plane[0].row(at_y);
        for (int at_x = left; at_x < right; ++at_x) {
            if (const Weighed over = pixel(at_x, at_y); over.alpha != 0) {
                row[at_x] = laid_over(over.y, over.alpha, row[at_x], 1);
            }
        }
    }
    // A sample of colour stands for the pixels around it, of which the overlay may cover some.
    const int every = onto.halved ? 2 : 1;
    for (int at_y = top / every; at_y * every < bottom; ++at_y) {
        std::uint8_t* const cb = onto.plane[1].row(at_y);
        std::uint8_t* const cr = onto.plane[2].row(at_y);
        for (int at_x = left / every; at_x * every < right; ++at_x) {
            Weighed sum;
            int pixels = 0;
            for (int v = at_y * every; v < std::min((at_y + 1) * every, size.height); ++v) {
                for (int u = at_x * every; u < std::min((at_x + 1) * every, size.width); ++u, ++pixels) {
                    const Weighed over = pixel(u, v);
                    sum.cb += over.cb;
                    sum.cr += over.cr;
                    sum.alpha += over.alpha;
                }
            }
            if (sum.alpha != 0) {
                cb[at_x] = laid_over(sum.cb, sum.alpha, cb[at_x], pixels);
                cr[at_x] = laid_over(sum.cr, sum.alpha, cr[at_x], pixels);
            }
        }
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

template <class Picture>
void Watermark::place(Picture& onto, const Cancellation& cancellation) {
    const Size size = onto.size();
    const auto overlay = overlay_for(size, cancellation);
    if (overlay == nullptr) {
        return;
    }
    if (!placement_.tile) {
        const Box box = overlay_box(overlay->size(), size, placement_);
        draw(*overlay, onto, box.x, box.y);
        return;
    }
    // The margin runs around the whole and between the tiles.
    const int gap = static_cast<int>(std::floor(std::min(size.width, size.height) * placement_.margin + 0.5));
    for (int y = gap; y < size.height; y += overlay->height() + gap) {
        for (int x = gap; x < size.width; x += overlay->width() + gap) {
            draw(*overlay, onto, x, y);
        }
    }
}

void Watermark::lay_over(Pixels& pixels, const Cancellation& cancellation) {
    place(pixels, cancellation);
}

void Watermark::lay_over(Planes& planes, const Cancellation& cancellation) {
    place(planes, cancellation);
}

}  // namespace media
