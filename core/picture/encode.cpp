#include "core/picture/encode.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "core/picture/failure.h"
#include "core/picture/fit.h"
#include "core/picture/pixels.h"
#include "core/picture/png_writer.h"
#include "core/picture/stop_guard.h"
#include "core/picture/webp.h"
#include "core/rendition/cost.h"

namespace media {

using vips::VImage;
using vips::VOption;

namespace {

struct Saver {
    const char* operation;
    int max_side;  // pixels of a page
};

Saver saver_of(Format format) {
    switch (format) {
        case Format::jpeg:
            return {"jpegsave_buffer", 65500};
        case Format::png:
            return {"pngsave_buffer", 1'000'000};
        case Format::webp:
            return {"webpsave_buffer", 16383};
        case Format::avif:
            return {"heifsave_buffer", 16384};
        case Format::gif:
            return {"gifsave_buffer", 65535};
        case Format::tiff:
            return {"tiffsave_buffer", 1'000'000};
        case Format::jxl:
            return {"jxlsave_buffer", 1'000'000};
        case Format::heic:
        case Format::svg:
        case Format::pdf:
            break;
    }
    fail(415, "this build cannot write " + std::string(info(format).name));
}

VOption* arguments_of(const EncodeOptions& options, int quality) {
    VOption* const arguments = VImage::option();
    if (options.metadata) {
        arguments->set("strip", false);
    } else {
        arguments->set("strip", true);
    }
    switch (options.format) {
        case Format::jpeg:
            // Optimised Huffman tables take a quarter of the encoder's time again and save a hundredth.
            return arguments->set("Q", quality);
        case Format::png:
            return arguments->set("compression", 6);
        case Format::webp:
            return arguments->set("Q", options.lossless ? 75 : quality)
                ->set("lossless", options.lossless)
                ->set("effort", options.effort);
        case Format::avif:
            return arguments->set("Q", quality)
                ->set("lossless", options.lossless)
                ->set("effort", options.effort)
                ->set("bitdepth", 8)
                ->set("subsample_mode",
                      options.lossless ? VIPS_FOREIGN_SUBSAMPLE_OFF : VIPS_FOREIGN_SUBSAMPLE_AUTO)
                ->set("compression", VIPS_FOREIGN_HEIF_COMPRESSION_AV1);
        case Format::gif:
            return arguments->set("effort", 3);
        case Format::tiff:
            return arguments->set("compression", VIPS_FOREIGN_TIFF_COMPRESSION_DEFLATE)
                ->set("predictor", VIPS_FOREIGN_TIFF_PREDICTOR_HORIZONTAL);
        case Format::jxl:
            return arguments->set("Q", quality)
                ->set("lossless", options.lossless)
                ->set("effort", options.effort);
        default:
            return arguments;
    }
}

Bytes encode_once(const VImage& image, const EncodeOptions& options, int quality,
                  const Cancellation& cancellation) {
    check(cancellation);
    if (options.format == Format::png && !options.metadata &&
        suits_write_png({image.width(), image.height()}, image.bands())) {
        return write_png(Pixels(to_memory(image, cancellation)), cancellation);
    }
    const StopGuard guard(image, cancellation);
    VipsBlob* blob = nullptr;
    try {
        VImage::call(saver_of(options.format).operation,
                     arguments_of(options, quality)->set("in", image)->set("buffer", &blob));
    } catch (const vips::VError&) {
        check(cancellation);
        fail(500, "the rendition cannot be written as " + std::string(info(options.format).name));
    }
    // Takes the buffer out of the blob, to save a copy.
    VipsArea* const area = VIPS_AREA(blob);
    Bytes bytes(area->data, area->length, g_free);
    area->free_fn = nullptr;
    vips_area_unref(area);
    if (options.format == Format::webp && !options.metadata) {
        strip_webp(bytes);
    }
    if (options.format == Format::webp && image.has_alpha()) {
        declare_transparent_webp(bytes);
    }
    return bytes;
}

}  // namespace

void admit(const EncodeOptions& options, int width, int height, int pages, const Cancellation& cancellation) {
    const int side = saver_of(options.format).max_side;
    if (width > side || height > side) {
        fail(400, std::string(info(options.format).name) + " cannot hold more than " + std::to_string(side) +
                      " pixels a side");
    }
    const double pixels = static_cast<double>(width) * height * pages;
    const std::chrono::duration<double, std::nano> needed(
        relentless_nanoseconds(options.format, options.effort) * pixels);
    if (needed > cancellation.left()) {
        fail(504,
             "a rendition of this size as " + std::string(info(options.format).name) + " takes too long");
    }
}

Bytes encode_to_fit(const EncodeOptions& options, const std::function<Bytes(int quality)>& write) {
    Bytes bytes = write(options.quality);
    if (!options.max_bytes || bytes.size() <= *options.max_bytes) {
        return bytes;
    }
    if (info(options.format).quality != 0 && !options.lossless) {
        Bytes best;
        const std::uint64_t limit = *options.max_bytes;
        fit_quality(options.quality, bytes.size(), limit, [&](int quality) {
            Bytes tried = write(quality);
            const std::uint64_t size = tried.size();
            if (size <= limit) {
                best = std::move(tried);
            }
            return size;
        });
        if (!best.empty()) {
            return best;
        }
    }
    fail(422, "no quality makes the rendition fit into " + std::to_string(*options.max_bytes) + " bytes",
         "max_bytes");
}

Bytes encode(const VImage& image, const EncodeOptions& options, const Cancellation& cancellation) {
    return encode_to_fit(options,
                         [&](int quality) { return encode_once(image, options, quality, cancellation); });
}

}  // namespace media
