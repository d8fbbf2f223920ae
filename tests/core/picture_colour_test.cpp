// Whatever space an original is in, a rendition is sRGB or gray, in 8 bits.
#include "tests/core/picture_fixture.h"

namespace media {
namespace {

class ColourTest : public PictureTest {};

TEST_F(ColourTest, Cmyk) {
    // Through libvips' own profile and back.
    const vips::VImage original = quarters(64, 64);
    const vips::VImage cmyk = original.icc_transform(
        "cmyk", vips::VImage::option()->set("input_profile", "srgb")->set("intent", VIPS_INTENT_PERCEPTUAL));
    ASSERT_EQ(cmyk.bands(), 4);
    const vips::VImage expected = cmyk.icc_transform(
        "srgb", vips::VImage::option()->set("input_profile", "cmyk")->set("intent", VIPS_INTENT_PERCEPTUAL));
    vips::VImage bare = cmyk.copy();
    bare.remove(VIPS_META_ICC_NAME);
    for (const char* suffix : {".jpg", ".tif"}) {
        for (const vips::VImage& in : {cmyk, bare}) {
            const vips::VImage image = picture(file_of(in, suffix), "w=32&fm=png");
            ASSERT_EQ(image.bands(), 3) << suffix;
            for (const auto& [x, y] : {std::pair{8, 8}, {24, 8}, {8, 24}, {24, 24}}) {
                EXPECT_TRUE(is_near(pixel(image, x, y), pixel(expected, 2 * x, 2 * y))) << suffix << x << y;
            }
        }
    }
    EXPECT_EQ(good(file_of(cmyk, ".jpg"), "w=32").format, Format::jpeg);
    EXPECT_EQ(picture(file_of(cmyk, ".jpg"), "w=32").bands(), 3);
}

TEST_F(ColourTest, AWideProfileIsConverted) {
    const vips::VImage original = plain(32, 32, {0, 200, 0});
    const vips::VImage p3 =
        original.icc_transform("p3", vips::VImage::option()->set("input_profile", "srgb"));
    // The numbers differ, the colour does not.
    ASSERT_LT(p3.getpoint(0, 0)[1], 198);
    for (const char* suffix : {".jpg", ".png", ".webp", ".tif"}) {
        const vips::VImage image = picture(file_of(p3, suffix), "w=16&fm=png");
        EXPECT_TRUE(is_near(pixel(image, 8, 8), {0, 200, 0}, 10)) << suffix;
        EXPECT_EQ(image.get_typeof(VIPS_META_ICC_NAME), 0U) << suffix;
    }
}

TEST_F(ColourTest, ABrokenProfileIsTakenForSrgb) {
    vips::VImage image = plain(32, 32, {10, 200, 90}).copy();
    const std::string nonsense =
        "this is no profile, but it is long enough to look at " + std::string(200, 'x');
    vips_image_set_blob_copy(image.get_image(), VIPS_META_ICC_NAME, nonsense.data(), nonsense.size());
    EXPECT_TRUE(is_near(pixel(picture(file_of(image, ".jpg"), "w=16&fm=png"), 8, 8), {10, 200, 90}, 6));
    // A sound one, for pictures of another kind.
    const vips::VImage cmyk = plain(8, 8, red).icc_transform("cmyk");
    std::size_t size = 0;
    const void* data = cmyk.get_blob(VIPS_META_ICC_NAME, &size);
    vips::VImage wrong = plain(32, 32, {10, 200, 90}).copy();
    vips_image_set_blob_copy(wrong.get_image(), VIPS_META_ICC_NAME, data, size);
    EXPECT_TRUE(is_near(pixel(picture(file_of(wrong, ".jpg"), "w=16&fm=png"), 8, 8), {10, 200, 90}, 6));
}

TEST_F(ColourTest, SixteenBits) {
    const vips::VImage eight = painted(64, 64, 4, [](int x, int) {
        return Color{200, 100, 50, x < 32 ? std::uint8_t{255} : std::uint8_t{128}};
    });
    const vips::VImage wide =
        (eight * 257)
            .cast(VIPS_FORMAT_USHORT)
            .copy(vips::VImage::option()->set("interpretation", VIPS_INTERPRETATION_RGB16));
    vips::VImage profiled = wide.copy();
    {
        const vips::VImage srgb =
            plain(4, 4, red).icc_transform("p3", vips::VImage::option()->set("input_profile", "srgb"));
        std::size_t size = 0;
        const void* data = srgb.get_blob(VIPS_META_ICC_NAME, &size);
        vips_image_set_blob_copy(profiled.get_image(), VIPS_META_ICC_NAME, data, size);
    }
    const vips::VImage image = picture(file_of(wide, ".png"), "w=32");
    EXPECT_EQ(image.format(), VIPS_FORMAT_UCHAR);
    ASSERT_EQ(image.bands(), 4);
    EXPECT_TRUE(is_near(pixel(image, 5, 16), {200, 100, 50, 255}, 2));
    EXPECT_TRUE(is_near(pixel(image, 26, 16), {200, 100, 50, 128}, 2));
    EXPECT_EQ(pixel(picture(file_of(profiled, ".png"), "w=32"), 26, 16).a, 128);
    EXPECT_EQ(pixel(picture(file_of(profiled, ".png"), "w=32"), 5, 16).a, 255);
    const vips::VImage gray =
        (plain(20, 20, {90}, 1) * 257)
            .cast(VIPS_FORMAT_USHORT)
            .copy(vips::VImage::option()->set("interpretation", VIPS_INTERPRETATION_GREY16));
    const vips::VImage small = picture(file_of(gray, ".png"), "w=10");
    EXPECT_EQ(small.bands(), 1);
    EXPECT_NEAR(pixel(small, 5, 5).r, 90, 1);
}

TEST_F(ColourTest, GrayStaysGrayUntilColourComes) {
    const File gray = file_of(plain(40, 20, {90}, 1), ".png");
    const File clear = file_of(plain(40, 20, {90, 0, 0, 128}, 2), ".png");
    struct Case {
        const File& file;
        const char* query;
        int bands;
    };
    const Case cases[] = {
        {gray, "w=20", 1},
        {gray, "w=20&fm=jpeg", 1},
        {clear, "w=20", 2},
        {clear, "w=20&fm=jpeg", 1},
        {clear, "w=20&fm=jpeg&bg=f00", 3},
        {gray, "w=20&h=20&fit=contain", 2},
        {gray, "w=20&h=20&fit=contain&bg=888", 1},
        {gray, "w=20&h=20&fit=contain&bg=f00", 3},
        {gray, "round=4", 2},
        {gray, "round=4&fm=jpeg&bg=f00", 3},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(picture(c.file, c.query).bands(), c.bands) << c.query;
    }
    EXPECT_TRUE(is_near(pixel(picture(clear, "fm=jpeg&bg=f00"), 5, 5), {172, 45, 45}));
    EXPECT_TRUE(is_near(pixel(picture(gray, "w=20&h=20&fit=contain&bg=f00"), 10, 1), red));
    for (const char* format : {"webp", "avif", "gif", "jxl", "tiff"}) {
        EXPECT_TRUE(is_near(pixel(picture(gray, std::string("w=20&fm=") + format), 10, 5), {90, 90, 90}))
            << format;
        EXPECT_NEAR(pixel(picture(clear, std::string("w=20&fm=") + format), 10, 5).a, 128, 255) << format;
    }
}

TEST_F(ColourTest, Palette) {
    const File file = file_of(quarters(64, 64), ".png", vips::VImage::option()->set("palette", true));
    const vips::VImage image = picture(file, "w=32");
    EXPECT_TRUE(is_near(pixel(image, 8, 8), red, 4));
    EXPECT_TRUE(is_near(pixel(image, 24, 24), white, 4));
}

TEST_F(ColourTest, LabAndFloat) {
    const vips::VImage original = quarters(64, 64);
    for (const VipsInterpretation space : {VIPS_INTERPRETATION_LAB, VIPS_INTERPRETATION_scRGB}) {
        const File file = file_of(original.colourspace(space), ".tif");
        const vips::VImage image = picture(file, "w=32&fm=png");
        EXPECT_TRUE(is_near(pixel(image, 8, 8), red, 4)) << space;
        EXPECT_TRUE(is_near(pixel(image, 24, 8), green, 4)) << space;
        EXPECT_TRUE(is_near(pixel(image, 8, 24), blue, 4)) << space;
    }
}

TEST_F(ColourTest, BandsWithoutMeaning) {
    for (const int bands : {5, 7}) {
        vips::VImage many = plain(30, 30, {50, 100, 150});
        while (many.bands() < bands) {
            many = many.bandjoin(plain(30, 30, {7}, 1));
        }
        const File file = file_of(
            many.copy(vips::VImage::option()->set("interpretation", VIPS_INTERPRETATION_MULTIBAND)), ".tif");
        const Result<Encoded> result = render_query(file, "w=15&fm=png");
        ASSERT_TRUE(result) << bands << result.error().detail;
        EXPECT_TRUE(is_near(pixel(decoded(*result), 5, 5), {50, 100, 150}, 2));
    }
}

}  // namespace
}  // namespace media
