#include "core/picture/jpeg_sequential.h"

#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <optional>
#include <span>
#include <vector>

#include <jpeglib.h>

#include "core/picture/cascade.h"
#include "core/picture/failure.h"
#include "core/picture/jpeg_blocks.h"
#include "core/picture/jpeg_trouble.h"

namespace media {

namespace {

constexpr std::int64_t least_pixels = 1'000'000;

// More than any program writes: 64 MB of the largest ones.
constexpr std::size_t most_segments = 1000;

// What a JPEG says of itself: APPn and COM (T.81, section B.2.4).
struct Segment {
    int marker;
    ByteView content;
};

// Those before the first scan; nothing where they are not in good order, or too many.
std::optional<std::vector<Segment>> segments_of(ByteView original) {
    constexpr std::uint8_t start_of_scan = 0xDA;
    std::vector<Segment> segments;
    for (std::size_t at = 2; at + 4 <= original.size() && original[at] == 0xFF;) {
        const std::uint8_t code = original[at + 1];
        if (code == 0xFF) {
            ++at;  // fill bytes
            continue;
        }
        const std::size_t length = std::size_t{original[at + 2]} << 8U | original[at + 3];
        if (code == start_of_scan) {
            return segments;
        }
        if (length < 2 || length > original.size() - at - 2) {
            break;
        }
        if (code == JPEG_COM || (code >= JPEG_APP0 && code < JPEG_APP0 + 16)) {
            if (segments.size() == most_segments) {
                break;
            }
            segments.push_back({code, original.subspan(at + 4, length - 2)});
        }
        at += 2 + length;
    }
    return std::nullopt;
}

// A copy that is much larger than its original is worth nothing.
std::size_t most_bytes(std::size_t original) {
    return original + original / 2 + (std::size_t{128} << 10U);
}

struct Progress {
    jpeg_progress_mgr manager;
    const Cancellation* cancellation;
};

void on_progress(j_common_ptr codec) {
    if (reinterpret_cast<const Progress*>(codec->progress)->cancellation->should_stop()) {
        leave(codec);
    }
}

void on_destination(j_compress_ptr /*codec*/) {}

boolean on_full(j_compress_ptr codec) {
    leave(reinterpret_cast<j_common_ptr>(codec));
}

// Both codecs have their own way out.
struct Recoder {
    jpeg_decompress_struct from{};
    jpeg_compress_struct to{};
    JpegTrouble reading{}, writing{};
    Progress progress{};
    jpeg_destination_mgr destination{};
    jvirt_barray_ptr* coefficients = nullptr;

    explicit Recoder(const Cancellation& cancellation) noexcept {
        from.err = prepare(reading, true);
        to.err = prepare(writing, true);
        progress.manager.progress_monitor = on_progress;
        progress.cancellation = &cancellation;
        destination.init_destination = on_destination;
        destination.empty_output_buffer = on_full;
        destination.term_destination = on_destination;
    }

    ~Recoder() {
        jpeg_destroy_compress(&to);
        jpeg_destroy_decompress(&from);
    }

    Recoder(const Recoder&) = delete;
    Recoder& operator=(const Recoder&) = delete;

    bool read(ByteView original) noexcept {
        return guarded(reading, [&] {
            jpeg_create_decompress(&from);
            from.progress = &progress.manager;
            jpeg_mem_src(&from, original.data(), static_cast<unsigned long>(original.size()));
            if (jpeg_read_header(&from, TRUE) != JPEG_HEADER_OK || from.progressive_mode == 0) {
                return false;
            }
            coefficients = jpeg_read_coefficients(&from);
            return coefficients != nullptr && is_complete(from) && can_be_coded();
        });
    }

    // Whether no coefficient is larger than those of any picture of 8 bits (T.81, table F.1 and F.2): there
    // is no code for more, and libjpeg does not look.
    bool can_be_coded() {
        unsigned outside = 0;
        for (int i = 0; i < from.num_components; ++i) {
            const jpeg_component_info& c = from.comp_info[i];
            for (JDIMENSION row = 0; row < c.height_in_blocks && outside == 0; ++row) {
                const JBLOCKROW blocks = (*from.mem->access_virt_barray)(
                    reinterpret_cast<j_common_ptr>(&from), coefficients[i], row, 1, FALSE)[0];
                for (JDIMENSION k = 0; k < c.width_in_blocks; ++k) {
                    const JCOEF* const block = blocks[k];
                    outside |= static_cast<unsigned>(block[0] < -1024 || block[0] > 1023);
                    for (std::size_t at = 1; at < DCTSIZE2; ++at) {
                        outside |= static_cast<unsigned>(block[at] < -1023) |
                                   static_cast<unsigned>(block[at] > 1023);
                    }
                }
            }
        }
        return outside == 0;
    }

    // `copy` is shrunk to what was written.
    bool write(std::span<const Segment> segments, Bytes& copy) noexcept {
        const bool written = guarded(writing, [&] {
            jpeg_create_compress(&to);
            to.progress = &progress.manager;
            to.dest = &destination;
            destination.next_output_byte = copy.data();
            destination.free_in_buffer = copy.size();
            jpeg_copy_critical_parameters(&from, &to);
            to.write_JFIF_header = FALSE;  // the original's own is among the segments
            to.write_Adobe_marker = FALSE;
            jpeg_write_coefficients(&to, coefficients);
            for (std::size_t i = 0; i < segments.size(); ++i) {
                jpeg_write_marker(&to, segments[i].marker, segments[i].content.data(),
                                  static_cast<unsigned>(segments[i].content.size()));
            }
            jpeg_finish_compress(&to);
            return true;
        });
        copy.shrink(copy.size() - destination.free_in_buffer);
        return written;
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
        const auto segments = segments_of(original);
        Recoder recoder(cancellation);
        if (segments && recoder.read(original)) {
            Bytes copy = Bytes::allocate(most_bytes(original.size()));
            if (copy.data() == nullptr) {
                return Error{503, "out of memory"};
            }
            if (recoder.write(*segments, copy)) {
                return copy;
            }
        }
        return cancellation.should_stop() ? stop_error(cancellation)
                                          : Error{500, "the original cannot be had in one scan"};
    } catch (...) {
        return Error{503, "out of memory"};
    }
}

}  // namespace media
