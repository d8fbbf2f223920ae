#include "core/rendition/outline.h"

#include <algorithm>
#include <string_view>

namespace media {

namespace {

/// Numbers at any place of the bytes; 0 beyond their end.
class Reader {
  public:
    explicit Reader(ByteView bytes) noexcept : bytes_(bytes) {}

    std::size_t size() const noexcept { return bytes_.size(); }
    std::uint32_t byte(std::size_t at) const noexcept { return at < bytes_.size() ? bytes_[at] : 0; }
    std::uint32_t big16(std::size_t at) const noexcept { return byte(at) << 8U | byte(at + 1); }
    std::uint32_t big32(std::size_t at) const noexcept { return big16(at) << 16U | big16(at + 2); }
    std::uint32_t little16(std::size_t at) const noexcept { return byte(at) | byte(at + 1) << 8U; }
    std::uint32_t little24(std::size_t at) const noexcept { return little16(at) | byte(at + 2) << 16U; }
    std::uint32_t little32(std::size_t at) const noexcept { return little16(at) | little16(at + 2) << 16U; }
    std::string_view text() const noexcept {
        return {reinterpret_cast<const char*>(bytes_.data()), bytes_.size()};
    }
    std::string_view tag(std::size_t at) const noexcept {
        return at + 4 <= bytes_.size() ? text().substr(at, 4) : std::string_view{};
    }

  private:
    ByteView bytes_;
};

constexpr std::uint32_t longest_side = 1U << 24U;  // of any format here; more is nonsense

Size size_of(std::uint32_t width, std::uint32_t height) noexcept {
    if (width == 0 || height == 0 || width > longest_side || height > longest_side) {
        return {};
    }
    return {static_cast<int>(width), static_cast<int>(height)};
}

// T.81, B.2.2: the frame header behind any of SOF0 to SOF15 but DHT, JPG and DAC.
void read_jpeg(const Reader& in, Outline& outline) noexcept {
    for (std::size_t at = 2; at + 9 <= in.size() && in.byte(at) == 0xFF;) {
        const std::uint32_t code = in.byte(at + 1);
        if (code == 0xFF) {
            ++at;  // fill bytes
            continue;
        }
        if (code >= 0xC0 && code <= 0xCF && code != 0xC4 && code != 0xC8 && code != 0xCC) {
            outline.progressive = (code & 3U) == 2;
            outline.size = size_of(in.big16(at + 7), in.big16(at + 5));
            return;
        }
        at += 2 + in.big16(at + 2);
    }
}

// Of so many frames in what was read, so many in all.
int frames_of(std::size_t seen, std::size_t read, std::uint64_t bytes) noexcept {
    if (seen == 0) {
        return 1;
    }
    const double all = static_cast<double>(seen) * static_cast<double>(std::max<std::uint64_t>(bytes, read)) /
                       static_cast<double>(read);
    return static_cast<int>(std::clamp(all, 1.0, 1e6));
}

// GIF89a, 23: a graphic control extension stands before each frame of an animation.
void read_gif(const Reader& in, Outline& outline) noexcept {
    using std::string_view_literals::operator""sv;
    outline.size = size_of(in.little16(6), in.little16(8));
    std::size_t seen = 0;
    const std::string_view text = in.text();
    for (std::size_t at = text.find("\x21\xF9\x04"sv); at != std::string_view::npos;
         at = text.find("\x21\xF9\x04"sv, at + 3)) {
        ++seen;
    }
    // One frame may be all there is, or all that fits into what was read.
    const bool moves = seen > 1 || text.find("NETSCAPE2.0") != std::string_view::npos;
    outline.frames = moves ? frames_of(seen, in.size(), outline.bytes) : 1;
}

// RFC 9649: the container, and the headers of VP8 (RFC 6386, 9.1) and VP8L.
void read_webp(const Reader& in, Outline& outline) noexcept {
    const std::string_view kind = in.tag(12);
    if (kind == "VP8 ") {
        outline.size = size_of(in.little16(26) & 0x3FFFU, in.little16(28) & 0x3FFFU);
    } else if (kind == "VP8L") {
        const std::uint32_t sides = in.little32(21);
        outline.size = size_of((sides & 0x3FFFU) + 1, (sides >> 14U & 0x3FFFU) + 1);
    } else if (kind == "VP8X") {
        outline.size = size_of(in.little24(24) + 1, in.little24(27) + 1);
        std::size_t seen = 0;
        for (std::size_t at = 12; at + 8 <= in.size();) {
            seen += in.tag(at) == "ANMF" ? 1U : 0U;
            const std::size_t length = in.little32(at + 4);
            at += 8 + length + length % 2;
        }
        outline.frames = frames_of(seen, in.size(), outline.bytes);
    }
}

// ISO/IEC 23008-12, 6.5.3: the tiles of a grid have sizes as well, the largest is the picture's.
void read_heif(const Reader& in, Outline& outline) noexcept {
    const std::string_view text = in.text();
    std::uint64_t most = 0;
    for (std::size_t at = text.find("ispe"); at != std::string_view::npos; at = text.find("ispe", at + 4)) {
        const Size size = size_of(in.big32(at + 8), in.big32(at + 12));
        const std::uint64_t area =
            static_cast<std::uint64_t>(size.width) * static_cast<std::uint64_t>(size.height);
        if (area > most) {
            most = area;
            outline.size = size;
        }
    }
}

}  // namespace

std::optional<Outline> outline_of(ByteView head, std::uint64_t bytes) noexcept {
    const auto format = sniff(head);
    if (!format) {
        return std::nullopt;
    }
    const Reader in(head);
    Outline outline;
    outline.format = *format;
    outline.bytes = bytes;
    switch (*format) {
        case Format::jpeg:
            read_jpeg(in, outline);
            break;
        case Format::png:
            outline.size = size_of(in.big32(16), in.big32(20));
            break;
        case Format::gif:
            read_gif(in, outline);
            break;
        case Format::webp:
            read_webp(in, outline);
            break;
        case Format::avif:
        case Format::heic:
            read_heif(in, outline);
            break;
        case Format::tiff:
        case Format::jxl:
        case Format::svg:
        case Format::pdf:
            break;
    }
    return outline;
}

}  // namespace media
