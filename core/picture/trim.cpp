#include "core/picture/trim.h"

#include <algorithm>

#include "core/picture/failure.h"
#include "core/picture/finish.h"

namespace media {

namespace {

// Looks from the four sides inwards, and at no more of the picture than it has to.
class Search {
  public:
    Search(const Pixels& pixels, int threshold, const std::vector<std::uint8_t>& border,
           const Cancellation& cancellation)
        : pixels_(pixels), cancellation_(cancellation), bands_(pixels.bands()) {
        for (int b = 0; b < bands_; ++b) {
            low_.push_back(std::max(0, border[static_cast<std::size_t>(b)] - threshold));
            high_.push_back(std::min(255, border[static_cast<std::size_t>(b)] + threshold));
        }
        for (int y = 0; y < pixels.height(); ++y) {
            check_sometimes(y);
            differs_.push_back(row_differs(y));
        }
    }

    Box box() const {
        const int width = pixels_.width();
        const int height = pixels_.height();
        int top = 0;
        while (top < height && first_in_row(top, width) == width) {
            check_sometimes(top);
            ++top;
        }
        if (top == height) {
            return {};
        }
        int bottom = height;
        while (first_in_row(bottom - 1, width) == width) {
            check_sometimes(bottom);
            --bottom;
        }
        int left = width;
        int right = 0;
        for (int y = top; y < bottom; ++y) {
            check_sometimes(y);
            left = std::min(left, first_in_row(y, left));
            right = std::max(right, last_in_row(y, right) + 1);
        }
        return {left, top, right - left, bottom - top};
    }

  private:
    void check_sometimes(int y) const {
        if (y % 64 == 0) {
            check(cancellation_);
        }
    }

    // Whether any single pixel of the row differs: if none does in three rows, no median can.
    bool row_differs(int y) const {
        const std::uint8_t* p = pixels_.row(y);
        for (int x = 0; x < pixels_.width(); ++x, p += bands_) {
            for (int b = 0; b < bands_; ++b) {
                if (p[b] < low_[static_cast<std::size_t>(b)] || p[b] > high_[static_cast<std::size_t>(b)]) {
                    return true;
                }
            }
        }
        return false;
    }

    bool near_difference(int y) const {
        const int from = std::max(0, y - 1);
        const int to = std::min(pixels_.height() - 1, y + 1);
        return std::any_of(differs_.begin() + from, differs_.begin() + to + 1,
                           [](bool differs) { return differs; });
    }

    // The median of nine is out of range when five of them are, on the same side.
    bool differs(int x, int y) const {
        for (int b = 0; b < bands_; ++b) {
            int below = 0;
            int above = 0;
            for (int dy = -1; dy <= 1; ++dy) {
                const std::uint8_t* row = pixels_.row(std::clamp(y + dy, 0, pixels_.height() - 1));
                for (int dx = -1; dx <= 1; ++dx) {
                    const int value = row[std::clamp(x + dx, 0, pixels_.width() - 1) * bands_ + b];
                    below += value < low_[static_cast<std::size_t>(b)] ? 1 : 0;
                    above += value > high_[static_cast<std::size_t>(b)] ? 1 : 0;
                }
            }
            if (below >= 5 || above >= 5) {
                return true;
            }
        }
        return false;
    }

    // The first column below `limit` with content, or `limit`.
    int first_in_row(int y, int limit) const {
        if (!near_difference(y)) {
            return limit;
        }
        int x = 0;
        while (x < limit && !differs(x, y)) {
            ++x;
        }
        return x;
    }

    // The last column from `limit` on with content, or `limit` - 1.
    int last_in_row(int y, int limit) const {
        if (!near_difference(y)) {
            return limit - 1;
        }
        int x = pixels_.width() - 1;
        while (x >= limit && !differs(x, y)) {
            --x;
        }
        return x;
    }

    const Pixels& pixels_;
    const Cancellation& cancellation_;
    const int bands_;
    std::vector<int> low_, high_;
    std::vector<bool> differs_;
};

Pixels alpha_of(const Pixels& pixels) {
    const int bands = pixels.bands();
    Pixels alpha = Pixels::blank(pixels.size(), 1);
    for (int y = 0; y < pixels.height(); ++y) {
        const std::uint8_t* from = pixels.row(y) + bands - 1;
        std::uint8_t* to = alpha.row(y);
        for (int x = 0; x < pixels.width(); ++x, from += bands) {
            to[x] = *from;
        }
    }
    return alpha;
}

}  // namespace

Box trim_box(const Pixels& pixels, int threshold, const std::vector<std::uint8_t>& border,
             const Cancellation& cancellation) {
    if (!pixels.alpha()) {
        return Search(pixels, threshold, border, cancellation).box();
    }
    // Colour counts where it can be seen, laid over the border's own; and so does alpha by itself.
    const bool colour = pixels.colour();
    const Color ground{border[0], colour ? border[1] : border[0], colour ? border[2] : border[0], 255};
    const Pixels flat = flattened(pixels, ground);
    const std::vector<std::uint8_t> ink{ground.r, ground.g, ground.b};
    return around(Search(flat, threshold, ink, cancellation).box(),
                  Search(alpha_of(pixels), threshold, {border.back()}, cancellation).box());
}

Box around(const Box& a, const Box& b) {
    if (a.width <= 0 || a.height <= 0) {
        return b;
    }
    if (b.width <= 0 || b.height <= 0) {
        return a;
    }
    const int left = std::min(a.x, b.x);
    const int top = std::min(a.y, b.y);
    return {left, top, std::max(a.x + a.width, b.x + b.width) - left,
            std::max(a.y + a.height, b.y + b.height) - top};
}

}  // namespace media
