#include "core/picture/effects.h"

#include <algorithm>
#include <cmath>
#include <cstdint>

#include "core/picture/pixels.h"

namespace media {

using vips::VImage;

namespace {

VImage as(VipsInterpretation space, const VImage& image) {
    return image.copy(VImage::option()->set("interpretation", space));
}

// Lightness and chroma are multiplied and the hue is turned in CIE LCh, as sharp's `modulate` does.
VImage modulate(const VImage& image, const Rendition& rendition) {
    const VImage lch = image.colourspace(VIPS_INTERPRETATION_LCH);
    return as(VIPS_INTERPRETATION_LCH,
              lch.linear({rendition.brightness, rendition.saturation, 1.0}, {0.0, 0.0, rendition.hue}))
        .colourspace(VIPS_INTERPRETATION_sRGB);
}

// A line through mid-gray of the given slope.
VImage with_contrast(const VImage& image, double contrast) {
    Pixels table = Pixels::blank({256, 1}, 1);
    for (int i = 0; i < 256; ++i) {
        table.row(0)[i] =
            static_cast<std::uint8_t>(std::clamp(std::lround((i - 128) * contrast + 128), 0L, 255L));
    }
    return image.maplut(table.image());
}

// Above this, a picture is blurred at a smaller size: there is nothing left in it that needs more pixels, and
// the work no longer grows with sigma.
constexpr double largest_sigma = 10;

VImage blurred(const VImage& image, double sigma, const Cancellation& cancellation) {
    const double factor = std::min(sigma / largest_sigma, std::min(image.width(), image.height()) / 4.0);
    if (factor < 2) {
        return image.gaussblur(sigma);
    }
    const double width = std::max(1.0, std::round(image.width() / factor));
    const double height = std::max(1.0, std::round(image.height() / factor));
    const VImage small =
        image.resize(width / image.width(), VImage::option()->set("vscale", height / image.height()));
    return to_memory(to_memory(small, cancellation).gaussblur(sigma / factor), cancellation, 256)
        .resize(image.width() / width, VImage::option()->set("vscale", image.height() / height));
}

VImage modulated(VImage image, const Rendition& rendition) {
    const bool gray = image.bands() < 3;
    const bool turned = rendition.saturation != 1 || rendition.hue != 0;
    if (rendition.brightness == 1 && (gray || !turned)) {
        return image;
    }
    if (gray) {
        // Gray has no chroma to multiply and no hue to turn, and stays gray.
        return as(VIPS_INTERPRETATION_B_W,
                  modulate(image.colourspace(VIPS_INTERPRETATION_sRGB), rendition).extract_band(1));
    }
    return modulate(image, rendition);
}

}  // namespace

bool has_effects(const Rendition& rendition) {
    return rendition.gray || !only_grays(rendition);
}

bool only_grays(const Rendition& rendition) {
    return rendition.brightness == 1 && rendition.saturation == 1 && rendition.hue == 0 &&
           rendition.contrast == 1 && !rendition.blur && !rendition.sharpen;
}

int effect_lines(const Rendition& rendition) {
    // A blur looks at about twice sigma to either side.
    return std::clamp(static_cast<int>(8 * rendition.blur.value_or(0)), 16, 160);
}

VImage with_effects(VImage image, const Rendition& rendition, const Cancellation& cancellation) {
    const bool has_alpha = image.bands() == 2 || image.bands() == 4;
    const int colours = image.bands() < 3 ? 1 : 3;
    VImage alpha;
    if (has_alpha) {
        alpha = image.extract_band(colours);
        image = image.extract_band(0, VImage::option()->set("n", colours));
    }
    image = modulated(image, rendition);
    if (rendition.contrast != 1) {
        image = with_contrast(image, rendition.contrast);
    }
    if (rendition.gray && colours == 3) {
        image = image.colourspace(VIPS_INTERPRETATION_B_W);
    }
    if (rendition.blur) {
        if (has_alpha) {
            // What is transparent must not bleed.
            const VipsInterpretation space = image.interpretation();
            image = blurred(image.bandjoin(alpha).premultiply(), *rendition.blur, cancellation)
                        .unpremultiply()
                        .rint()
                        .cast(VIPS_FORMAT_UCHAR);
            image = as(space, image);
            const int last = image.bands() - 1;
            alpha = image.extract_band(last);
            image = image.extract_band(0, VImage::option()->set("n", last));
        } else {
            image = blurred(image, *rendition.blur, cancellation);
        }
    }
    if (rendition.sharpen) {
        // Sharpens flat areas a little and jagged ones twice as much.
        image =
            image.sharpen(VImage::option()->set("sigma", *rendition.sharpen)->set("m1", 1.0)->set("m2", 2.0));
    }
    return has_alpha ? image.bandjoin(alpha) : image;
}

}  // namespace media
