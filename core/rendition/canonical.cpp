// The canonical form: what of a rendition makes a difference, in one spelling.
#include <charconv>

#include "core/rendition/parse.h"
#include "core/rendition/query.h"
#include "core/rendition/words.h"

namespace media {
namespace {

/// Appends `name=value` pairs; the caller keeps them sorted.
class Writer {
  public:
    Writer() { text_.reserve(96); }

    std::string& pair(std::string_view name) {
        if (!text_.empty()) {
            text_ += '&';
        }
        text_ += name;
        return text_ += '=';
    }
    void text(std::string_view name, std::string_view value) { pair(name) += value; }
    void number(std::string_view name, std::uint64_t value) { append(pair(name), value); }
    void integer(std::string_view name, int value) { append(pair(name), value); }

    /// Parsed decimals are multiples of a millionth: their shortest form is short.
    void decimal(std::string_view name, double value) { append(pair(name), value, std::chars_format::fixed); }
    void decimal_unless(std::string_view name, double value, double standard) {
        if (value != standard) {
            decimal(name, value);
        }
    }

    template <class... Arguments>
    static void append(std::string& out, Arguments... arguments) {
        char digits[400];  // the longest double in fixed notation is shorter
        const auto end = std::to_chars(digits, digits + sizeof digits, arguments...).ptr;
        out.append(digits, end);
    }

    std::string take() && { return std::move(text_); }

  private:
    std::string text_;
};

void append_hex(std::string& out, std::uint8_t byte) {
    static constexpr char digits[] = "0123456789abcdef";
    out += digits[byte >> 4];
    out += digits[byte & 0xF];
}

void write_background(Writer& out, const Rendition& rendition) {
    const Color color = *rendition.background;
    // White is what a format without transparency has under it anyway.
    const bool opaque_format = rendition.format && !info(*rendition.format).alpha;
    if (opaque_format && color == Color{255, 255, 255, 255}) {
        return;
    }
    std::string& text = out.pair("bg");
    append_hex(text, color.r);
    append_hex(text, color.g);
    append_hex(text, color.b);
    if (color.a != 255) {
        append_hex(text, color.a);
    }
}

void write_crop(Writer& out, const Crop& crop) {
    std::string& text = out.pair("crop");
    for (const Length* length : {&crop.x, &crop.y, &crop.width, &crop.height}) {
        if (length != &crop.x) {
            text += ',';
        }
        Writer::append(text, length->value, std::chars_format::fixed);
        if (length->percent) {
            text += "%25";
        }
    }
}

/// For `auto` the one format that a still comes in: what else the client accepts splits no entry.
void write_format(Writer& out, const Rendition& rendition) {
    if (rendition.format) {
        out.text("fm", info(*rendition.format).name);
        return;
    }
    if (rendition.describe) {
        out.text("fm", "json");
        return;
    }
    std::string& text = out.pair("fm") += "auto";
    if (!rendition.auto_formats.empty()) {
        text += '.';
        text += info(rendition.auto_formats.front()).name;
    }
}

void write_pages(Writer& out, const Rendition& rendition) {
    if (rendition.format) {
        const int standard = info(*rendition.format).animated ? all_pages : 1;
        if (rendition.pages == standard) {
            return;
        }
    }
    out.integer("n", *rendition.pages);
}

bool lossless_matters(const Rendition& rendition) {
    // A format without quality never loses anything.
    return rendition.lossless && (!rendition.format || info(*rendition.format).quality != 0);
}

bool quality_matters(const Rendition& rendition, const RenderSettings& settings) {
    if (rendition.lossless) {
        return false;
    }
    return !rendition.format ||
           (info(*rendition.format).quality != 0 &&
            *rendition.quality != settings.quality[static_cast<std::size_t>(*rendition.format)]);
}

void write_watermarks(Writer& out, const Rendition& rendition) {
    std::string& text = out.pair("wm");
    for (const std::string& name : rendition.watermarks) {
        if (&name != &rendition.watermarks.front()) {
            text += ',';
        }
        detail::append_encoded(text, name);
    }
}

}  // namespace

std::string canonical(const Rendition& rendition, const RenderSettings& settings) {
    static const Rendition standard;
    const bool box = rendition.width || rendition.height;
    const bool two_sides = rendition.width && rendition.height;
    const bool cover = two_sides && rendition.fit == Fit::cover;

    Writer out;  // in the order of the names
    if (rendition.background) {
        write_background(out, rendition);
    }
    if (rendition.blur) {
        out.decimal("blur", *rendition.blur);
    }
    out.decimal_unless("bri", rendition.brightness, standard.brightness);
    out.decimal_unless("con", rendition.contrast, standard.contrast);
    if (rendition.crop) {
        write_crop(out, *rendition.crop);
    }
    if (box && rendition.enlarge) {
        out.text("enlarge", "1");
    }
    if (two_sides && rendition.fit != standard.fit) {
        out.text("fit", detail::word_for(rendition.fit, detail::fits));
    }
    if (rendition.flip != standard.flip) {
        out.text("flip", detail::word_for(rendition.flip, detail::flips));
    }
    if (rendition.format || rendition.auto_format || rendition.describe) {
        write_format(out, rendition);
    }
    // The point in the middle is the same as `center`.
    const bool focus = cover && rendition.gravity == Gravity::fp &&
                       (rendition.focus_x != standard.focus_x || rendition.focus_y != standard.focus_y);
    if (focus) {
        out.decimal_unless("fx", rendition.focus_x, standard.focus_x);
        out.decimal_unless("fy", rendition.focus_y, standard.focus_y);
    }
    if (focus || (cover && rendition.gravity != standard.gravity && rendition.gravity != Gravity::fp)) {
        out.text("g", detail::word_for(rendition.gravity, detail::gravities));
    }
    if (rendition.gray) {
        out.text("gray", "1");
    }
    if (rendition.height) {
        out.integer("h", *rendition.height);
    }
    out.decimal_unless("hue", rendition.hue, standard.hue);
    if (lossless_matters(rendition)) {
        out.text("lossless", "1");
    }
    if (rendition.max_bytes) {
        out.number("max_bytes", *rendition.max_bytes);
    }
    if (rendition.pages) {
        write_pages(out, rendition);
    }
    if (rendition.page.value_or(0) != 0) {
        out.integer("page", *rendition.page);
    }
    if (rendition.quality && quality_matters(rendition, settings)) {
        out.integer("q", *rendition.quality);
    } else if (rendition.economy && !rendition.quality && !rendition.lossless) {
        out.text("q", "economy");
    }
    if (rendition.rotate != standard.rotate) {
        out.integer("rot", rendition.rotate);
    }
    if (rendition.round == round_max) {
        out.text("round", "max");
    } else if (rendition.round) {
        out.integer("round", *rendition.round);
    }
    out.decimal_unless("sat", rendition.saturation, standard.saturation);
    if (rendition.sharpen) {
        out.decimal("sharpen", *rendition.sharpen);
    }
    if (rendition.strip != standard.strip) {
        out.text("strip", detail::word_for(rendition.strip, detail::strips));
    }
    if (rendition.trim) {
        out.integer("trim", *rendition.trim);
    }
    if (!rendition.version.empty()) {
        out.text("v", rendition.version);
    }
    if (rendition.width) {
        out.integer("w", *rendition.width);
    }
    if (!rendition.watermarks.empty()) {
        write_watermarks(out, rendition);
    }
    return std::move(out).take();
}

}  // namespace media
