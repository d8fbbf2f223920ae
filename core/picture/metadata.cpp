#include "core/picture/metadata.h"

#include <algorithm>
#include <cstdint>
#include <string_view>
#include <vector>

#include "core/picture/exif.h"

namespace media {

using vips::VImage;

namespace {

bool name_character(char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' ||
           c == '-' || c == '.' || c == ':';
}

// libvips shows EXIF both as a block and as one field for each entry, and writes what either of them has.
bool keeps_field(std::string_view field, Strip strip) {
    if (!field.starts_with("exif-ifd") || field == "exif-ifd0-Orientation" ||
        field.starts_with("exif-ifd1-")) {
        return false;
    }
    // The third directory is that of GPS.
    return strip != Strip::gps || !(field.starts_with("exif-ifd3-") || field == "exif-ifd2-MakerNote");
}

void copy_field(const VImage& from, const char* field, VImage& to) {
    GValue value = G_VALUE_INIT;
    if (vips_image_get(from.get_image(), field, &value) == 0) {
        vips_image_set(to.get_image(), field, &value);
        g_value_unset(&value);
    }
}

bool keep_exif(const VImage& header, Strip strip, VImage& image) {
    if (header.get_typeof(VIPS_META_EXIF_NAME) == 0) {
        return false;
    }
    std::size_t size = 0;
    const auto* data = static_cast<const std::uint8_t*>(header.get_blob(VIPS_META_EXIF_NAME, &size));
    std::vector<std::uint8_t> block(data, data + size);
    if (!edit_exif(block, strip == Strip::gps)) {
        return false;
    }
    vips_image_set_blob_copy(image.get_image(), VIPS_META_EXIF_NAME, block.data(), block.size());
    char** const fields = vips_image_get_fields(header.get_image());
    for (char** field = fields; field != nullptr && *field != nullptr; ++field) {
        if (keeps_field(*field, strip)) {
            copy_field(header, *field, image);
        }
    }
    g_strfreev(fields);
    image.set(VIPS_META_ORIENTATION, 1);
    return true;
}

std::string text_of(const VImage& image, const char* field) {
    std::size_t size = 0;
    const void* data = image.get_blob(field, &size);
    return {static_cast<const char*>(data), size};
}

void set_text(VImage& image, const char* field, const std::string& text) {
    vips_image_set_blob_copy(image.get_image(), field, text.data(), text.size());
}

struct Name {
    std::size_t begin = 0, end = 0;
};

// The first name in which a place is spoken of. Besides `exif:GPS...`, drones write `GpsLatitude`,
// `GpsLongtitude` and the like under prefixes of their own.
Name place_name(const std::string& text) {
    std::string lower = text;
    std::transform(lower.begin(), lower.end(), lower.begin(),
                   [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
    std::size_t at = std::string::npos;
    for (const std::string_view word : {"gps", "latitude", "longitude", "longtitude"}) {
        at = std::min(at, lower.find(word));
    }
    if (at == std::string::npos) {
        return {};
    }
    Name name{at, at};
    while (name.begin > 0 && name_character(text[name.begin - 1])) {
        --name.begin;
    }
    while (name.end < text.size() && name_character(text[name.end])) {
        ++name.end;
    }
    return name;
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
    for (Name name = place_name(text); name.begin != name.end; name = place_name(text)) {
        const auto [begin, end] = name;
        if (begin > 0 && text[begin - 1] == '<') {
            // An element: with all that is in it.
            const std::size_t close = text.find('>', end);
            if (close == std::string::npos) {
                return {};
            }
            std::size_t after = close + 1;
            if (text[close - 1] != '/') {
                const std::size_t tail = text.find("</" + text.substr(begin, end - begin), close);
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
    // In another encoding (UTF-16) nothing would have been found: better none at all than a place.
    const bool plain = text.find('<') != std::string::npos && text.find('\0') == std::string::npos;
    return plain ? text : std::string{};
}

bool keep_metadata(const VImage& header, Strip strip, VImage& image) {
    if (strip == Strip::all) {
        return false;
    }
    bool any = keep_exif(header, strip, image);
    if (header.get_typeof(VIPS_META_IPTC_NAME) != 0) {
        copy_field(header, VIPS_META_IPTC_NAME, image);
        any = true;
    }
    if (header.get_typeof(VIPS_META_XMP_NAME) != 0) {
        std::string xmp = xmp_upright(text_of(header, VIPS_META_XMP_NAME));
        if (strip == Strip::gps) {
            xmp = xmp_without_gps(xmp);
        }
        if (!xmp.empty()) {
            set_text(image, VIPS_META_XMP_NAME, xmp);
            any = true;
        }
    }
    return any;
}

}  // namespace media
