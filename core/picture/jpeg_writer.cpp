#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <utility>
#include <vector>

#include <jpeglib.h>

#include "core/picture/failure.h"
#include "core/picture/jpeg_trouble.h"
#include "core/picture/plane_writers.h"

namespace media {

namespace {

constexpr std::size_t band_lines = 16;  // the most that libjpeg takes at once
constexpr std::size_t block = DCTSIZE;

struct Writer {
    jpeg_compress_struct codec{};
    JpegTrouble trouble{};
    unsigned char* bytes = nullptr;
    unsigned long size = 0;
    std::array<std::array<JSAMPROW, band_lines>, 3> rows{};
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

// Lines of a plane as libjpeg wants them: in whole blocks. Where a line has none, its last sample goes on.
class WholeLines {
  public:
    explicit WholeLines(const Plane& plane)
        : plane_(plane), width_((static_cast<std::size_t>(plane.width()) + block - 1) / block * block) {
        if (width_ != static_cast<std::size_t>(plane.width())) {
            copies_.resize(width_ * band_lines);
        }
    }

    /// Line `y`, or the last one, as number `place` of a band. It is only read.
    JSAMPROW at(int y, std::size_t place) {
        const std::uint8_t* const line = plane_.row(std::min(y, plane_.height() - 1));
        if (copies_.empty()) {
            return const_cast<JSAMPROW>(line);
        }
        std::uint8_t* const copy = copies_.data() + place * width_;
        std::fill(std::copy_n(line, plane_.width(), copy), copy + width_, line[plane_.width() - 1]);
        return copy;
    }

  private:
    const Plane& plane_;
    std::size_t width_;
    std::vector<std::uint8_t> copies_;
};

}  // namespace

Bytes write_jpeg(const Planes& planes, int quality, const Cancellation& cancellation) {
    Writer writer;
    const auto trouble = []() { fail(500, "the rendition cannot be written as jpeg"); };
    const bool halved = planes.halved && planes.count == 3;
    if (!writer.begin(planes.size(), planes.count, halved, quality)) {
        trouble();
    }
    const auto count = static_cast<std::size_t>(planes.count);
    std::vector<WholeLines> lines(planes.plane.begin(), planes.plane.begin() + planes.count);
    const int band = halved ? 16 : 8;
    for (int top = 0; top < planes.size().height; top += band) {
        check(cancellation);
        for (std::size_t i = 0; i < count; ++i) {
            const bool half = i > 0 && halved;
            for (int y = 0; y < (half ? band / 2 : band); ++y) {
                const auto place = static_cast<std::size_t>(y);
                writer.rows[i][place] = lines[i].at((half ? top / 2 : top) + y, place);
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
