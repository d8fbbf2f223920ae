#include "core/picture/source.h"

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <string>

#include "core/picture/draw.h"
#include "core/picture/engine.h"
#include "core/picture/failure.h"
#include "core/picture/gif.h"

namespace media {

using vips::VImage;
using vips::VOption;

namespace {

// Bytes in memory as a stream that ends when the work is to stop. libjpeg and libpng ask for a few thousand
// bytes at a time, so that even a progressive JPEG, which libjpeg takes in as a whole before its first line
// comes out, is left within a fraction of a millisecond.
struct Stream {
    ByteView bytes;
    const Cancellation& cancellation;
    gint64 position = 0;
};

gint64 on_read(VipsSourceCustom* /*source*/, void* buffer, gint64 length, void* data) noexcept {
    auto* stream = static_cast<Stream*>(data);
    if (stream->cancellation.should_stop()) {
        return -1;
    }
    const auto size = static_cast<gint64>(stream->bytes.size());
    const gint64 count = std::clamp<gint64>(size - stream->position, 0, length);
    std::memcpy(buffer, stream->bytes.data() + stream->position, static_cast<std::size_t>(count));
    stream->position += count;
    return count;
}

gint64 on_seek(VipsSourceCustom* /*source*/, gint64 offset, int whence, void* data) noexcept {
    auto* stream = static_cast<Stream*>(data);
    const auto size = static_cast<gint64>(stream->bytes.size());
    const gint64 base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? stream->position : size;
    if (offset < -base || offset > size - base) {
        return -1;
    }
    stream->position = base + offset;
    return stream->position;
}

void on_forget(void* data, GClosure* /*closure*/) noexcept {
    delete static_cast<Stream*>(data);
}

vips::VSource stream_of(ByteView bytes, const Cancellation& cancellation) {
    VipsSourceCustom* custom = vips_source_custom_new();
    if (custom == nullptr) {
        throw vips::VError();
    }
    vips::VSource source(VIPS_SOURCE(custom));
    auto* stream = new Stream{bytes, cancellation};
    // The first handler owns the state: it goes when the source does.
    g_signal_connect_data(custom, "read", G_CALLBACK(on_read), stream, on_forget, GConnectFlags{});
    g_signal_connect(custom, "seek", G_CALLBACK(on_seek), stream);
    return source;
}

const char* loader_of(Format format) {
    switch (format) {
        case Format::jpeg:
            return "jpegload_source";
        case Format::png:
            return "pngload_source";
        case Format::webp:
            return "webpload_buffer";
        case Format::avif:
        case Format::heic:
            return "heifload_buffer";
        case Format::gif:
            return "gifload_buffer";
        case Format::tiff:
            return "tiffload_buffer";
        case Format::jxl:
            return "jxlload_buffer";
        case Format::svg:
        case Format::pdf:
            break;  // drawn, not loaded
    }
    return "";
}

bool streamed(Format format) {
    return format == Format::jpeg || format == Format::png;
}

bool paged(Format format) {
    return format == Format::gif || format == Format::webp || format == Format::tiff || format == Format::pdf;
}

VipsFailOn fail_level(FailOn fail_on) {
    switch (fail_on) {
        case FailOn::none:
            return VIPS_FAIL_ON_NONE;
        case FailOn::truncated:
            return VIPS_FAIL_ON_TRUNCATED;
        case FailOn::error:
            return VIPS_FAIL_ON_ERROR;
        case FailOn::warning:
            return VIPS_FAIL_ON_WARNING;
    }
    return VIPS_FAIL_ON_TRUNCATED;
}

}  // namespace

Source::Source(ByteView bytes, FormatSet input, FailOn fail_on, const Cancellation& cancellation)
    : bytes_(bytes), fail_on_(fail_on), cancellation_(cancellation) {
    const auto format = sniff(bytes);
    if (!format) {
        fail(415, "the original is not a picture of a known format");
    }
    format_ = *format;
    if (!input.has(format_)) {
        fail(415, "originals of format " + std::string(info(format_).name) + " are not allowed here");
    }
    if (!decodable_formats().has(format_)) {
        fail(415, "this build cannot decode " + std::string(info(format_).name));
    }
    if (format_ == Format::gif && fail_on_ != FailOn::none && !gif_is_whole(bytes_)) {
        fail(422, "the original cannot be decoded");
    }
    read_header(0);
}

void Source::select_page(int first) {
    if (first >= pages_) {
        fail(400, "the original has " + std::to_string(pages_) + (pages_ == 1 ? " page" : " pages"), "page");
    }
    // Pages of documents have sizes of their own; those of an animation do not.
    if (first != page_ && (format_ == Format::tiff || format_ == Format::pdf)) {
        read_header(first);
    }
}

void Source::read_header(int page) {
    LoadOptions options;
    options.page = page;
    options.header_only = true;
    header_ = load(options);
    page_ = page;
    VipsImage* const image = header_.get_image();
    size_ = {image->Xsize, vips_image_get_page_height(image)};
    pages_ = paged(format_) ? std::max(1, vips_image_get_n_pages(image)) : 1;
    const int colours = image->Type == VIPS_INTERPRETATION_CMYK ? 4 : image->Bands < 3 ? 1 : 3;
    alpha_ = image->Bands == colours + 1;
    // The containers of HEIF and JPEG XL say themselves how the picture lies, and their decoders obey.
    const bool upright = format_ == Format::heic || format_ == Format::avif || format_ == Format::jxl;
    orientation_ = upright ? 1 : vips_image_get_orientation(image);
    if (header_.get_typeof("delay") != 0) {
        delays_ = header_.get_array_int("delay");
    }
    if (header_.get_typeof("loop") != 0) {
        loop_ = std::max(0, header_.get_int("loop"));
    }
}

VImage Source::load(const LoadOptions& options) const {
    if (vector()) {
        return draw(bytes_,
                    {.format = format_,
                     .page = options.page,
                     .pages = options.pages,
                     .scale = options.scale,
                     .fail_on = fail_level(fail_on_),
                     .pixels = !options.header_only},
                    cancellation_);
    }
    VImage out;
    VOption* arguments = VImage::option()
                             ->set("out", &out)
                             ->set("access", VIPS_ACCESS_SEQUENTIAL)
                             ->set("fail_on", fail_level(fail_on_));
    if (paged(format_)) {
        arguments->set("page", options.page)->set("n", options.pages);
    }
    if (format_ == Format::jpeg) {
        arguments->set("shrink", options.shrink);
    }
    if (format_ == Format::webp) {
        arguments->set("scale", options.scale);
    }
    if (streamed(format_)) {
        VImage::call(loader_of(format_), arguments->set("source", stream_of(bytes_, cancellation_)));
    } else {
        VipsBlob* blob = vips_blob_new(nullptr, bytes_.data(), bytes_.size());
        arguments->set("buffer", blob);
        vips_area_unref(VIPS_AREA(blob));
        VImage::call(loader_of(format_), arguments);
    }
    return out;
}

}  // namespace media
