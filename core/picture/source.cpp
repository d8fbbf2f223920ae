#include "core/picture/source.h"

#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <string>
#include <string_view>

#include "core/picture/draw.h"
#include "core/picture/engine.h"
#include "core/picture/failure.h"
#include "core/picture/gif.h"

namespace media {

using vips::VImage;
using vips::VOption;

namespace {

// What is looked at to tell the format: an SVG may begin with comments.
constexpr std::uint64_t head_size = 64 * 1024;

// Bytes as a stream that ends when the work is to stop. libjpeg and libpng ask for a few thousand bytes at a
// time, so that even a progressive JPEG, which libjpeg takes in as a whole before its first line comes out,
// is left within a fraction of a millisecond.
struct Stream {
    ByteView bytes;  // or:
    int file;
    gint64 size;
    const Cancellation& cancellation;
    gint64 position = 0;
};

gint64 on_read(VipsSourceCustom* /*source*/, void* buffer, gint64 length, void* data) noexcept {
    auto* stream = static_cast<Stream*>(data);
    if (stream->cancellation.should_stop()) {
        return -1;
    }
    gint64 count = std::clamp<gint64>(stream->size - stream->position, 0, length);
    if (stream->file < 0) {
        std::memcpy(buffer, stream->bytes.data() + stream->position, static_cast<std::size_t>(count));
    } else {
        do {
            count = pread(stream->file, buffer, static_cast<std::size_t>(count), stream->position);
        } while (count < 0 && errno == EINTR);
    }
    stream->position += std::max<gint64>(count, 0);
    return count;
}

gint64 on_seek(VipsSourceCustom* /*source*/, gint64 offset, int whence, void* data) noexcept {
    auto* stream = static_cast<Stream*>(data);
    const gint64 base = whence == SEEK_SET ? 0 : whence == SEEK_CUR ? stream->position : stream->size;
    if (offset < -base || offset > stream->size - base) {
        return -1;
    }
    stream->position = base + offset;
    return stream->position;
}

void on_forget(void* data, GClosure* /*closure*/) noexcept {
    delete static_cast<Stream*>(data);
}

vips::VSource source_of(const Stream& start) {
    VipsSourceCustom* custom = vips_source_custom_new();
    if (custom == nullptr) {
        throw vips::VError();
    }
    vips::VSource source(VIPS_SOURCE(custom));
    auto* stream = new Stream(start);
    // The first handler owns the state: it goes when the source does.
    g_signal_connect_data(custom, "read", G_CALLBACK(on_read), stream, on_forget, GConnectFlags{});
    g_signal_connect(custom, "seek", G_CALLBACK(on_seek), stream);
    return source;
}

std::string loader_of(Format format, bool streamed) {
    const auto name = [format]() -> std::string_view {
        switch (format) {
            case Format::avif:
            case Format::heic:
                return "heif";
            default:
                return info(format).name;
        }
    };
    return std::string(name()) + (streamed ? "load_source" : "load_buffer");
}

// What is in memory is streamed where that makes it easier to stop.
bool streamed_from_memory(Format format) {
    return format == Format::jpeg || format == Format::png;
}

// libvips reads a stream of another format into memory as a whole.
bool streamed_from_file(Format format) {
    return info(format).raster && format != Format::gif && format != Format::webp;
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

PictureSource::PictureSource(ByteView bytes, FormatSet input, FailOn fail_on,
                             const Cancellation& cancellation)
    : bytes_(bytes), fail_on_(fail_on), cancellation_(cancellation) {
    open(bytes, input);
}

PictureSource::PictureSource(int file, FormatSet input, FailOn fail_on, const Cancellation& cancellation)
    : file_(file), fail_on_(fail_on), cancellation_(cancellation) {
    struct stat facts {};
    if (fstat(file_, &facts) != 0) {
        fail(500, "the original cannot be read");
    }
    file_size_ = static_cast<std::uint64_t>(facts.st_size);
    std::vector<std::uint8_t> head(static_cast<std::size_t>(std::min<std::uint64_t>(file_size_, head_size)));
    const ssize_t count = pread(file_, head.data(), head.size(), 0);
    if (count < 0) {
        fail(500, "the original cannot be read");
    }
    open({head.data(), static_cast<std::size_t>(count)}, input);
}

void PictureSource::open(ByteView head, FormatSet input) {
    const auto format = sniff(head);
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
    if (file_ >= 0 && !streamed_from_file(format_)) {
        map_file();
    }
    if (format_ == Format::gif && fail_on_ != FailOn::none && !gif_is_whole(bytes_)) {
        fail(422, "the original cannot be decoded");
    }
    read_header(0);
}

// What is mapped belongs to the page cache: it takes address space, but no memory that could not be had back.
void PictureSource::map_file() {
    const auto size = static_cast<std::size_t>(file_size_);
    void* const start = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, file_, 0);
    if (start == MAP_FAILED) {
        fail(500, "the original cannot be read");
    }
    mapping_ = std::shared_ptr<void>(start, [size](void* mapped) { munmap(mapped, size); });
    bytes_ = {static_cast<const std::uint8_t*>(start), size};
}

void PictureSource::select_page(int first) {
    if (first >= pages_) {
        fail(400, "the original has " + std::to_string(pages_) + (pages_ == 1 ? " page" : " pages"), "page");
    }
    // Pages of documents have sizes of their own; those of an animation do not.
    if (first != page_ && (format_ == Format::tiff || format_ == Format::pdf)) {
        read_header(first);
    }
}

void PictureSource::read_header(int page) {
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

VImage PictureSource::load(const LoadOptions& options) const {
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
    const bool from_file = file_ >= 0 && bytes_.empty();
    const bool streamed = from_file || streamed_from_memory(format_);
    const std::string loader = loader_of(format_, streamed);
    if (streamed) {
        const auto size = from_file ? static_cast<gint64>(file_size_) : static_cast<gint64>(bytes_.size());
        VImage::call(
            loader.c_str(),
            arguments->set("source", source_of({bytes_, from_file ? file_ : -1, size, cancellation_})));
    } else {
        VipsBlob* blob = vips_blob_new(nullptr, bytes_.data(), bytes_.size());
        arguments->set("buffer", blob);
        vips_area_unref(VIPS_AREA(blob));
        VImage::call(loader.c_str(), arguments);
    }
    return out;
}

}  // namespace media
