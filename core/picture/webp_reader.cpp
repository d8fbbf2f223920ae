#include "core/picture/webp_reader.h"

#include <webp/decode.h>

#include <algorithm>
#include <memory>
#include <new>
#include <string_view>
#include <vector>

#include "core/picture/failure.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "core/picture/webp_reader.cpp"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace media::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// VP8 has brightness in 16-235 and colour in 16-240 (RFC 6386, section 9.2), Planes have both in 0-255. Six
// bits below the point; `more` is what the range grows by, in units of 2^-15.
void Widen(const std::uint8_t* HWY_RESTRICT from, std::size_t count, std::int16_t middle, std::int16_t more,
           std::int16_t offset, std::uint8_t* HWY_RESTRICT to) {
    constexpr int below = 6;
    const hn::ScalableTag<std::int16_t> d;
    const hn::Rebind<std::uint8_t, decltype(d)> d8;
    const auto half = hn::Set(d, 1 << (below - 1));
    for (std::size_t x = 0; x < count; x += hn::Lanes(d)) {
        const auto sample = hn::PromoteTo(d, hn::LoadU(d8, from + x));
        const auto narrow = hn::ShiftLeft<below>(hn::Sub(sample, hn::Set(d, middle)));
        const auto wide = hn::Add(narrow, hn::MulFixedPoint15(narrow, hn::Set(d, more)));
        const auto whole = hn::ShiftRight<below>(hn::Add(wide, half));
        hn::StoreU(hn::DemoteTo(d8, hn::Add(whole, hn::Set(d, offset))), d8, to + x);
    }
}

}  // namespace media::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE

namespace media {

HWY_EXPORT(Widen);

namespace {

// Bytes of the file between two looks at the cancellation.
constexpr std::size_t piece = std::size_t{32} << 10U;

// Any vector's.
constexpr std::size_t vector_room = 64;

constexpr std::int16_t growth(int range) {
    return static_cast<std::int16_t>((255 - range) * 32768 / range + 1);
}

void widen_brightness(const std::uint8_t* from, std::size_t count, std::uint8_t* to) {
    HWY_DYNAMIC_DISPATCH(Widen)(from, count, 16, growth(219), 0, to);
}

void widen_colour(const std::uint8_t* from, std::size_t count, std::uint8_t* to) {
    HWY_DYNAMIC_DISPATCH(Widen)(from, count, 128, growth(224), 128, to);
}

std::uint32_t little_endian(const std::uint8_t* p) {
    return std::uint32_t{p[0]} | std::uint32_t{p[1]} << 8U | std::uint32_t{p[2]} << 16U |
           std::uint32_t{p[3]} << 24U;
}

// The chunks that are the picture (WebP container specification, "Extended File Format"), which may be
// preceded by its alpha. Of the whole file, libwebp would read what comes behind them where they are damaged.
ByteView image_of(ByteView file) {
    constexpr std::size_t head = 12;
    constexpr std::size_t frame = 8;
    std::size_t alpha = 0;
    for (std::size_t at = head; at < file.size() && file.size() - at >= frame;) {
        const std::string_view type(reinterpret_cast<const char*>(file.data() + at), 4);
        const std::size_t length = little_endian(file.data() + at + 4);
        if (length > file.size() - at - frame) {
            break;
        }
        if (type == "ANIM" || type == "ANMF") {
            break;
        }
        if (type == "VP8 " || type == "VP8L") {
            const std::size_t start = alpha != 0 ? alpha : at;
            return file.subspan(start, at + frame + length - start);
        }
        alpha = type == "ALPH" ? at : alpha;
        at += frame + length + length % 2;
    }
    return {};
}

struct Delete {
    void operator()(WebPIDecoder* decoder) const noexcept { WebPIDelete(decoder); }
};

struct Free {
    void operator()(WebPDecBuffer* buffer) const noexcept { WebPFreeDecBuffer(buffer); }
};

// Feeds a decoder. `lines` is called whenever there may be more of them, with the decoder and whether that is
// all; it returns whether still more are wanted.
template <class Lines>
bool decode(ByteView file, WEBP_CSP_MODE mode, const Cancellation& cancellation, Lines&& lines) {
    WebPDecoderConfig config;
    if (WebPInitDecoderConfig(&config) == 0) {
        return false;
    }
    config.output.colorspace = mode;
    const std::unique_ptr<WebPDecBuffer, Free> owner(&config.output);
    const std::unique_ptr<WebPIDecoder, Delete> decoder(WebPIDecode(nullptr, 0, &config));
    if (!decoder) {
        throw std::bad_alloc();
    }
    for (std::size_t size = 0; size < file.size();) {
        check(cancellation);
        size = std::min(size + piece, file.size());
        const VP8StatusCode status = WebPIUpdate(decoder.get(), file.data(), size);
        if (status == VP8_STATUS_OUT_OF_MEMORY) {
            throw std::bad_alloc();
        }
        if (status != VP8_STATUS_OK && status != VP8_STATUS_SUSPENDED) {
            return false;
        }
        if (!lines(decoder.get())) {
            return true;
        }
        if (status == VP8_STATUS_OK) {
            return true;
        }
    }
    return false;
}

}  // namespace

bool WebpReader::open() {
    image_ = image_of(file_);
    WebPBitstreamFeatures features;
    if (image_.empty() || WebPGetFeatures(image_.data(), image_.size(), &features) != VP8_STATUS_OK ||
        features.width <= 0 || features.height <= 0) {
        return false;
    }
    size_ = {features.width, features.height};
    constexpr int lossy = 1;
    lossy_ = features.format == lossy;
    planes_[0] = {.width = size_.width, .height = size_.height, .across = 1, .down = 1};
    planes_[1] = planes_[2] = {
        .width = (size_.width + 1) / 2, .height = (size_.height + 1) / 2, .across = 0.5, .down = 0.5};
    return true;
}

bool WebpReader::read_planes(const JpegReader::Sink& sink, const std::function<bool()>& enough,
                             const Cancellation& cancellation) const {
    // libwebp's lines end where they end: they are copied to where there is room for vectors on both sides.
    const auto width = static_cast<std::size_t>(size_.width);
    std::vector<std::uint8_t> narrow(width + vector_room);
    std::vector<std::uint8_t> wide(width + vector_room);
    int done = 0;
    int done_colour = 0;
    return decode(image_, MODE_YUV, cancellation, [&](WebPIDecoder* decoder) {
        int lines = 0;
        int stride = 0;
        int colour_stride = 0;
        std::uint8_t* u = nullptr;
        std::uint8_t* v = nullptr;
        const std::uint8_t* const y =
            WebPIDecGetYUV(decoder, &lines, &u, &v, nullptr, nullptr, &stride, &colour_stride);
        if (y == nullptr) {
            return true;
        }
        const auto hand_out = [&](int component, const std::uint8_t* line) {
            const auto count = static_cast<std::size_t>(planes_[static_cast<std::size_t>(component)].width);
            std::copy_n(line, count, narrow.data());
            if (component == 0) {
                widen_brightness(narrow.data(), count, wide.data());
            } else {
                widen_colour(narrow.data(), count, wide.data());
            }
            sink(component, wide.data());
        };
        for (; done < lines; ++done) {
            hand_out(0, y + static_cast<std::ptrdiff_t>(done) * stride);
        }
        const int colour_lines = lines == size_.height ? planes_[1].height : lines / 2;
        for (; done_colour < colour_lines; ++done_colour) {
            hand_out(1, u + static_cast<std::ptrdiff_t>(done_colour) * colour_stride);
            hand_out(2, v + static_cast<std::ptrdiff_t>(done_colour) * colour_stride);
        }
        return !enough();
    });
}

bool WebpReader::read_pixels(int bands, const std::function<bool(const std::uint8_t* line)>& use,
                             const Cancellation& cancellation) const {
    int done = 0;
    return decode(image_, bands == 4 ? MODE_RGBA : MODE_RGB, cancellation, [&](WebPIDecoder* decoder) {
        int lines = 0;
        int stride = 0;
        const std::uint8_t* const pixels = WebPIDecGetRGB(decoder, &lines, nullptr, nullptr, &stride);
        for (; pixels != nullptr && done < lines; ++done) {
            if (!use(pixels + static_cast<std::ptrdiff_t>(done) * stride)) {
                return false;
            }
        }
        return true;
    });
}

}  // namespace media

#endif
