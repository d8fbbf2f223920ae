#include "core/picture/frames.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <optional>
#include <vector>

#include "core/picture/colour.h"
#include "core/picture/direct.h"
#include "core/picture/effects.h"
#include "core/picture/failure.h"
#include "core/picture/finish.h"
#include "core/picture/overlay.h"
#include "core/picture/plane_colour.h"
#include "core/picture/png_reader.h"
#include "core/picture/resize.h"
#include "core/picture/trim.h"
#include "core/picture/webp_reader.h"

namespace media {

using vips::VImage;

namespace {

template <class T>
T take(Result<T> result) {
    if (!result) {
        throw Failure{std::move(result).error()};
    }
    return std::move(*result);
}

Size size_of(const Box& box) {
    return {box.width, box.height};
}

bool whole(const Box& box, Size size) {
    return box == Box{0, 0, size.width, size.height};
}

VImage part(const VImage& image, const Box& box) {
    return whole(box, {image.width(), image.height()})
               ? image
               : image.extract_area(box.x, box.y, box.width, box.height);
}

// Of 255 levels, half of one.
constexpr double extract_loss = 1.0 / 512;

// As many as are taken through a colour profile one by one.
constexpr double costly_pixels = 1'000'000;

// Where the box of the original lies in what was loaded, which may be smaller (shrink on load) or of another
// size (vectors) than the header said.
struct Loaded {
    VImage image;
    int page_height = 0;
    Box box;                       // in loaded pixels
    double width = 0, height = 0;  // of the box, in loaded pixels, before they were rounded
};

Loaded place(VImage image, const Box& box, double across, double down, int pages) {
    Loaded loaded;
    loaded.page_height = pages == 1 ? image.height() : vips_image_get_page_height(image.get_image());
    loaded.width = box.width * across;
    loaded.height = box.height * down;
    const int x = std::min(static_cast<int>(std::lround(box.x * across)), image.width() - 1);
    const int y = std::min(static_cast<int>(std::lround(box.y * down)), loaded.page_height - 1);
    loaded.box = {x, y, std::clamp(static_cast<int>(std::lround(loaded.width)), 1, image.width() - x),
                  std::clamp(static_cast<int>(std::lround(loaded.height)), 1, loaded.page_height - y)};
    loaded.image = std::move(image);
    return loaded;
}

// Everything is done on the picture as it is stored until it is small; only then it is turned.
class Maker {
  public:
    Maker(const RenderTask& task, const PictureSource& source, Layout& layout, Format format, int first,
          int pages)
        : task_(task),
          source_(source),
          layout_(layout),
          format_(format),
          first_(first),
          pages_(pages),
          colour_(source.header()) {}

    Frames make() {
        if (pages_ == 1) {
            if (const auto planes = planes_of(task_, source_, layout_, false)) {
                return {finished(cut_out(pixels_of(planes->view()).image())), Route::direct};
            }
            if (const auto small = resized_lines()) {
                return {finished(upright(*small)), Route::direct};
            }
        }
        if (task_.route == Route::direct) {
            fail(500, "the rendition cannot be made of planes");
        }
        if (task_.rendition.trim) {
            trim();
        }
        const Loaded loaded = load();
        Pixels result;
        for (int page = 0; page < pages_; ++page) {
            Pixels frame = finished(upright(resized(loaded, page)));
            if (pages_ == 1) {
                return {frame};
            }
            if (page == 0) {
                result = Pixels::blank({frame.width(), frame.height() * pages_}, frame.bands());
            }
            for (int y = 0; y < frame.height(); ++y) {
                std::memcpy(result.row(page * frame.height() + y), frame.row(y), frame.row_bytes());
            }
        }
        return {result};
    }

    Extract extract() {
        if (task_.rendition.trim) {
            trim();
        }
        const Loaded loaded = load(extract_loss);
        VImage image = colour_.prepare(page_of(loaded, 0));
        double width = loaded.width;
        double height = loaded.height;
        const double pixels = static_cast<double>(image.width()) * image.height();
        if (const int factor = static_cast<int>(std::sqrt(pixels / costly_pixels));
            colour_.costly() && factor > 1) {
            image = box_shrunk(image, factor);
            width /= factor;
            height /= factor;
        }
        return {colour_.finish(image), width, height};
    }

  private:
    Box stored_box() const { return before(layout_.turn, layout_.box, source_.size()); }
    Size stored_target() const { return layout_.turn.apply(layout_.geometry.resized); }

    // Looks at all pages, so that no frame of an animation loses what the first one lacks.
    void trim() {
        const Box box = stored_box();
        const Loaded loaded = place(source_.load({.page = first_, .pages = pages_}), box, 1, 1, pages_);
        std::vector<std::uint8_t> border;
        Box found;
        for (int page = 0; page < pages_; ++page) {
            const VImage image = to_memory(page_of(loaded, page), task_.cancellation);
            if (pages_ == 1 && !source_.vector()) {
                decoded_ = image;
            }
            const Pixels pixels(to_memory(colour_.finish(colour_.prepare(image)), task_.cancellation));
            if (border.empty()) {
                const Box corner = before(layout_.turn, {0, 0, 1, 1}, size_of(box));
                const std::uint8_t* pixel = pixels.row(corner.y) + corner.x * pixels.bands();
                border.assign(pixel, pixel + pixels.bands());
            }
            found = around(found, trim_box(pixels, *task_.rendition.trim, border, task_.cancellation));
        }
        if (found.width <= 0 || found.height <= 0) {
            found = {0, 0, box.width, box.height};
        }
        trimmed_ = found;
        // Back to upright coordinates: undoing a turn is a turn as well.
        const Box upright = after(found, size_of(box));
        layout_.box = {layout_.box.x + upright.x, layout_.box.y + upright.y, upright.width, upright.height};
        layout_.geometry =
            take(plan(task_.rendition, size_of(layout_.box), task_.settings, source_.vector()));
    }

    // A box of the stored picture, which is of size `stored`, in the turned one.
    Box after(Box box, Size stored) const {
        if (layout_.turn.mirror) {
            box.x = stored.width - box.x - box.width;
        }
        switch (layout_.turn.angle) {
            case 90:
                return {stored.height - box.y - box.height, box.x, box.height, box.width};
            case 180:
                return {stored.width - box.x - box.width, stored.height - box.y - box.height, box.width,
                        box.height};
            case 270:
                return {box.y, stored.width - box.x - box.width, box.height, box.width};
            default:
                return box;
        }
    }

    // `loss`: the share of the picture that may be missing or wrong at its edges. Lanczos makes up for it.
    Loaded load(double loss = 1) const {
        if (decoded_) {
            // Cropped already, and whole in memory.
            return place(*decoded_, trimmed_, 1, 1, 1);
        }
        const Size stored = source_.size();
        const Box box = stored_box();
        const Size target = stored_target();
        LoadOptions options{.page = first_, .pages = pages_};
        if (source_.vector()) {
            return load_vector(options, box, target);
        }
        if (source_.format() == Format::jpeg) {
            options.shrink = shrink_on_load(stored, box, target, loss);
            const double factor = 1.0 / options.shrink;
            return place(source_.load(options), box, factor, factor, 1);
        }
        // The last line or column of an odd side has chroma that would count twice.
        const double odd = static_cast<double>(stored.width % 2) / stored.width +
                           static_cast<double>(stored.height % 2) / stored.height;
        if (source_.format() == Format::webp && pages_ == 1 && whole(box, stored) && !source_.alpha() &&
            odd <= loss) {
            // libwebp's own filter does the coarse part while it decodes; Lanczos the last factor of two.
            // With alpha, it would mix colours that cannot be seen into those beside them.
            const double factor = std::min(static_cast<double>(stored.width) / target.width,
                                           static_cast<double>(stored.height) / target.height);
            if (factor >= 4) {
                options.scale = 2 / factor;
                VImage image = source_.load(options);
                const double across = static_cast<double>(image.width()) / stored.width;
                const double down = static_cast<double>(image.height()) / stored.height;
                return place(std::move(image), box, across, down, 1);
            }
        }
        return place(source_.load(options), box, 1, 1, pages_);
    }

    // Vectors are drawn at the size at which they are wanted.
    Loaded load_vector(LoadOptions options, const Box& box, Size target) const {
        const Size stored = source_.size();
        const double pixels = static_cast<double>(stored.width) * stored.height * pages_;
        const double most = std::sqrt(static_cast<double>(task_.settings.max_source_pixels) / pixels);
        options.scale = std::min(most, std::max(static_cast<double>(target.width) / box.width,
                                                static_cast<double>(target.height) / box.height));
        VImage image = source_.load(options);
        if (whole(box, stored) && image.width() != target.width && options.scale < most) {
            // The header's size was rounded: now that it is known more exactly, aim again.
            options.scale *= static_cast<double>(target.width) / image.width();
            image = source_.load(options);
        }
        const int page_height = vips_image_get_page_height(image.get_image());
        return place(image, box, static_cast<double>(image.width()) / stored.width,
                     static_cast<double>(page_height) / stored.height, pages_);
    }

    VImage page_of(const Loaded& loaded, int page) const {
        Box box = loaded.box;
        const int top = page * loaded.page_height;
        const int unread = page == 0 ? 0 : top - loaded.page_height + box.y + box.height;
        box.y += top;
        if (box.y > unread && !decoded_) {
            skip_lines(loaded.image, unread, box.y, task_.cancellation);
        }
        return part(loaded.image, box);
    }

    // What becomes of a box of the stored picture, which stands for so much of it.
    Resizing resizing(double width, double height) const {
        const Size target = stored_target();
        const Geometry& geometry = layout_.geometry;
        return {.width = width,
                .height = height,
                .target = target,
                .cut = geometry.cut_by_content ? Box{0, 0, target.width, target.height}
                                               : before(layout_.turn, geometry.cut, target),
                .filters = task_.route == Route::libvips ? Filters::libvips : Filters::own};
    }

    // One page, resized, as it is stored.
    VImage resized(const Loaded& loaded, int page) const {
        return resize(colour_.prepare(page_of(loaded, page)), resizing(loaded.width, loaded.height),
                      task_.cancellation);
    }

    // The same where libvips is not needed: of most PNGs and of every still WebP.
    std::optional<VImage> resized_lines() const {
        if (task_.route == Route::libvips || task_.rendition.trim) {
            return std::nullopt;
        }
        const VImage& header = source_.header();
        const Box box = stored_box();
        const Resizing what = resizing(box.width, box.height);
        if (!LineResize::suits(header, what)) {
            return std::nullopt;
        }
        LineResize small(header, size_of(box), what);
        int y = 0;
        const auto use = [&](const std::uint8_t* line) {
            return y++ < box.y || small.take(line + static_cast<std::ptrdiff_t>(box.x) * header.bands());
        };
        bool sound = false;
        if (source_.format() == Format::png) {
            PngReader reader(task_.original);
            sound = reader.open() && reader.bands() == header.bands() && reader.size() == source_.size() &&
                    reader.read(use, task_.cancellation);
        } else if (source_.format() == Format::webp) {
            WebpReader reader(task_.original);
            sound = reader.open() && header.bands() >= 3 && reader.size() == source_.size() &&
                    reader.read_pixels(header.bands(), use, task_.cancellation);
        }
        return sound ? std::optional(small.result()) : std::nullopt;
    }

    // In 8 bits, upright, cut, in memory.
    VImage upright(const VImage& small) {
        VImage image = colour_.finish(small);
        if (image.get_image() != small.get_image()) {
            image = to_memory(image, task_.cancellation);
        }
        if (!layout_.turn.nothing()) {
            image = to_memory(apply(layout_.turn, image), task_.cancellation);
        }
        return cut_out(image);
    }

    // What is to be seen of a picture in memory, where its content says so.
    VImage cut_out(const VImage& image) {
        return layout_.geometry.cut_by_content
                   ? to_memory(part(image, interesting_part(image)), task_.cancellation)
                   : image;
    }

    // Chosen on the first frame: one that jumps about is worse than one that misses something.
    Box interesting_part(const VImage& image) {
        if (!interesting_) {
            const Geometry& geometry = layout_.geometry;
            const VImage smart = image.smartcrop(
                geometry.cut.width, geometry.cut.height,
                VImage::option()->set("interesting", task_.rendition.gravity == Gravity::entropy
                                                         ? VIPS_INTERESTING_ENTROPY
                                                         : VIPS_INTERESTING_ATTENTION));
            interesting_ = Box{-smart.xoffset(), -smart.yoffset(), geometry.cut.width, geometry.cut.height};
        }
        return *interesting_;
    }

    Pixels finished(VImage image) const {
        const Rendition& rendition = task_.rendition;
        if (has_effects(rendition)) {
            image = to_memory(with_effects(image, rendition, task_.cancellation), task_.cancellation,
                              effect_lines(rendition));
        }
        Pixels pixels(image);
        const bool transparency = info(format_).alpha;
        const Color white{255, 255, 255, 255};
        const Color ground = over_white(rendition.background.value_or(white));
        if (!transparency) {
            pixels = flattened(pixels, ground);
        }
        pixels = on_canvas(pixels, layout_.geometry,
                           transparency ? rendition.background.value_or(Color{0, 0, 0, 0}) : ground);
        if (rendition.round) {
            round_corners(pixels, *rendition.round, transparency ? std::nullopt : std::optional(ground));
        }
        if (!task_.watermarks.empty()) {
            pixels = pixels.with_colour();
        }
        for (const auto& watermark : task_.watermarks) {
            watermark->lay_over(pixels, task_.cancellation);
        }
        return pixels;
    }

    const RenderTask& task_;
    const PictureSource& source_;
    Layout& layout_;
    const Format format_;
    const int first_;
    const int pages_;
    const Colour colour_;
    std::optional<VImage> decoded_;
    Box trimmed_;
    std::optional<Box> interesting_;
};

}  // namespace

Layout layout_of(const RenderTask& task, const PictureSource& source) {
    Layout layout;
    layout.turn = turn_of(source.orientation(), task.rendition);
    layout.upright = layout.turn.apply(source.size());
    layout.box = task.rendition.crop ? take(crop_box(*task.rendition.crop, layout.upright))
                                     : Box{0, 0, layout.upright.width, layout.upright.height};
    layout.geometry = take(plan(task.rendition, size_of(layout.box), task.settings, source.vector()));
    return layout;
}

Frames make_frames(const RenderTask& task, const PictureSource& source, Layout& layout, Format format,
                   int first, int pages) {
    return Maker(task, source, layout, format, first, pages).make();
}

Extract extract(const RenderTask& task, const PictureSource& source, Layout& layout, int page) {
    return Maker(task, source, layout, source.format(), page, 1).extract();
}

}  // namespace media
