// Watermarks of text.
#include <algorithm>
#include <array>
#include <cmath>
#include <string>
#include <string_view>
#include <utility>

#include "core/picture/failure.h"
#include "core/picture/lettering.h"
#include "core/picture/overlay.h"

namespace media {

namespace {

Alignment alignment_at(Gravity position) noexcept {
    switch (position) {
        case Gravity::w:
        case Gravity::nw:
        case Gravity::sw:
            return Alignment::left;
        case Gravity::e:
        case Gravity::ne:
        case Gravity::se:
            return Alignment::right;
        default:
            return Alignment::center;
    }
}

// What all texts of one watermark share.
struct Lettering {
    std::shared_ptr<Fonts> fonts;
    std::string font;
    Color color;
    OverlayCache cache;
};

class TextWatermark final : public Watermark {
  public:
    TextWatermark(const OverlayPlacement& placement, std::shared_ptr<Lettering> lettering, std::string text)
        : Watermark(placement), lettering_(std::move(lettering)), text_(std::move(text)) {}

    std::shared_ptr<Watermark> with_text(const std::string& text) const override {
        return std::make_shared<TextWatermark>(placement(), lettering_, text);
    }

    void load_fonts(const Cancellation& cancellation) override { lettering_->fonts->load(cancellation); }

  private:
    // Kept by the size of the rendition, which is known without laying the text out.
    std::shared_ptr<const Pixels> overlay_for(Size rendition, const Cancellation& cancellation) override {
        if (text_.empty()) {
            return nullptr;
        }
        if (auto kept = lettering_->cache.find(text_, rendition)) {
            return kept;
        }
        const Outline outline = lettering_->fonts->outline(text_, lettering_->font,
                                                           alignment_at(placement().position), cancellation);
        if (outline.blank()) {
            return nullptr;
        }
        check(cancellation);
        Size size = overlay_size(outline.proportions(), rendition, placement().size);
        size = {std::min(size.width, Outline::max_side), std::min(size.height, Outline::max_side)};
        auto pixels = std::make_shared<const Pixels>(outline.drawn(size, lettering_->color));
        lettering_->cache.keep(text_, rendition, pixels);
        return pixels;
    }

    const std::shared_ptr<Lettering> lettering_;
    const std::string text_;
};

}  // namespace

std::shared_ptr<Watermark> make_text_watermark(const WatermarkSpec& spec) {
    const TextStyle& style = *spec.text;
    auto lettering = std::make_shared<Lettering>();
    lettering->fonts =
        style.font_file == nullptr ? Fonts::installed() : std::make_shared<Fonts>(style.font_file);
    lettering->font = style.font;
    lettering->color = style.color;
    lettering->color.a = static_cast<std::uint8_t>(std::lround(style.color.a * spec.opacity));
    return std::make_shared<TextWatermark>(spec.placement, std::move(lettering), std::string());
}

Status check_font(ByteView file) noexcept {
    using namespace std::string_view_literals;
    static constexpr std::array<std::string_view, 6> beginnings{"\0\1\0\0"sv, "OTTO"sv, "true"sv,
                                                                "ttcf"sv,     "wOFF"sv, "wOF2"sv};
    const std::string_view content(reinterpret_cast<const char*>(file.data()), file.size());
    for (const std::string_view beginning : beginnings) {
        if (content.starts_with(beginning)) {
            return Nothing{};
        }
    }
    try {
        return Error{500, "it is not a font"};
    } catch (...) {
        return Error{500, {}};
    }
}

}  // namespace media
