#include "core/picture/webp.h"

#include <cstdint>
#include <cstring>
#include <string_view>

namespace media {

namespace {

std::uint32_t little_endian(const std::uint8_t* p) {
    return std::uint32_t{p[0]} | std::uint32_t{p[1]} << 8U | std::uint32_t{p[2]} << 16U |
           std::uint32_t{p[3]} << 24U;
}

std::string_view tag_at(const std::uint8_t* p) {
    return {reinterpret_cast<const char*>(p), 4};
}

}  // namespace

void strip_webp(Bytes& file) noexcept {
    std::uint8_t* const data = file.data();
    const std::size_t size = file.size();
    constexpr std::size_t head = 12;
    if (size < head || tag_at(data) != "RIFF" || tag_at(data + 8) != "WEBP") {
        return;
    }
    std::size_t from = head;
    std::size_t to = head;
    while (size - from >= 8) {
        const std::string_view tag = tag_at(data + from);
        const std::size_t length = little_endian(data + from + 4);
        const std::size_t padded = 8 + length + length % 2;
        if (padded > size - from) {
            return;
        }
        if (tag == "VP8X" && length >= 10) {
            // The flags that announce what goes: colour profile, EXIF, XMP.
            data[from + 8] = static_cast<std::uint8_t>(data[from + 8] & ~(0x20U | 0x08U | 0x04U));
        }
        if (tag != "EXIF" && tag != "XMP " && tag != "ICCP") {
            std::memmove(data + to, data + from, padded);
            to += padded;
        }
        from += padded;
    }
    file.shrink(to);
    const auto riff = static_cast<std::uint32_t>(to - 8);
    for (unsigned i = 0; i < 4; ++i) {
        data[4 + i] = static_cast<std::uint8_t>(riff >> (8 * i));
    }
}

void declare_transparent_webp(Bytes& file) noexcept {
    // WebP container specification, "Extended File Format" and "Animation": a VP8X chunk, then perhaps ICCP,
    // then ANIM.
    constexpr std::size_t head = 12;
    constexpr unsigned alpha = 0x10;
    constexpr unsigned animation = 0x02;
    std::uint8_t* const data = file.data();
    const std::size_t size = file.size();
    if (size < head + 18 || tag_at(data) != "RIFF" || tag_at(data + head) != "VP8X" ||
        (data[head + 8] & animation) == 0) {
        return;
    }
    data[head + 8] = static_cast<std::uint8_t>(data[head + 8] | alpha);
    for (std::size_t at = head; size - at >= 14;) {
        const std::size_t length = little_endian(data + at + 4);
        if (tag_at(data + at) == "ANIM") {
            std::memset(data + at + 8, 0, 4);
            return;
        }
        if (length > size - at - 8) {
            return;
        }
        at += 8 + length + length % 2;
        if (at > size) {
            return;
        }
    }
}

}  // namespace media
