#include "core/picture/overlay.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/picture/plane_colour.h"

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

Weighed weighed(const std::uint8_t* pixel) {
    const PlaneColour colour = plane_colour(pixel[0], pixel[1], pixel[2]);
    const int alpha = pixel[3];
    return {colour.y * alpha, colour.cb * alpha, colour.cr * alpha, alpha};
}

// How much of the pixels of a sample can be seen, in 1/255² of a pixel: Porter and Duff's "over".
struct Seen {
    int over = 0, under = 0;

    static Seen of(int alpha_over, int alpha_under) {
        return {alpha_over * 255, alpha_under * (255 - alpha_over)};
    }

    void add(const Seen& more) {
        over += more.over;
        under += more.under;
    }
};

// `top` in 1/256 of a level times alpha, of all pixels of the sample together.
std::uint8_t laid_over(int top, std::uint8_t bottom, const Seen& seen) {
    const float sum = static_cast<float>(top) * (255.0F / 256) +
                      static_cast<float>(bottom) * static_cast<float>(seen.under);
    return static_cast<std::uint8_t>(
        std::clamp(sum / static_cast<float>(seen.over + seen.under) + 0.5F, 0.0F, 255.0F));
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
    const auto seen = [&](const Weighed& over, int at_x, int at_y) {
        return Seen::of(over.alpha, onto.alpha.empty() ? 255 : onto.alpha.row(at_y)[at_x]);
    };
    for (int at_y = top; at_y < bottom; ++at_y) {
        std::uint8_t* const row = onto.plane[0].row(at_y);
        for (int at_x = left; at_x < right; ++at_x) {
            if (const Weighed over = pixel(at_x, at_y); over.alpha != 0) {
                row[at_x] = laid_over(over.y, row[at_x], seen(over, at_x, at_y));
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
            Seen all;
            for (int v = at_y * every; v < std::min((at_y + 1) * every, size.height); ++v) {
                for (int u = at_x * every; u < std::min((at_x + 1) * every, size.width); ++u) {
                    const Weighed over = pixel(u, v);
                    sum.cb += over.cb;
                    sum.cr += over.cr;
                    all.add(seen(over, u, v));
                }
            }
            if (all.over != 0) {
                cb[at_x] = laid_over(sum.cb, cb[at_x], all);
                cr[at_x] = laid_over(sum.cr, cr[at_x], all);
            }
        }
    }
    for (int at_y = top; !onto.alpha.empty() && at_y < bottom; ++at_y) {
        std::uint8_t* const row = onto.alpha.row(at_y);
        for (int at_x = left; at_x < right; ++at_x) {
            const Seen one = seen(pixel(at_x, at_y), at_x, at_y);
            row[at_x] = static_cast<std::uint8_t>((one.over + one.under + 127) / 255);
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
