// Watermarks: where they are laid, over what, and that nothing else changes.
#include <thread>

#include "tests/core/picture_fixture.h"

namespace media {
namespace {

class WatermarkTest : public PictureTest {
  protected:
    static WatermarkSpec spec_of(const vips::VImage& picture) {
        WatermarkSpec spec;
        spec.name = "mark";
        const File file = file_of(picture, ".png");
        spec.file = std::make_shared<const Bytes>(Bytes::copy_of(view(file)));
        return spec;
    }

    void lay(const WatermarkSpec& spec) {
        Result<std::shared_ptr<Watermark>> watermark = prepare_watermark(spec);
        ASSERT_TRUE(watermark) << watermark.error().detail;
        watermarks.push_back(*watermark);
    }
};

TEST_F(WatermarkTest, LiesWhereItIsPut) {
    struct Case {
        Gravity position;
        int x, y;  // of its centre
    };
    // 200 x 100, an overlay of 40 x 20 and a margin of 2.
    constexpr Case cases[] = {{Gravity::nw, 22, 12}, {Gravity::n, 100, 12},      {Gravity::ne, 178, 12},
                              {Gravity::w, 22, 50},  {Gravity::center, 100, 50}, {Gravity::e, 178, 50},
                              {Gravity::sw, 22, 88}, {Gravity::s, 100, 88},      {Gravity::se, 178, 88}};
    const File file = file_of(plain(400, 200, white), ".png");
    for (const Case& c : cases) {
        WatermarkSpec spec = spec_of(plain(80, 40, blue));
        spec.placement.position = c.position;
        watermarks.clear();
        lay(spec);
        const vips::VImage image = picture(file, "w=200");
        EXPECT_TRUE(is_near(pixel(image, c.x, c.y), blue, 0)) << static_cast<int>(c.position);
        // Exactly its own area, nothing more.
        const double covered = (image.extract_band(0) == 0.0).avg() / 255 * 200 * 100;
        EXPECT_NEAR(covered, 40 * 20, 0.5) << static_cast<int>(c.position);
    }
}

TEST_F(WatermarkTest, IsLaidOnThePictureAsItIsSeen) {
    WatermarkSpec spec = spec_of(plain(80, 40, blue));
    spec.placement.position = Gravity::nw;
    lay(spec);
    for (int orientation = 1; orientation <= 8; ++orientation) {
        const vips::VImage image = picture(oriented_jpeg(plain(200, 200, white), orientation), "fm=png");
        EXPECT_TRUE(is_near(pixel(image, 10, 10), blue)) << orientation;
        EXPECT_TRUE(is_near(pixel(image, 190, 190), white)) << orientation;
    }
    const vips::VImage rounded = picture(file_of(plain(200, 200, white), ".png"), "round=max");
    EXPECT_TRUE(is_near(pixel(rounded, 5, 5), blue)) << "watermarks come after rounding";
}

TEST_F(WatermarkTest, OpacityAndAlphaMix) {
    struct Case {
        Color overlay;
        double opacity;
        Color ground;
        Color expected;
    };
    constexpr Case cases[] = {
        {{0, 0, 255, 255}, 0.5, {255, 255, 255, 255}, {127, 127, 255, 255}},
        {{0, 0, 255, 128}, 1.0, {255, 255, 255, 255}, {127, 127, 255, 255}},
        {{0, 0, 255, 128}, 0.5, {255, 255, 255, 255}, {191, 191, 255, 255}},
        {{0, 0, 255, 128}, 1.0, {255, 0, 0, 0}, {0, 0, 255, 128}},
        {{0, 0, 255, 255}, 1.0, {255, 0, 0, 100}, {0, 0, 255, 255}},
        {{0, 0, 255, 128}, 1.0, {255, 0, 0, 128}, {85, 0, 170, 192}},
        {{0, 0, 255, 0}, 1.0, {255, 0, 0, 128}, {255, 0, 0, 128}},
    };
    for (const Case& c : cases) {
        WatermarkSpec spec = spec_of(plain(40, 40, c.overlay, 4));
        spec.opacity = c.opacity;
        spec.placement = {.position = Gravity::center, .size = 0.5, .margin = 0};
        watermarks.clear();
        lay(spec);
        const vips::VImage image =
            picture(file_of(plain(80, 80, c.ground, c.ground.a == 255 ? 3 : 4), ".png"), "");
        EXPECT_TRUE(is_near(pixel(image, 40, 40), c.expected, 2));
        EXPECT_TRUE(is_near(pixel(image, 4, 4), c.ground, 0));
    }
}

TEST_F(WatermarkTest, AnyOriginalAndEveryFormat) {
    WatermarkSpec spec = spec_of(plain(40, 20, {220, 30, 30}));
    spec.placement = {.position = Gravity::center, .size = 0.5, .margin = 0};
    lay(spec);
    const vips::VImage cmyk =
        plain(80, 60, white).icc_transform("cmyk", vips::VImage::option()->set("input_profile", "srgb"));
    const std::pair<const char*, File> originals[] = {
        {"gray", file_of(plain(80, 60, {90}, 1), ".png")},
        {"gray, alpha", file_of(plain(80, 60, {90, 0, 0, 40}, 2), ".png")},
        {"palette", file_of(quarters(80, 60), ".png", vips::VImage::option()->set("palette", true))},
        {"transparent", file_of(plain(80, 60, {1, 2, 3, 0}, 4), ".png")},
        {"gif", file_of(quarters(80, 60), ".gif")},
        {"cmyk", file_of(cmyk, ".jpg")},
        {"jpeg", file_of(textured(80, 60), ".jpg")},
    };
    for (const auto& [what, file] : originals) {
        for (const char* format : {"jpeg", "png", "webp", "avif", "gif", "jxl", "tiff"}) {
            const vips::VImage image = picture(file, std::string("q=90&fm=") + format);
            EXPECT_TRUE(
                is_near(pixel(image.colourspace(VIPS_INTERPRETATION_sRGB), 40, 30), {220, 30, 30}, 20))
                << what << " " << format;
        }
    }
}

TEST_F(WatermarkTest, EveryFrame) {
    WatermarkSpec spec = spec_of(plain(40, 20, blue));
    spec.placement = {.position = Gravity::center, .size = 0.5, .margin = 0};
    lay(spec);
    const File file =
        file_of(roll({plain(60, 40, red), plain(60, 40, green), plain(60, 40, white)}, {50, 50, 50}), ".gif");
    for (const char* query : {"w=30", "w=30&fm=webp"}) {
        const vips::VImage all = picture(file, query, "n=-1");
        ASSERT_EQ(all.height(), 60);
        for (int page = 0; page < 3; ++page) {
            EXPECT_TRUE(is_near(pixel(all, 15, page * 20 + 10), blue, 20)) << query << page;
            EXPECT_FALSE(is_near(pixel(all, 2, page * 20 + 2), blue, 60)) << query << page;
        }
    }
}

TEST_F(WatermarkTest, TilesCoverThePicture) {
    WatermarkSpec spec = spec_of(plain(20, 20, blue));
    spec.placement = {.size = 0.1, .margin = 0.05, .tile = true};
    lay(spec);
    const vips::VImage image = picture(file_of(plain(200, 200, white), ".png"), "");
    // Tiles of 20 with gaps of 10, from the margin on.
    for (int y = 20; y < 200; y += 30) {
        for (int x = 20; x < 200; x += 30) {
            EXPECT_TRUE(is_near(pixel(image, x, y), blue, 0)) << x << "," << y;
        }
    }
    for (int x = 5; x < 200; x += 30) {
        EXPECT_TRUE(is_near(pixel(image, x, 100), white, 0)) << x;
    }
}

TEST_F(WatermarkTest, SeveralInTheirOrder) {
    for (const Color color : {red, blue}) {
        WatermarkSpec spec = spec_of(plain(40, 40, color));
        spec.placement = {.position = Gravity::center, .size = color == red ? 0.5 : 0.25, .margin = 0};
        lay(spec);
    }
    const vips::VImage image = picture(file_of(plain(80, 80, white), ".png"), "");
    EXPECT_TRUE(is_near(pixel(image, 40, 40), blue, 0));
    EXPECT_TRUE(is_near(pixel(image, 24, 24), red, 0));
    EXPECT_TRUE(is_near(pixel(image, 10, 10), white, 0));
}

TEST_F(WatermarkTest, ManyThreadsAndSizes) {
    lay(spec_of(textured(300, 100, 4)));
    const File file = file_of(textured(400, 300), ".jpg");
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; ++i) {
        threads.emplace_back([&, i] {
            for (int width = 40 + i; width < 400; width += 30) {
                EXPECT_EQ(good(file, "w=" + std::to_string(width)).width, width);
            }
            end_engine_thread();
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
}

TEST_F(WatermarkTest, WhatCannotBeOne) {
    const std::string text = "no picture";
    const std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40\" height=\"20\"/>";
    for (const std::string& content : {text, svg, std::string()}) {
        const File file(content.begin(), content.end());
        EXPECT_FALSE(check_watermark(view(file)));
        WatermarkSpec spec;
        spec.file = std::make_shared<const Bytes>(Bytes::copy_of(view(file)));
        EXPECT_FALSE(prepare_watermark(spec));
    }
    File cut = file_of(textured(100, 100), ".png");
    EXPECT_TRUE(check_watermark(view(cut)));
    cut.resize(cut.size() / 2);
    WatermarkSpec spec;
    spec.file = std::make_shared<const Bytes>(Bytes::copy_of(view(cut)));
    const auto result = prepare_watermark(spec);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().status, 500);
    EXPECT_FALSE(prepare_watermark({}));
}

}  // namespace
}  // namespace media
