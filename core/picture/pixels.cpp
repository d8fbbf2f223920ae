#include "core/picture/pixels.h"

#include <algorithm>
#include <cstring>
#include <memory>

#include "core/picture/failure.h"

namespace media {

using vips::VError;
using vips::VImage;

namespace {

struct Unref {
    void operator()(void* object) const noexcept { g_object_unref(object); }
};

// Lines skipped at a time.
constexpr int skipped_lines = 16;

template <class Use>
void read_strips(const VImage& image, const Cancellation& cancellation, int strip_lines, Use&& use) {
    VipsImage* const in = image.get_image();
    check(cancellation);
    if (vips_image_pio_input(in) != 0) {
        throw VError();
    }
    // A region may be used by the thread that made it only: no pool of threads, no hand-over.
    const std::unique_ptr<VipsRegion, Unref> region(vips_region_new(in));
    if (!region) {
        throw VError();
    }
    for (int top = 0; top < in->Ysize; top += strip_lines) {
        check(cancellation);
        const VipsRect strip{0, top, in->Xsize, std::min(strip_lines, in->Ysize - top)};
        if (vips_region_prepare(region.get(), &strip) != 0) {
            check(cancellation);
            throw VError();
        }
        for (int y = top; y < top + strip.height; ++y) {
            if (!use(y, VIPS_REGION_ADDR(region.get(), 0, y))) {
                return;
            }
        }
    }
}

}  // namespace

VImage to_memory(const VImage& image, const Cancellation& cancellation, int strip_lines) {
    VipsImage* memory = vips_image_new_memory();
    if (memory == nullptr) {
        throw VError();
    }
    VImage result(memory);
    check(cancellation);
    if (vips_image_pio_input(image.get_image()) != 0 ||
        vips_image_pipelinev(memory, VIPS_DEMAND_STYLE_THINSTRIP, image.get_image(), nullptr) != 0) {
        throw VError();
    }
    each_line(image, cancellation, strip_lines, [memory](int y, const std::uint8_t* line) {
        if (vips_image_write_line(memory, y, const_cast<VipsPel*>(line)) != 0) {
            throw VError();
        }
    });
    // Who is told of progress comes from the image behind this one, which may go before this one does.
    memory->progress_signal = nullptr;
    return result;
}

void each_line(const VImage& image, const Cancellation& cancellation, int strip_lines,
               const std::function<void(int y, const std::uint8_t* line)>& use) {
    read_strips(image, cancellation, strip_lines, [&use](int y, const std::uint8_t* line) {
        use(y, line);
        return true;
    });
}

void while_lines(const VImage& image, const Cancellation& cancellation,
                 const std::function<bool(int y, const std::uint8_t* line)>& use) {
    read_strips(image, cancellation, usual_strip_lines, use);
}

void skip_lines(const VImage& image, int from, int to, const Cancellation& cancellation) {
    const std::unique_ptr<VipsRegion, Unref> region(vips_region_new(image.get_image()));
    if (!region) {
        throw VError();
    }
    for (int top = from; top < to; top += skipped_lines) {
        check(cancellation);
        const VipsRect strip{0, top, 1, std::min(skipped_lines, to - top)};
        if (vips_region_prepare(region.get(), &strip) != 0) {
            check(cancellation);
            throw VError();
        }
    }
}

Pixels Pixels::blank(Size size, int bands) {
    VipsImage* memory = vips_image_new_memory();
    if (memory == nullptr) {
        throw VError();
    }
    VImage image(memory);
    vips_image_init_fields(memory, size.width, size.height, bands, VIPS_FORMAT_UCHAR, VIPS_CODING_NONE,
                           bands < 3 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB, 1.0, 1.0);
    if (vips_image_write_prepare(memory) != 0) {
        throw VError();
    }
    std::memset(memory->data, 0, VIPS_IMAGE_SIZEOF_IMAGE(memory));
    return Pixels(image);
}

Pixels Pixels::with_colour() const {
    if (colour()) {
        return *this;
    }
    const bool has_alpha = alpha();
    const int step_in = bands();
    Pixels out = blank(size(), has_alpha ? 4 : 3);
    const int step_out = out.bands();
    for (int y = 0; y < height(); ++y) {
        const std::uint8_t* from = row(y);
        std::uint8_t* to = out.row(y);
        for (int x = 0; x < width(); ++x, from += step_in, to += step_out) {
            to[0] = to[1] = to[2] = from[0];
            if (has_alpha) {
                to[3] = from[1];
            }
        }
    }
    return out;
}

Pixels Pixels::with_alpha() const {
    if (alpha()) {
        return *this;
    }
    const int step_in = bands();
    Pixels out = blank(size(), step_in + 1);
    for (int y = 0; y < height(); ++y) {
        const std::uint8_t* from = row(y);
        std::uint8_t* to = out.row(y);
        for (int x = 0; x < width(); ++x, from += step_in, to += step_in + 1) {
            std::copy_n(from, step_in, to);
            to[step_in] = 255;
        }
    }
    return out;
}

}  // namespace media
