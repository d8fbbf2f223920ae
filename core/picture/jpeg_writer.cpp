#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <jpeglib.h>

#include "core/picture/failure.h"
#include "core/picture/jpeg_trouble.h"
#include "core/picture/plane_writers.h"

namespace media {

namespace {

struct Writer {
    jpeg_compress_struct codec{};
    JpegTrouble trouble{};
    unsigned char* bytes = nullptr;
    unsigned long size = 0;
    std::array<std::array<JSAMPROW, 16>, 3> rows{};
    std::array<JSAMPARRAY, 3> planes{};

    ~Writer() {
        if (codec.dest != nullptr) {
            // Until the end, libjpeg alone knows where its buffer has moved to.
            (*codec.dest->term_destination)(&codec);
        }
        jpeg_destroy_compress(&codec);
        std::free(bytes);
    }

    Bytes take() noexcept {
        codec.dest = nullptr;
        return {std::exchange(bytes, nullptr), size, std::free};
    }

    bool begin(Size picture, int components, bool halved, int quality) noexcept {
        codec.err = prepare(trouble, false);
        return guarded(trouble, [&] {
            jpeg_create_compress(&codec);
            jpeg_mem_dest(&codec, &bytes, &size);
            codec.image_width = static_cast<JDIMENSION>(picture.width);
            codec.image_height = static_cast<JDIMENSION>(picture.height);
            codec.input_components = components;
            codec.in_color_space = components == 1 ? JCS_GRAYSCALE : JCS_YCbCr;
            jpeg_set_defaults(&codec);
            jpeg_set_quality(&codec, quality, TRUE);
            codec.raw_data_in = TRUE;
            codec.dct_method = JDCT_ISLOW;
            for (int i = 0; i < components; ++i) {
                codec.comp_info[i].h_samp_factor = i == 0 && halved ? 2 : 1;
                codec.comp_info[i].v_samp_factor = codec.comp_info[i].h_samp_factor;
            }
            jpeg_start_compress(&codec, TRUE);
            return true;
        });
    }

    bool write_band(int lines) noexcept {
        return guarded(trouble, [&] {
            return jpeg_write_raw_data(&codec, planes.data(), static_cast<JDIMENSION>(lines)) != 0;
        });
    }

    bool end() noexcept {
        return guarded(trouble, [this] {
            jpeg_finish_compress(&codec);
            return true;
        });
    }
};

// libjpeg wants whole blocks: the last sample of a line goes on.
void extend(Plane& plane) {
    const auto width = static_cast<std::size_t>(plane.width());
    for (int y = 0; y < plane.height(); ++y) {
        std::uint8_t* const row = plane.row(y);
        std::fill(row + width, row + plane.stride(), row[width - 1]);
    }
}

}  // namespace

Bytes write_jpeg(Planes& planes, int quality, const Cancellation& cancellation) {
    Writer writer;
    const auto trouble = []() { fail(500, "the rendition cannot be written as jpeg"); };
    const bool halved = planes.halved && planes.count == 3;
    if (!writer.begin(planes.size(), planes.count, halved, quality)) {
        trouble();
    }
    for (int i = 0; i < planes.count; ++i) {
        extend(planes.plane[static_cast<std::size_t>(i)]);
    }
    const int band = halved ? 16 : 8;
    for (int top = 0; top < planes.size().height; top += band) {
        check(cancellation);
        for (std::size_t i = 0; i < static_cast<std::size_t>(planes.count); ++i) {
            Plane& plane = planes.plane[i];
            const int first = i > 0 && halved ? top / 2 : top;
            const int lines = i > 0 && halved ? band / 2 : band;
            for (int y = 0; y < lines; ++y) {
                writer.rows[i][static_cast<std::size_t>(y)] =
                    plane.row(std::min(first + y, plane.height() - 1));
            }
            writer.planes[i] = writer.rows[i].data();
        }
        if (!writer.write_band(band)) {
            trouble();
        }
    }
    if (!writer.end()) {
        trouble();
    }
    return writer.take();
}

}  // namespace media
