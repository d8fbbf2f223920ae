#include "core/picture/metadata.h"

#include <string_view>

namespace media {

using vips::VImage;

namespace {

bool name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == ':';
}

bool keeps_exif(std::string_view field, Strip strip) {
    if (!field.starts_with("exif-") || field == "exif-ifd0-Orientation" || field.starts_with("exif-ifd1-")) {
        return false;
    }
    // The third directory is that of GPS. A maker's note is opaque and may hold a place as well.
    return strip != Strip::gps || !(field.starts_with("exif-ifd3-") || field == "exif-ifd2-MakerNote");
}

void copy_field(const VImage& from, const char* field, VImage& to) {
    GValue value = G_VALUE_INIT;
    if (vips_image_get(from.get_image(), field, &value) == 0) {
        vips_image_set(to.get_image(), field, &value);
        g_value_unset(&value);
    }
}

std::string text_of(const VImage& image, const char* field) {
    std::size_t size = 0;
    const void* data = image.get_blob(field, &size);
    return {static_cast<const char*>(data), size};
}

void set_text(VImage& image, const char* field, const std::string& text) {
    vips_image_set_blob_copy(image.get_image(), field, text.data(), text.size());
}

// The picture has been turned upright.
std::string xmp_upright(std::string xmp) {
    static constexpr std::string_view openings[] = {"tiff:Orientation=\"", "tiff:Orientation='",
                                                    "<tiff:Orientation>"};
    for (const std::string_view opening : openings) {
        const std::size_t at = xmp.find(opening);
        if (at != std::string::npos && at + opening.size() < xmp.size()) {
            xmp[at + opening.size()] = '1';
        }
    }
    return xmp;
}

}  // namespace

std::string xmp_without_gps(const std::string& xmp) {
    std::string text = xmp;
    for (std::size_t at = text.find(":GPS"); at != std::string::npos; at = text.find(":GPS")) {
        std::size_t begin = at;
        while (begin > 0 && name_character(text[begin - 1])) {
            --begin;
        }
        std::size_t end = at + 1;
        while (end < text.size() && name_character(text[end])) {
            ++end;
        }
        const std::string name = text.substr(begin, end - begin);
        if (begin > 0 && text[begin - 1] == '<') {
            // An element: with all that is in it.
            const std::size_t close = text.find('>', end);
            if (close == std::string::npos) {
                return {};
            }
            std::size_t after = close + 1;
            if (text[close - 1] != '/') {
                const std::size_t tail = text.find("</" + name, close);
                after = tail == std::string::npos ? tail : text.find('>', tail);
                if (after == std::string::npos) {
                    return {};
                }
                ++after;
            }
            text.erase(begin - 1, after - begin + 1);
        } else if (end + 1 < text.size() && text[end] == '=' &&
                   (text[end + 1] == '"' || text[end + 1] == '\'')) {
            const std::size_t close = text.find(text[end + 1], end + 2);
            if (close == std::string::npos) {
                return {};
            }
            text.erase(begin, close - begin + 1);
        } else {
            return {};
        }
    }
    // Named or written in another way (UTF-16, other prefixes): better none at all than a place.
    const bool plain = text.find("<") != std::string::npos && text.find('\0') == std::string::npos;
    return plain && text.find("GPS") == std::string::npos ? text : std::string{};
}

void keep_metadata(const VImage& header, Strip strip, VImage& image) {
    if (strip == Strip::all) {
        return;
    }
    char** const fields = vips_image_get_fields(header.get_image());
    for (char** field = fields; field != nullptr && *field != nullptr; ++field) {
        if (keeps_exif(*field, strip)) {
            copy_field(header, *field, image);
        }
    }
    g_strfreev(fields);
    if (image.get_typeof(VIPS_META_EXIF_NAME) != 0) {
        image.set(VIPS_META_ORIENTATION, 1);
    }
    if (header.get_typeof(VIPS_META_IPTC_NAME) != 0) {
        copy_field(header, VIPS_META_IPTC_NAME, image);
    }
    if (header.get_typeof(VIPS_META_XMP_NAME) != 0) {
        std::string xmp = xmp_upright(text_of(header, VIPS_META_XMP_NAME));
        if (strip == Strip::gps) {
            xmp = xmp_without_gps(xmp);
        }
        if (!xmp.empty()) {
            set_text(image, VIPS_META_XMP_NAME, xmp);
        }
    }
}

}  // namespace media
