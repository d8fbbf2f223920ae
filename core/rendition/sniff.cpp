// What content is, by its first bytes.
#include <algorithm>
#include <string_view>

#include "core/rendition/format.h"

namespace media {
namespace {

using std::string_view_literals::operator""sv;  // NOLINT(misc-unused-using-decls): used by every literal

constexpr std::string_view xml_space = " \t\r\n";

/// The part of `text` after the first `end`; nothing where it does not occur.
std::optional<std::string_view> after(std::string_view text, std::string_view end) noexcept {
    const std::size_t at = text.find(end);
    if (at == std::string_view::npos) {
        return std::nullopt;
    }
    return text.substr(at + end.size());
}

/// The part after a document type declaration: past its '>', but not one in quotes, comments or its subset.
std::optional<std::string_view> after_doctype(std::string_view text) noexcept {
    bool subset = false;
    while (!text.empty()) {
        const char c = text.front();
        if (text.starts_with("<!--")) {
            const auto rest = after(text.substr(4), "-->");
            if (!rest) {
                return std::nullopt;
            }
            text = *rest;
            continue;
        }
        text.remove_prefix(1);
        if (c == '"' || c == '\'') {
            const auto rest = after(text, std::string_view(&c, 1));
            if (!rest) {
                return std::nullopt;
            }
            text = *rest;
        } else if (c == '[') {
            subset = true;
        } else if (c == ']') {
            subset = false;
        } else if (c == '>' && !subset) {
            return text;
        }
    }
    return std::nullopt;
}

bool is_svg(std::string_view text) noexcept {
    if (text.starts_with("\xEF\xBB\xBF")) {
        text.remove_prefix(3);
    }
    for (;;) {
        text.remove_prefix(std::min(text.find_first_not_of(xml_space), text.size()));
        std::optional<std::string_view> rest;
        if (text.starts_with("<?")) {
            rest = after(text.substr(2), "?>");
        } else if (text.starts_with("<!--")) {
            rest = after(text.substr(4), "-->");
        } else if (text.starts_with("<!DOCTYPE")) {
            rest = after_doctype(text.substr(9));
        } else if (text.starts_with("<svg")) {
            return text.size() == 4 || " \t\r\n>/:"sv.find(text[4]) != std::string_view::npos;
        }
        if (!rest) {
            return false;
        }
        text = *rest;
    }
}

std::size_t big_endian_32(std::string_view text) noexcept {
    std::size_t value = 0;
    for (const char c : text.substr(0, 4)) {
        value = value << 8 | static_cast<unsigned char>(c);
    }
    return value;
}

enum class Brand { other, avif, heic, still };

Brand brand_of(std::string_view name) noexcept {
    if (name == "avif" || name == "avis") {
        return Brand::avif;
    }
    for (const std::string_view heic : {"heic"sv, "heix"sv, "hevc"sv, "hevx"sv, "heim"sv, "heis"sv}) {
        if (name == heic) {
            return Brand::heic;
        }
    }
    return name == "mif1" || name == "msf1" ? Brand::still : Brand::other;
}

/// AVIF and HEIC share the ISO-BMFF container (ISO/IEC 14496-12, section 4.3): the brands tell them apart.
std::optional<Format> by_brands(std::string_view text) noexcept {
    if (text.size() < 12 || text.substr(4, 4) != "ftyp") {
        return std::nullopt;
    }
    const Brand major = brand_of(text.substr(8, 4));
    if (major == Brand::avif) {
        return Format::avif;
    }
    if (major == Brand::heic) {
        return Format::heic;
    }
    bool heic = major == Brand::still;
    const std::size_t end = std::min(big_endian_32(text), text.size());
    for (std::size_t at = 16; at + 4 <= end; at += 4) {
        const Brand compatible = brand_of(text.substr(at, 4));
        if (compatible == Brand::avif) {
            return Format::avif;
        }
        heic = heic || compatible == Brand::heic;
    }
    return heic ? std::optional(Format::heic) : std::nullopt;
}

struct Magic {
    std::string_view bytes;
    Format format;
};

constexpr Magic magics[] = {
    {"\xFF\xD8\xFF"sv, Format::jpeg},
    {"\x89PNG\r\n\x1A\n"sv, Format::png},
    {"GIF87a"sv, Format::gif},
    {"GIF89a"sv, Format::gif},
    {"II*\0"sv, Format::tiff},
    {"MM\0*"sv, Format::tiff},
    {"II+\0\x08\0\0\0"sv, Format::tiff},  // BigTIFF
    {"MM\0+\0\x08\0\0"sv, Format::tiff},
    {"\xFF\x0A"sv, Format::jxl},
    {"\0\0\0\x0CJXL \r\n\x87\n"sv, Format::jxl},
    {"%PDF-"sv, Format::pdf},
};

}  // namespace

std::optional<Format> sniff(ByteView head) noexcept {
    const std::string_view text(reinterpret_cast<const char*>(head.data()), head.size());
    for (const Magic& magic : magics) {
        if (text.starts_with(magic.bytes)) {
            return magic.format;
        }
    }
    if (text.starts_with("RIFF") && text.size() >= 12 && text.substr(8, 4) == "WEBP") {
        return Format::webp;
    }
    if (const auto format = by_brands(text)) {
        return format;
    }
    return is_svg(text) ? std::optional(Format::svg) : std::nullopt;
}

}  // namespace media
