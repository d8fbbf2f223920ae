#include "core/picture/jpeg_sequential.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <utility>

#include <jpeglib.h>

#include "core/picture/cascade.h"
#include "core/picture/failure.h"
#include "core/picture/jpeg_trouble.h"

namespace media {

namespace {

constexpr std::int64_t least_pixels = 1'000'000;
constexpr unsigned whole_marker = 0xFFFF;

struct Progress {
    jpeg_progress_mgr manager;
    const Cancellation* cancellation;
};

void on_progress(j_common_ptr codec) {
    if (reinterpret_cast<const Progress*>(codec->progress)->cancellation->should_stop()) {
        leave(codec);
    }
}

// Both codecs have their own way out.
struct Recoder {
    jpeg_decompress_struct from{};
    jpeg_compress_struct to{};
    JpegTrouble reading{}, writing{};
    Progress progress{};
    jvirt_barray_ptr* coefficients = nullptr;
    unsigned char* bytes = nullptr;
    unsigned long size = 0;

    explicit Recoder(const Cancellation& cancellation) noexcept {
        from.err = prepare(reading, true);
        to.err = prepare(writing, true);
        progress.manager.progress_monitor = on_progress;
        progress.cancellation = &cancellation;
    }

    ~Recoder() {
        if (to.dest != nullptr) {
            // Until the end, libjpeg alone knows where its buffer has moved to.
            (*to.dest->term_destination)(&to);
        }
        jpeg_destroy_compress(&to);
        jpeg_destroy_decompress(&from);
        std::free(bytes);
    }

    Recoder(const Recoder&) = delete;
    Recoder& operator=(const Recoder&) = delete;

    Bytes take() noexcept {
        to.dest = nullptr;
        return {std::exchange(bytes, nullptr), size, std::free};
    }

    bool read(ByteView original) noexcept {
        return guarded(reading, [&] {
            jpeg_create_decompress(&from);
            from.progress = &progress.manager;
            jpeg_mem_src(&from, original.data(), static_cast<unsigned long>(original.size()));
            jpeg_save_markers(&from, JPEG_COM, whole_marker);
            for (int i = 0; i < 16; ++i) {
                jpeg_save_markers(&from, JPEG_APP0 + i, whole_marker);
            }
            if (jpeg_read_header(&from, TRUE) != JPEG_HEADER_OK || from.progressive_mode == 0) {
                return false;
            }
            coefficients = jpeg_read_coefficients(&from);
            return coefficients != nullptr && complete();
        });
    }

    // Whether all scans came, down to the last bit: decoders may make up for what did not.
    bool complete() const noexcept {
        for (int i = 0; i < from.num_components; ++i) {
            const int* const bits = from.coef_bits[i];
            if (std::any_of(bits, bits + DCTSIZE2, [](int unsent) { return unsent != 0; })) {
                return false;
            }
        }
        return true;
    }

    bool write() noexcept {
        return guarded(writing, [&] {
            jpeg_create_compress(&to);
            to.progress = &progress.manager;
            jpeg_mem_dest(&to, &bytes, &size);
            jpeg_copy_critical_parameters(&from, &to);
            to.write_JFIF_header = FALSE;  // the original's own is among the markers
            to.write_Adobe_marker = FALSE;
            jpeg_write_coefficients(&to, coefficients);
            for (const jpeg_marker_struct* m = from.marker_list; m != nullptr; m = m->next) {
                jpeg_write_marker(&to, m->marker, m->data, m->data_length);
            }
            jpeg_finish_compress(&to);
            return true;
        });
    }
};

}  // namespace

bool pays_as_sequential(const Outline& original, Size rendition) noexcept {
    // Of so much smaller ones an eighth is decoded.
    constexpr double much_smaller = 8 * PlaneCascade::least_residue;
    const Size size = original.size;
    return original.format == Format::jpeg && original.progressive &&
           std::int64_t{size.width} * size.height >= least_pixels &&
           std::max(size.width, size.height) < much_smaller * std::max(rendition.width, rendition.height);
}

Result<Bytes> as_sequential(ByteView original, const Cancellation& cancellation) noexcept {
    try {
        Recoder recoder(cancellation);
        if (recoder.read(original) && recoder.write()) {
            return recoder.take();
        }
        return cancellation.should_stop() ? stop_error(cancellation)
                                          : Error{500, "the original cannot be had in one scan"};
    } catch (...) {
        return Error{500, "out of memory"};
    }
}

}  // namespace media
