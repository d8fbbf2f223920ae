#include <algorithm>
#include <array>
#include <cstdlib>
#include <memory>

#include <webp/encode.h>

#include "core/picture/failure.h"
#include "core/picture/plane_writers.h"

namespace media {

namespace {

using Table = std::array<std::uint8_t, 256>;

// VP8 has brightness in 16-235 and colour in 16-240 (RFC 6386, section 9.2), JPEG in 0-255.
constexpr Table narrowed(int middle, int range, int offset) {
    Table table{};
    for (int i = 0; i < 256; ++i) {
        const int value = (i - middle) * range;
        const int rounded = value >= 0 ? (value + 127) / 255 : (value - 127) / 255;
        table[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(rounded + offset);
    }
    return table;
}
constexpr Table brightness = narrowed(0, 219, 16);
constexpr Table difference = narrowed(128, 224, 128);

struct Free {
    void operator()(WebPPicture* picture) const noexcept { WebPPictureFree(picture); }
};

void narrow(const Plane& from, const Table& table, std::uint8_t* to, int stride) {
    for (int y = 0; y < from.height(); ++y, to += stride) {
        const std::uint8_t* const row = from.row(y);
        for (int x = 0; x < from.width(); ++x) {
            to[x] = table[row[x]];
        }
    }
}

int on_progress(int /*percent*/, const WebPPicture* picture) noexcept {
    return static_cast<const Cancellation*>(picture->user_data)->should_stop() ? 0 : 1;
}

}  // namespace

Bytes write_webp(const Planes& planes, int quality, int effort, const Cancellation& cancellation) {
    WebPConfig config;
    WebPPicture picture;
    if (WebPConfigInit(&config) == 0 || WebPPictureInit(&picture) == 0) {
        fail(500, "the rendition cannot be written as webp");
    }
    config.quality = static_cast<float>(quality);
    config.method = effort;
    picture.use_argb = 0;
    picture.colorspace = planes.alpha.empty() ? WEBP_YUV420 : WEBP_YUV420A;
    picture.width = planes.size().width;
    picture.height = planes.size().height;
    const std::unique_ptr<WebPPicture, Free> owner(&picture);
    WebPMemoryWriter writer;
    WebPMemoryWriterInit(&writer);
    const std::unique_ptr<WebPMemoryWriter, void (*)(WebPMemoryWriter*)> written(&writer,
                                                                                 WebPMemoryWriterClear);
    picture.writer = WebPMemoryWrite;
    picture.custom_ptr = &writer;
    picture.progress_hook = on_progress;
    picture.user_data = const_cast<Cancellation*>(&cancellation);
    bool done = WebPPictureAlloc(&picture) != 0;
    if (done) {
        narrow(planes.plane[0], brightness, picture.y, picture.y_stride);
        narrow(planes.plane[1], difference, picture.u, picture.uv_stride);
        narrow(planes.plane[2], difference, picture.v, picture.uv_stride);
        for (int y = 0; !planes.alpha.empty() && y < planes.alpha.height(); ++y) {
            std::copy_n(planes.alpha.row(y), planes.alpha.width(), picture.a + y * picture.a_stride);
        }
        done = WebPEncode(&config, &picture) != 0;
    }
    if (!done) {
        check(cancellation);
        fail(500, "the rendition cannot be written as webp");
    }
    Bytes bytes(writer.mem, writer.size, WebPFree);
    writer.mem = nullptr;
    return bytes;
}

}  // namespace media
