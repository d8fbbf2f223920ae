#include "core/picture/trim.h"

#include <algorithm>

#include "core/picture/stop_guard.h"

namespace media {

using vips::VImage;

namespace {

Box find(const VImage& image, int threshold, const std::vector<double>& background,
         const Cancellation& cancellation) {
    const StopGuard guard(image, cancellation);
    int top = 0;
    int width = 0;
    int height = 0;
    const int left = image.find_trim(
        &top, &width, &height,
        VImage::option()->set("threshold", static_cast<double>(threshold))->set("background", background));
    return {left, top, width, height};
}

}  // namespace

Box trim_box(const VImage& image, int threshold, const std::vector<double>& border,
             const Cancellation& cancellation) {
    const int colours = image.bands() < 3 ? 1 : 3;
    if (image.bands() == colours) {
        return find(image, threshold, border, cancellation);
    }
    // Colour matters where it can be seen, on the border's own; and whatever is not as transparent as the
    // border counts too.
    const std::vector<double> color(border.begin(), border.begin() + colours);
    const VImage flat = image.flatten(VImage::option()->set("background", color));
    const VImage alpha =
        image.extract_band(colours).copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_B_W));
    return around(find(flat, threshold, color, cancellation),
                  find(alpha, threshold, {border.back()}, cancellation));
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
