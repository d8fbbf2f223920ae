#include "core/picture/colour.h"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>

namespace media {

using vips::VImage;

namespace {

using Profile = std::span<const std::uint8_t>;

std::uint32_t big_endian(Profile bytes, std::size_t at) {
    if (bytes.size() < 4 || at > bytes.size() - 4) {
        return 0;
    }
    return std::uint32_t{bytes[at]} << 24U | std::uint32_t{bytes[at + 1]} << 16U |
           std::uint32_t{bytes[at + 2]} << 8U | std::uint32_t{bytes[at + 3]};
}

// The profile's description (ICC.1:2010, sections 7.3 and 9.2.41), in ASCII.
std::string description_of(Profile profile) {
    const std::uint32_t count = std::min<std::uint32_t>(big_endian(profile, 128), 100);
    for (std::uint32_t i = 0; i < count; ++i) {
        const std::size_t row = 132 + std::size_t{i} * 12;
        if (big_endian(profile, row) != 0x64657363) {  // desc
            continue;
        }
        const std::size_t at = big_endian(profile, row + 4);
        std::size_t text = at + 12;
        std::size_t length = big_endian(profile, at + 8);
        std::size_t step = 1;
        if (big_endian(profile, at) == 0x6d6c7563) {  // mluc: its first record, in UTF-16BE
            length = big_endian(profile, at + 20);
            text = at + big_endian(profile, at + 24) + 1;
            step = 2;
        }
        std::string description;
        for (std::size_t k = 0; k + step <= std::min<std::size_t>(length, 128) && text + k < profile.size();
             k += step) {
            if (profile[text + k] != 0) {
                description.push_back(static_cast<char>(profile[text + k]));
            }
        }
        return description;
    }
    return {};
}

// Profiles that say that pixels are what they would be taken for anyway. By name: those of common cameras and
// programs differ in bytes.
bool is_srgb(Profile profile) {
    static constexpr std::string_view names[] = {"sRGB IEC61966-2.1", "sRGB IEC61966-2-1", "sRGB built-in",
                                                 "sRGB"};
    const std::string description = description_of(profile);
    return std::find(std::begin(names), std::end(names), description) != std::end(names);
}

bool has_usable_profile(const VImage& header) {
    const VipsInterpretation space = header.interpretation();
    const bool fits = space == VIPS_INTERPRETATION_B_W || space == VIPS_INTERPRETATION_GREY16 ||
                      space == VIPS_INTERPRETATION_sRGB || space == VIPS_INTERPRETATION_RGB16 ||
                      space == VIPS_INTERPRETATION_CMYK;
    if (!fits || header.get_typeof(VIPS_META_ICC_NAME) == 0) {
        return false;
    }
    std::size_t size = 0;
    const void* data = header.get_blob(VIPS_META_ICC_NAME, &size);
    const Profile profile(static_cast<const std::uint8_t*>(data), size);
    // The signature of the colour space in the header must fit the pixels: a gray profile on an RGB picture
    // would pass for one of its bands.
    const std::uint32_t signature = big_endian(profile, 16);
    const std::uint32_t expected = space == VIPS_INTERPRETATION_CMYK ? 0x434d594b  // CMYK
                                   : header.bands() < 3              ? 0x47524159  // GRAY
                                                                     : 0x52474220;              // RGB
    return signature == expected && !is_srgb(profile) &&
           vips_icc_is_compatible_profile(header.get_image(), data, size) != 0;
}

VImage first_bands(const VImage& image, int count) {
    return image.bands() == count ? image : image.extract_band(0, VImage::option()->set("n", count));
}

// Alpha of 16 bits in 8.
VImage alpha_to_8(const VImage& alpha, bool wide) {
    return wide ? (alpha / 257.0).rint().cast(VIPS_FORMAT_UCHAR) : alpha.cast(VIPS_FORMAT_UCHAR);
}

}  // namespace

Colour::Colour(const VImage& header) {
    const VipsInterpretation space = header.interpretation();
    profile_ = has_usable_profile(header);
    gray_ = header.bands() < 3 && space != VIPS_INTERPRETATION_CMYK;
    costly_ = profile_ || space == VIPS_INTERPRETATION_CMYK;
}

VImage Colour::prepare(VImage image) const {
    const VipsInterpretation space = image.guess_interpretation();
    // With more bands than colours and alpha, nothing says which of them is alpha, if any.
    const int colours = space == VIPS_INTERPRETATION_CMYK ? 4 : image.bands() < 3 ? 1 : 3;
    if (image.bands() > colours + 1) {
        image = first_bands(image, colours);
    }
    if (space != image.interpretation()) {
        image = image.copy(VImage::option()->set("interpretation", space));
    }
    switch (space) {
        case VIPS_INTERPRETATION_B_W:
        case VIPS_INTERPRETATION_sRGB:
            return image.format() == VIPS_FORMAT_UCHAR ? image : image.cast(VIPS_FORMAT_UCHAR);
        case VIPS_INTERPRETATION_GREY16:
        case VIPS_INTERPRETATION_RGB16:
            return image.format() == VIPS_FORMAT_USHORT ? image : image.cast(VIPS_FORMAT_USHORT);
        case VIPS_INTERPRETATION_CMYK:
            return image.format() == VIPS_FORMAT_USHORT ? image : image.cast(VIPS_FORMAT_UCHAR);
        default:
            break;
    }
    if (vips_colourspace_issupported(image.get_image()) != 0) {
        return image.colourspace(image.bands() < 3 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB);
    }
    // Bands that mean nothing known: the first ones, as they are.
    const bool colour = image.bands() >= 3;
    return first_bands(image, colour ? 3 : 1)
        .cast(VIPS_FORMAT_UCHAR)
        .copy(VImage::option()->set("interpretation",
                                    colour ? VIPS_INTERPRETATION_sRGB : VIPS_INTERPRETATION_B_W));
}

VImage Colour::finish(VImage image) const {
    const VipsInterpretation space = image.interpretation();
    const bool cmyk = space == VIPS_INTERPRETATION_CMYK;
    const int colours = cmyk ? 4 : image.bands() < 3 ? 1 : 3;
    const bool wide = image.format() == VIPS_FORMAT_USHORT;
    const bool has_alpha = image.bands() > colours;
    if (!cmyk && !profile_ && !wide) {
        return first_bands(image, has_alpha ? colours + 1 : colours);
    }
    VImage alpha;
    if (has_alpha) {
        alpha = alpha_to_8(image.extract_band(colours), wide);
        image = first_bands(image, colours);
    }
    if (cmyk || profile_) {
        image = image.icc_transform("srgb", VImage::option()
                                                ->set("embedded", profile_)
                                                ->set("input_profile", cmyk ? "cmyk" : "srgb")
                                                ->set("intent", VIPS_INTENT_PERCEPTUAL)
                                                ->set("depth", 8));
        if (gray_) {
            image =
                image.extract_band(1).copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_B_W));
        }
    } else {
        image = image.colourspace(gray_ ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB);
    }
    return has_alpha ? image.bandjoin(alpha) : image;
}

}  // namespace media
