// Watermarks of text: how large, where, in what colour, and what is drawn of what is written.
#include <algorithm>
#include <fstream>
#include <iterator>
#include <thread>

#include "core/base/plain_text.h"
#include "tests/core/picture_fixture.h"

namespace media {
namespace {

constexpr const char* fonts_folder = "/usr/share/fonts/truetype/dejavu/";

class TextTest : public PictureTest {
  protected:
    static WatermarkSpec spec_of(const std::string& font = "DejaVu Sans") {
        WatermarkSpec spec;
        spec.name = "text";
        spec.text = TextStyle{.font = font, .font_file = nullptr, .color = blue};
        return spec;
    }

    static std::shared_ptr<const Bytes> font_file(const char* name) {
        std::ifstream file(std::string(fonts_folder) + name, std::ios::binary);
        const File content{std::istreambuf_iterator<char>(file), {}};
        EXPECT_FALSE(content.empty()) << "fonts-dejavu-core is missing";
        return std::make_shared<const Bytes>(Bytes::copy_of(view(content)));
    }

    static std::shared_ptr<Watermark> prepared(const WatermarkSpec& spec) {
        auto watermark = prepare_watermark(spec);
        EXPECT_TRUE(watermark);
        return watermark ? *watermark : nullptr;
    }

    void lay(const WatermarkSpec& spec, const std::string& text) {
        watermarks.push_back(watermark_with_text(prepared(spec), text));
    }

    /// One text on a white picture of this size.
    vips::VImage written(const WatermarkSpec& spec, const std::string& text, int width = 400,
                         int height = 300) {
        watermarks.clear();
        lay(spec, text);
        return picture(file_of(plain(width, height, white), ".png"), "");
    }

    /// Where a picture differs from white.
    static Box ink(const vips::VImage& image) {
        const vips::VImage gray = image.extract_band(0).copy_memory();
        int left = gray.width();
        int top = gray.height();
        int right = 0;
        int bottom = 0;
        for (int y = 0; y < gray.height(); ++y) {
            const std::uint8_t* row = VIPS_IMAGE_ADDR(gray.get_image(), 0, y);
            for (int x = 0; x < gray.width(); ++x) {
                if (row[x] < 250) {
                    left = std::min(left, x);
                    right = std::max(right, x + 1);
                    top = std::min(top, y);
                    bottom = y + 1;
                }
            }
        }
        return {left, top, std::max(0, right - left), std::max(0, bottom - top)};
    }

    /// How many pixels' worth of ink it holds.
    static double amount(const vips::VImage& image) {
        return (1 - image.extract_band(0).avg() / 255) * image.width() * image.height();
    }

    static bool same(const vips::VImage& a, const vips::VImage& b) {
        return a.width() == b.width() && a.height() == b.height() && (a - b).abs().max() == 0;
    }
};

TEST_F(TextTest, IsAsWideAsAsked) {
    for (const char* text : {"(c) example.org", "Wm", "jpqg", "漢字", "two\nlines",
                             "a rather long line of text "
                             "that is small"}) {
        for (const int width : {97, 901}) {
            for (const double size : {0.1, 0.333, 1.0}) {
                WatermarkSpec spec = spec_of();
                spec.placement = {.position = Gravity::center, .size = size};
                const Box box = ink(written(spec, text, width, width));
                EXPECT_NEAR(box.width, width * size, 1.5) << text << width << " " << size;
                EXPECT_NEAR(box.x, (width - box.width) / 2.0, 1.5) << text << width;
            }
        }
    }
}

TEST_F(TextTest, IsNeverHigherThanTheRendition) {
    WatermarkSpec spec = spec_of();
    spec.placement = {.position = Gravity::center, .size = 1};
    const Box box = ink(written(spec, "I", 800, 50));
    EXPECT_NEAR(box.height, 50, 1);
    EXPECT_LT(box.width, 25);
    EXPECT_NEAR(ink(written(spec, "a\nb\nc\nd", 800, 50)).height, 50, 1);
}

TEST_F(TextTest, LiesWhereItIsPut) {
    struct Case {
        Gravity position;
        int x, y;  // -1: at the start, 0: in the middle, 1: at the end
    };
    constexpr Case cases[] = {{Gravity::nw, -1, -1}, {Gravity::n, 0, -1},     {Gravity::ne, 1, -1},
                              {Gravity::w, -1, 0},   {Gravity::center, 0, 0}, {Gravity::e, 1, 0},
                              {Gravity::sw, -1, 1},  {Gravity::s, 0, 1},      {Gravity::se, 1, 1}};
    for (const Case& c : cases) {
        WatermarkSpec spec = spec_of();
        spec.placement = {.position = c.position, .size = 0.3, .margin = 0.05};
        const Box box = ink(written(spec, "Hxgj", 400, 200));  // a margin of 10
        const auto wanted = [](int whole, int length, int towards) {
            return towards < 0 ? 10.0 : towards > 0 ? whole - length - 10.0 : (whole - length) / 2.0;
        };
        EXPECT_NEAR(box.width, 120, 1.5);
        EXPECT_NEAR(box.x, wanted(400, box.width, c.x), 1.5) << static_cast<int>(c.position);
        EXPECT_NEAR(box.y, wanted(200, box.height, c.y), 1.5) << static_cast<int>(c.position);
    }
}

TEST_F(TextTest, LinesBeginWhereTheTextLies) {
    const auto begin_of_second_line = [&](Gravity position) {
        WatermarkSpec spec = spec_of();
        spec.placement = {.position = position, .size = 1, .margin = 0};
        const vips::VImage image = written(spec, "WWWWWWWW\n--", 400, 400);
        const Box box = ink(image);
        return ink(image.extract_area(0, box.y + box.height * 3 / 4, 400, box.height / 4)).x;
    };
    EXPECT_LT(begin_of_second_line(Gravity::nw), 20);
    EXPECT_NEAR(begin_of_second_line(Gravity::n), 180, 20);
    EXPECT_GT(begin_of_second_line(Gravity::ne), 340);
}

TEST_F(TextTest, ColourIsExactWithinTheStrokes) {
    struct Case {
        Color color;
        double opacity;
        Color ground, expected;
    };
    constexpr Case cases[] = {
        {{18, 52, 86, 255}, 1, {255, 255, 255, 255}, {18, 52, 86, 255}},
        {{0, 0, 255, 255}, 0.5, {255, 255, 255, 255}, {127, 127, 255, 255}},
        {{0, 0, 255, 128}, 1, {255, 255, 255, 255}, {127, 127, 255, 255}},
        {{0, 0, 255, 128}, 0.5, {255, 255, 255, 255}, {191, 191, 255, 255}},
        {{0, 0, 255, 128}, 1, {255, 0, 0, 0}, {0, 0, 255, 128}},
        {{255, 255, 255, 255}, 1, {9, 9, 9, 255}, {255, 255, 255, 255}},
    };
    for (const Case& c : cases) {
        WatermarkSpec spec = spec_of("DejaVu Sans Bold");
        spec.text->color = c.color;
        spec.opacity = c.opacity;
        spec.placement = {.position = Gravity::center, .size = 0.8, .margin = 0};
        watermarks.clear();
        lay(spec, "—");  // a bar: its middle is in the middle of its stroke
        const vips::VImage image =
            picture(file_of(plain(300, 100, c.ground, c.ground.a == 255 ? 3 : 4), ".png"), "");
        EXPECT_TRUE(is_near(pixel(image, 150, 50), c.expected, 1));
        EXPECT_TRUE(is_near(pixel(image, 20, 50), c.ground, 0));
        EXPECT_TRUE(is_near(pixel(image, 150, 5), c.ground, 0));
    }
}

TEST_F(TextTest, AnyOriginalAndEveryFormat) {
    WatermarkSpec spec = spec_of();
    spec.text->color = {220, 30, 30};
    spec.placement = {.position = Gravity::center, .size = 0.9, .margin = 0};
    lay(spec, "■");
    const std::pair<const char*, File> originals[] = {
        {"gray", file_of(plain(80, 80, {90}, 1), ".png")},
        {"gray, alpha", file_of(plain(80, 80, {90, 0, 0, 40}, 2), ".png")},
        {"palette", file_of(quarters(80, 80), ".png", vips::VImage::option()->set("palette", true))},
        {"transparent", file_of(plain(80, 80, {1, 2, 3, 0}, 4), ".png")},
        {"jpeg", file_of(textured(80, 80), ".jpg")},
    };
    for (const auto& [what, file] : originals) {
        for (const char* format : {"jpeg", "png", "webp", "avif", "gif"}) {
            const vips::VImage image = picture(file, std::string("q=90&fm=") + format);
            EXPECT_TRUE(
                is_near(pixel(image.colourspace(VIPS_INTERPRETATION_sRGB), 40, 40), {220, 30, 30}, 20))
                << what << " " << format;
        }
    }
}

TEST_F(TextTest, EveryFrame) {
    WatermarkSpec spec = spec_of();
    spec.placement = {.position = Gravity::center, .size = 0.9, .margin = 0};
    lay(spec, "■");
    const File file =
        file_of(roll({plain(60, 60, red), plain(60, 60, green), plain(60, 60, white)}, {50, 50, 50}), ".gif");
    const vips::VImage all = picture(file, "fm=webp&lossless=1", "n=-1");
    ASSERT_EQ(all.height(), 180);
    for (int page = 0; page < 3; ++page) {
        EXPECT_TRUE(is_near(pixel(all, 30, page * 60 + 30), blue, 8)) << page;
        EXPECT_FALSE(is_near(pixel(all, 1, page * 60 + 1), blue, 60)) << page;
    }
}

TEST_F(TextTest, TilesCoverThePicture) {
    WatermarkSpec spec = spec_of();
    spec.placement = {.size = 0.2, .margin = 0.02, .tile = true};
    const vips::VImage image = written(spec, "draft", 400, 400);
    for (int y = 0; y < 400; y += 80) {
        for (int x = 0; x < 400; x += 80) {
            EXPECT_GT(amount(image.extract_area(x, y, 80, 80)), 100) << x << "," << y;
        }
    }
    const Box first = ink(image.extract_area(0, 0, 90, 20));
    EXPECT_NEAR(first.x, 8, 1.5);
    // The same again one tile further.
    EXPECT_TRUE(same(image.extract_area(8, 8, 70, 20), image.extract_area(96, 8, 70, 20)));
}

TEST_F(TextTest, MarkupIsShown) {
    WatermarkSpec spec = spec_of();
    spec.placement = {.position = Gravity::center, .size = 0.8};
    const vips::VImage tagged = written(spec, "<b>x</b>");
    const Box box = ink(tagged);
    // Eight letters in a row, not one: by the metrics of DejaVu Sans about six times as wide as high.
    EXPECT_NEAR(static_cast<double>(box.width) / box.height, 6.3, 0.4);
    EXPECT_FALSE(same(tagged, written(spec, "x")));
    EXPECT_FALSE(same(written(spec, "&amp;"), written(spec, "&")));
    EXPECT_FALSE(same(written(spec, "&lt;"), written(spec, "<")));
    EXPECT_GT(amount(written(spec, "<span foreground='red'")), 100) << "what is no markup is drawn as well";
    EXPECT_EQ(pixel(written(spec, "<span foreground='red'>■</span>"), 0, 0), white);
}

TEST_F(TextTest, AnyTextCanBeDrawn) {
    WatermarkSpec spec = spec_of();
    spec.placement = {.position = Gravity::center, .size = 0.9};
    std::string marks = "a";
    for (int i = 0; i < 100; ++i) {
        marks += "\u0301\u0323";
    }
    for (const std::string& text :
         {std::string("שלום עולם"), std::string("مرحبا بالعالم"),
          std::string("😀 👨‍👩‍👧‍👦 ✓ 漢字"), std::string("\uFFFD\uFFFE\U0010FFFF"),
          std::string("a\u2028b\u2029c"), marks, std::string(199, 'W') + "…", std::string(100, '\n') + "x",
          std::string("\u0600\u0601"), std::string("e\u034F\u0300\uFE0F\u200D\u200D")}) {
        const vips::VImage image = written(spec, text);
        EXPECT_GT(amount(image), 1) << text;
        EXPECT_LE(ink(image).width, 362) << text;
    }
}

TEST_F(TextTest, NothingToSee) {
    WatermarkSpec spec = spec_of();
    const vips::VImage clean = picture(file_of(plain(400, 300, white), ".png"), "");
    for (const char* text : {"", " ", "\u00A0\u00A0", "\n\n", "\u200B\u200D", "\u3000"}) {
        EXPECT_TRUE(same(written(spec, text), clean)) << '"' << text << '"';
    }
    spec.text->color.a = 0;
    EXPECT_TRUE(same(written(spec, "text"), clean));
}

TEST_F(TextTest, OnePixelIsEnough) {
    WatermarkSpec spec = spec_of();
    for (const auto& [width, height] : {std::pair{1, 1}, {1, 40}, {40, 1}, {2, 3}}) {
        for (const bool tile : {false, true}) {
            spec.placement.tile = tile;
            EXPECT_EQ(written(spec, "some text", width, height).width(), width);
        }
    }
}

TEST_F(TextTest, FontsDiffer) {
    const vips::VImage sans = written(spec_of("DejaVu Sans"), "Hamburg");
    EXPECT_TRUE(same(written(spec_of("DejaVu Sans 40"), "Hamburg"), sans)) << "a size does not matter";
    EXPECT_FALSE(same(written(spec_of("DejaVu Serif"), "Hamburg"), sans));
    EXPECT_GT(amount(written(spec_of("DejaVu Sans Bold"), "Hamburg")), amount(sans) * 1.1);
    EXPECT_GT(amount(written(spec_of("no such font"), "Hamburg")), 10);
    EXPECT_GT(amount(written(spec_of(""), "Hamburg")), 10);
}

TEST_F(TextTest, AFontFileIsThatFont) {
    const auto by_file = [&](const char* name, const char* text = "Hamburg") {
        WatermarkSpec spec = spec_of("does not matter");
        spec.text->font_file = font_file(name);
        EXPECT_TRUE(check_font(spec.text->font_file->view()));
        return written(spec, text);
    };
    EXPECT_TRUE(same(by_file("DejaVuSans.ttf"), written(spec_of("DejaVu Sans"), "Hamburg")));
    EXPECT_TRUE(same(by_file("DejaVuSerif-Bold.ttf"), written(spec_of("DejaVu Serif Bold"), "Hamburg")));
    EXPECT_FALSE(same(by_file("DejaVuSans.ttf"), by_file("DejaVuSansMono.ttf")));
    // What it lacks comes from the installed fonts: Mono has no Hebrew.
    EXPECT_TRUE(same(by_file("DejaVuSansMono.ttf", "שלום"), written(spec_of("DejaVu Sans"), "שלום")));
}

TEST_F(TextTest, WhatIsNoFont) {
    const File original = file_of(plain(80, 60, white), ".png");
    EXPECT_FALSE(check_font(view(original)));
    EXPECT_FALSE(check_font({}));
    File cut;
    const auto whole = font_file("DejaVuSans.ttf");
    cut.assign(whole->data(), whole->data() + 1000);
    EXPECT_TRUE(check_font(view(cut))) << "a quick look sees no more";
    WatermarkSpec spec = spec_of();
    spec.text->font_file = std::make_shared<const Bytes>(Bytes::copy_of(view(cut)));
    const auto watermark = prepared(spec);
    const Status loaded = load_fonts(*watermark);
    ASSERT_FALSE(loaded);
    EXPECT_EQ(loaded.error().status, 500);
    watermarks.push_back(watermark_with_text(watermark, "text"));
    EXPECT_EQ(status(original, ""), 500) << "never a rendition without its watermark";
}

TEST_F(TextTest, APictureTakesNoText) {
    WatermarkSpec spec;
    const File file = file_of(plain(8, 8, blue), ".png");
    spec.file = std::make_shared<const Bytes>(Bytes::copy_of(view(file)));
    const auto watermark = prepared(spec);
    EXPECT_EQ(watermark_with_text(watermark, "text"), watermark);
    EXPECT_TRUE(load_fonts(*watermark));
}

TEST_F(TextTest, StopsWhenItIsLate) {
    lay(spec_of(), "text");
    time = std::chrono::milliseconds{0};
    EXPECT_EQ(status(file_of(plain(80, 60, white), ".png"), ""), 504);
}

TEST_F(TextTest, ManyThreadsAndTexts) {
    const auto installed = prepared(spec_of());
    WatermarkSpec own = spec_of();
    own.text->font_file = font_file("DejaVuSerif.ttf");
    const auto from_file = prepared(own);
    const File file = file_of(plain(200, 100, white), ".png");
    const Rendition rendition = [] {
        Rendition wanted;
        wanted.format = Format::png;
        return wanted;
    }();
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            for (int n = 0; n < 200; ++n) {
                const std::vector<std::shared_ptr<Watermark>> mine{
                    watermark_with_text(installed, "user " + std::to_string(n * 4 + i) + " 漢字 שלום"),
                    watermark_with_text(from_file, std::to_string(n % 7))};
                const Cancellation cancellation(Cancellation::Clock::now() + time);
                EXPECT_TRUE(render({view(file), rendition, settings, mine, cancellation}));
            }
            end_engine_thread();
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

TEST_F(TextTest, TextsDoNotMix) {
    // One watermark, as a worker has it, and texts that come again.
    const auto watermark = prepared(spec_of());
    const File file = file_of(plain(200, 100, white), ".png");
    const auto with = [&](const std::string& text) {
        watermarks = {watermark_with_text(watermark, text)};
        return picture(file, "");
    };
    const vips::VImage alice = with("alice");
    const vips::VImage bob = with("bob");
    EXPECT_FALSE(same(alice, bob));
    for (int n = 0; n < 400; ++n) {
        with("user " + std::to_string(n));
    }
    EXPECT_TRUE(same(with("alice"), alice));
    EXPECT_TRUE(same(with("bob"), bob));
}

}  // namespace
}  // namespace media
