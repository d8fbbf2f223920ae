#include "core/picture/lettering.h"

#include <fontconfig/fontconfig.h>
#include <pango/pangocairo.h>
#include <pango/pangofc-fontmap.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <map>
#include <mutex>
#include <new>
#include <utility>

#include "core/base/hash.h"
#include "core/picture/failure.h"

namespace media {

namespace {

// Pixels of an em in which texts are laid out: enough that their curves can be drawn at any size.
constexpr int em = 512;

// Parts of a pixel of that em in `proportions`.
constexpr double parts = 64;

// The name under which a font file is found, whatever it calls itself.
constexpr const char* own_family = "ngx-media-own";

// Curves alone can be drawn at any size and in any colour.
constexpr const char* only_outlines =
    "<?xml version='1.0'?><fontconfig><selectfont><rejectfont>"
    "<pattern><patelt name='outline'><bool>false</bool></patelt></pattern>"
    "<pattern><patelt name='color'><bool>true</bool></patelt></pattern>"
    "</rejectfont></selectfont></fontconfig>";

constinit std::timed_mutex one_at_a_time;

std::unique_lock<std::timed_mutex> lock(const Cancellation& cancellation) {
    constexpr std::chrono::milliseconds patience{10};
    std::unique_lock held(one_at_a_time, std::defer_lock);
    while (!held.try_lock_for(patience)) {
        check(cancellation);
    }
    return held;
}

template <class T, void (*release)(T*)>
struct Releaser {
    void operator()(T* object) const noexcept { release(object); }
};
template <class T, void (*release)(T*)>
using Owner = std::unique_ptr<T, Releaser<T, release>>;

void unref(PangoContext* context) noexcept {
    g_object_unref(context);
}
void unref(PangoLayout* layout) noexcept {
    g_object_unref(layout);
}
void unref(PangoFontMap* map) noexcept {
    g_object_unref(map);
}

using Config = Owner<FcConfig, FcConfigDestroy>;
using FontMap = Owner<PangoFontMap, unref>;
using Context = Owner<PangoContext, unref>;
using Layout = Owner<PangoLayout, unref>;
using Description = Owner<PangoFontDescription, pango_font_description_free>;
using Options = Owner<cairo_font_options_t, cairo_font_options_destroy>;
using Surface = Owner<cairo_surface_t, cairo_surface_destroy>;
using Canvas = Owner<cairo_t, cairo_destroy>;
using Path = Owner<cairo_path_t, cairo_path_destroy>;

template <class T>
T* made(T* object) {
    if (object == nullptr) {
        throw std::bad_alloc();
    }
    return object;
}

Canvas canvas_on(const Surface& surface) {
    Canvas canvas(cairo_create(surface.get()));
    if (cairo_status(canvas.get()) != CAIRO_STATUS_SUCCESS) {
        throw std::bad_alloc();
    }
    return canvas;
}

void parse(FcConfig* config, const std::string& rules) {
    FcConfigParseAndLoadFromMemory(config, reinterpret_cast<const FcChar8*>(rules.c_str()), FcFalse);
}

bool any(const FcConfig* config, FcSetName set) {
    const FcFontSet* const fonts = FcConfigGetFonts(const_cast<FcConfig*>(config), set);
    return fonts != nullptr && fonts->nfont > 0;
}

// Writes `content` into a file of memory alone; its descriptor.
int memory_file(ByteView content) {
    const int descriptor = memfd_create("font", MFD_CLOEXEC);
    while (descriptor >= 0 && !content.empty()) {
        const ssize_t n = write(descriptor, content.data(), content.size());
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n <= 0) {
            close(descriptor);
            return -1;
        }
        content = content.subspan(static_cast<std::size_t>(n));
    }
    return descriptor;
}

// Where the libraries find a font file. They map it: one on disk that somebody writes over would end the
// process. And Cairo remembers fonts by their paths, so that a path stands for the same bytes for ever.
std::string path_of(ByteView content) {
    static std::map<Sha256, std::string> known;  // under the lock of all layout
    std::string& path = known[sha256(content)];
    if (path.empty()) {
        const int descriptor = memory_file(content);
        if (descriptor < 0) {
            fail(500, "out of memory");
        }
        path = "/proc/self/fd/" + std::to_string(descriptor);
    }
    return path;
}

PangoAlignment pango_alignment(Alignment alignment) noexcept {
    switch (alignment) {
        case Alignment::left:
            return PANGO_ALIGN_LEFT;
        case Alignment::right:
            return PANGO_ALIGN_RIGHT;
        case Alignment::center:
            break;
    }
    return PANGO_ALIGN_CENTER;
}

}  // namespace

struct Outline::Curves {
    Path path;
    double x = 0, y = 0, width = 0, height = 0;  // of the ink
};

struct Fonts::Loaded {
    Config config;
    FontMap map;
};

Size Outline::proportions() const noexcept {
    const auto part = [](double length) {
        return std::max(1, static_cast<int>(std::min(length * parts, 1e9)));
    };
    return {part(curves_->width), part(curves_->height)};
}

Pixels Outline::drawn(Size size, Color color) const {
    const Surface mask(cairo_image_surface_create(CAIRO_FORMAT_A8, size.width, size.height));
    {
        const Canvas canvas = canvas_on(mask);
        cairo_scale(canvas.get(), size.width / curves_->width, size.height / curves_->height);
        cairo_translate(canvas.get(), -curves_->x, -curves_->y);
        cairo_append_path(canvas.get(), curves_->path.get());
        cairo_fill(canvas.get());
        if (cairo_status(canvas.get()) != CAIRO_STATUS_SUCCESS) {
            throw std::bad_alloc();
        }
    }
    cairo_surface_flush(mask.get());
    const unsigned char* row = cairo_image_surface_get_data(mask.get());
    Pixels pixels = Pixels::blank(size, 4);
    for (int y = 0; y < size.height; ++y, row += cairo_image_surface_get_stride(mask.get())) {
        std::uint8_t* to = pixels.row(y);
        for (int x = 0; x < size.width; ++x, to += 4) {
            to[0] = color.r;
            to[1] = color.g;
            to[2] = color.b;
            to[3] = static_cast<std::uint8_t>((row[x] * color.a + 127) / 255);
        }
    }
    return pixels;
}

Fonts::Fonts(std::shared_ptr<const Bytes> file) : file_(std::move(file)) {}

Fonts::~Fonts() = default;

std::shared_ptr<Fonts> Fonts::installed() {
    static std::mutex mutex;
    static std::weak_ptr<Fonts> known;
    const std::lock_guard held(mutex);
    auto fonts = known.lock();
    if (fonts == nullptr) {
        fonts = std::make_shared<Fonts>(nullptr);
        known = fonts;
    }
    return fonts;
}

void Fonts::load(const Cancellation& cancellation) {
    const auto held = lock(cancellation);
    if (loaded_ != nullptr) {
        return;
    }
    auto loaded = std::make_unique<Loaded>();
    loaded->config.reset(made(FcInitLoadConfig()));
    FcConfig* const config = loaded->config.get();
    parse(config, only_outlines);
    std::string path;
    if (file_ != nullptr) {
        path = path_of(file_->view());
        parse(config, "<?xml version='1.0'?><fontconfig><match target='scan'><test name='file'><string>" +
                          path + "</string></test><edit name='family' mode='prepend'><string>" + own_family +
                          "</string></edit></match></fontconfig>");
    }
    FcConfigBuildFonts(config);
    if (file_ != nullptr &&
        (FcConfigAppFontAddFile(config, reinterpret_cast<const FcChar8*>(path.c_str())) == 0 ||
         !any(config, FcSetApplication))) {
        fail(500, "the file is no font of outlines");
    }
    if (file_ == nullptr && !any(config, FcSetSystem)) {
        fail(500, "no font is installed");
    }
    loaded->map.reset(made(pango_cairo_font_map_new_for_font_type(CAIRO_FONT_TYPE_FT)));
    pango_fc_font_map_set_config(PANGO_FC_FONT_MAP(loaded->map.get()), config);
    loaded_ = std::move(loaded);
}

Outline Fonts::outline(const std::string& text, const std::string& font, Alignment alignment,
                       const Cancellation& cancellation) {
    load(cancellation);
    const auto held = lock(cancellation);
    const Context context(made(pango_font_map_create_context(loaded_->map.get())));
    // Letters keep their exact shapes and distances: what is laid out once is drawn at many sizes.
    pango_context_set_round_glyph_positions(context.get(), FALSE);
    const Options options(made(cairo_font_options_create()));
    cairo_font_options_set_hint_style(options.get(), CAIRO_HINT_STYLE_NONE);
    cairo_font_options_set_hint_metrics(options.get(), CAIRO_HINT_METRICS_OFF);
    pango_cairo_context_set_font_options(context.get(), options.get());

    const Description description(made(pango_font_description_from_string(font.c_str())));
    if (file_ != nullptr) {
        pango_font_description_set_family_static(description.get(), own_family);
    }
    pango_font_description_set_absolute_size(description.get(), em * PANGO_SCALE);
    const Layout layout(made(pango_layout_new(context.get())));
    pango_layout_set_font_description(layout.get(), description.get());
    pango_layout_set_alignment(layout.get(), pango_alignment(alignment));
    pango_layout_set_text(layout.get(), text.data(), static_cast<int>(text.size()));

    // Without bounds: what lies far outside of a surface is left out of a path.
    const Surface nowhere(cairo_recording_surface_create(CAIRO_CONTENT_ALPHA, nullptr));
    const Canvas canvas = canvas_on(nowhere);
    pango_cairo_layout_path(canvas.get(), layout.get());
    double right = 0;
    double bottom = 0;
    auto curves = std::make_shared<Outline::Curves>();
    cairo_path_extents(canvas.get(), &curves->x, &curves->y, &right, &bottom);
    curves->width = right - curves->x;
    curves->height = bottom - curves->y;
    curves->path.reset(cairo_copy_path(canvas.get()));
    if (cairo_status(canvas.get()) != CAIRO_STATUS_SUCCESS || curves->path->status != CAIRO_STATUS_SUCCESS) {
        throw std::bad_alloc();
    }
    return Outline(curves->width > 0 && curves->height > 0 ? std::move(curves) : nullptr);
}

}  // namespace media
