#include "core/picture/engine.h"

#include <array>
#include <atomic>
#include <mutex>
#include <string>
#include <vips/vips8>

// Does not include what it needs.
#include <vips/vector.h>

#include "core/picture/draw.h"
#include "core/rendition/parse.h"

namespace media {

namespace {

struct Operations {
    Format format;
    const char* loader;  // class
    const char* load;    // nickname
    const char* save;    // nickname, or null
};

constexpr std::array<Operations, format_count> operations{{
    {Format::jpeg, "VipsForeignLoadJpeg", "jpegload_source", "jpegsave_buffer"},
    {Format::png, "VipsForeignLoadPng", "pngload_source", "pngsave_buffer"},
    {Format::webp, "VipsForeignLoadWebp", "webpload_buffer", "webpsave_buffer"},
    {Format::avif, "VipsForeignLoadHeif", "heifload_buffer", "heifsave_buffer"},
    {Format::gif, "VipsForeignLoadNsgif", "gifload_buffer", "gifsave_buffer"},
    {Format::heic, "VipsForeignLoadHeif", "heifload_buffer", nullptr},
    {Format::tiff, "VipsForeignLoadTiff", "tiffload_buffer", "tiffsave_buffer"},
    {Format::jxl, "VipsForeignLoadJxl", "jxlload_buffer", "jxlsave_buffer"},
    {Format::svg, "VipsForeignLoadSvg", "svgload_buffer", nullptr},
    {Format::pdf, "VipsForeignLoadPdf", "pdfload_buffer", nullptr},
}};

constinit std::atomic<FormatSet> decodable{};
constinit std::atomic<FormatSet> encodable{};

bool available(const char* nickname) {
    const GType type = vips_type_find("VipsOperation", nickname);
    if (type == 0) {
        return false;
    }
    auto* const operation = VIPS_OPERATION_CLASS(g_type_class_ref(type));
    const bool open = (operation->flags & VIPS_OPERATION_BLOCKED) == 0;
    g_type_class_unref(operation);
    return open;
}

// libheif is there without an AV1 encoder as well, and only using it tells.
bool can_write_avif() {
    try {
        VipsBlob* blob = nullptr;
        vips::VImage::call("heifsave_buffer", vips::VImage::option()
                                                  ->set("in", vips::VImage::black(16, 16))
                                                  ->set("compression", VIPS_FOREIGN_HEIF_COMPRESSION_AV1)
                                                  ->set("bitdepth", 8)
                                                  ->set("effort", 0)
                                                  ->set("buffer", &blob));
        vips_area_unref(VIPS_AREA(blob));
        return true;
    } catch (const vips::VError&) {
        vips_error_clear();
        return false;
    }
}

void say_nothing(const char* /*domain*/, GLogLevelFlags /*level*/, const char* /*message*/,
                 void* /*data*/) noexcept {}

GLogWriterOutput write_nothing(GLogLevelFlags /*level*/, const GLogField* /*fields*/, gsize /*count*/,
                               void* /*data*/) noexcept {
    return G_LOG_WRITER_HANDLED;
}

// Libraries complain of damaged pictures on standard error, which is the server's; clients are told by
// status.
void silence_libraries() {
    static std::once_flag once;
    std::call_once(once, [] {
        g_log_set_default_handler(say_nothing, nullptr);
        g_log_set_writer_func(write_nothing, nullptr, nullptr);
    });
}

}  // namespace

Status start_engine(FormatSet untrusted) noexcept {
    try {
        silence_libraries();
        if (vips_init("ngx_media") != 0) {
            vips_error_clear();
            return Error{500, "the picture engine does not start"};
        }
        // The code that liborc makes at run time crashes when several threads make some at once.
        vips_vector_set_enabled(FALSE);
        vips_concurrency_set(1);
        vips_cache_set_max(0);
        vips_cache_set_max_mem(0);
        vips_cache_set_max_files(0);
        vips_block_untrusted_set(TRUE);
        // Marked untrusted by libvips 8.14, but wanted: JPEG XL always, documents where a location says so.
        vips_operation_block_set("VipsForeignLoadJxl", FALSE);
        vips_operation_block_set("VipsForeignSaveJxl", FALSE);
        bool documents = false;
        for (const Operations& row : operations) {
            if (!info(row.format).raster && untrusted.has(row.format)) {
                vips_operation_block_set(row.loader, FALSE);
                documents = true;
            }
        }
        if (documents) {
            // Forked here: what follows tries encoders, which may leave threads behind.
            if (Status drawing = start_drawing(); !drawing) {
                return drawing;
            }
        }
        FormatSet can_decode;
        FormatSet can_encode;
        for (const Operations& row : operations) {
            if (available(row.load)) {
                can_decode.add(row.format);
            }
            if (row.save != nullptr && available(row.save) &&
                (row.format != Format::avif || can_write_avif())) {
                can_encode.add(row.format);
            }
        }
        decodable.store(can_decode, std::memory_order_relaxed);
        encodable.store(can_encode, std::memory_order_relaxed);
        set_buildable_formats(can_encode);
        return Nothing{};
    } catch (...) {
        return Error{500, "the picture engine does not start"};
    }
}

void stop_engine() noexcept {
    stop_drawing();
    vips_shutdown();
}

void end_engine_thread() noexcept {
    vips_thread_shutdown();
}

FormatSet decodable_formats() noexcept {
    return decodable.load(std::memory_order_relaxed);
}

FormatSet encodable_formats() noexcept {
    return encodable.load(std::memory_order_relaxed);
}

}  // namespace media
