// Orientation, rotation, mirroring, and that geometry is exact under all of them.
#include "tests/core/picture_fixture.h"

#include "core/picture/turn.h"

namespace media {
namespace {

class Turns : public PictureTest, public testing::WithParamInterface<int> {
  protected:
    static void SetUpTestSuite() { PictureTest::SetUpTestSuite(); }
};

// The picture that has to come out: libvips' own way of turning.
vips::VImage upright(const vips::VImage& image, int orientation) {
    vips::VImage copy = image.copy();
    copy.set(VIPS_META_ORIENTATION, orientation);
    return copy.autorot();
}

TEST_P(Turns, OrientationIsObeyed) {
    const vips::VImage stored = textured(96, 64);
    const vips::VImage image = picture(oriented_jpeg(stored, GetParam()), "fm=png");
    const vips::VImage expected = upright(stored, GetParam());
    ASSERT_EQ(image.width(), expected.width());
    ASSERT_EQ(image.height(), expected.height());
    EXPECT_GT(psnr(image, expected), 35);
}

TEST_P(Turns, RotationAndFlipFollowIt) {
    const vips::VImage stored = textured(96, 64);
    const File file = oriented_jpeg(stored, GetParam());
    for (const int rotation : {0, 90, 180, 270}) {
        for (const char* flip : {"", "h", "v", "hv"}) {
            std::string query = "fm=png";
            vips::VImage expected = upright(stored, GetParam());
            if (rotation != 0) {
                query += "&rot=" + std::to_string(rotation);
                expected = expected.rot(rotation == 90    ? VIPS_ANGLE_D90
                                        : rotation == 180 ? VIPS_ANGLE_D180
                                                          : VIPS_ANGLE_D270);
            }
            if (*flip != 0) {
                query += std::string("&flip=") + flip;
            }
            if (std::string(flip).find('h') != std::string::npos) {
                expected = expected.flip(VIPS_DIRECTION_HORIZONTAL);
            }
            if (std::string(flip).find('v') != std::string::npos) {
                expected = expected.flip(VIPS_DIRECTION_VERTICAL);
            }
            const vips::VImage image = picture(file, query);
            ASSERT_EQ(image.width(), expected.width()) << query;
            ASSERT_EQ(image.height(), expected.height()) << query;
            EXPECT_GT(psnr(image, expected), 35) << query;
        }
    }
}

TEST_P(Turns, CropSpeaksOfTheUprightPicture) {
    const vips::VImage stored = textured(96, 64);
    const vips::VImage expected = upright(stored, GetParam()).extract_area(11, 17, 31, 23);
    const vips::VImage image = picture(oriented_jpeg(stored, GetParam()), "crop=11,17,31,23&fm=png");
    ASSERT_EQ(image.width(), 31);
    ASSERT_EQ(image.height(), 23);
    EXPECT_GT(psnr(image, expected), 32);
}

TEST_P(Turns, CoverKeepsTheRightEnd) {
    // Upright: red left, blue right, green between.
    const vips::VImage wanted = painted(120, 40, 3, [](int x, int) {
        return x < 40 ? red : x < 80 ? green : blue;
    });
    const int back[] = {0, 1, 2, 3, 4, 5, 8, 7, 6};
    const File file = oriented_jpeg(upright(wanted, back[GetParam()]), GetParam());
    const std::pair<const char*, Color> cases[] = {{"w", red}, {"center", green}, {"e", blue}};
    for (const auto& [gravity, color] : cases) {
        const vips::VImage image = picture(file, std::string("w=20&h=20&fit=cover&fm=png&g=") + gravity);
        ASSERT_EQ(image.width(), 20);
        ASSERT_EQ(image.height(), 20);
        EXPECT_TRUE(is_near(pixel(image, 10, 10), color, 20)) << gravity;
    }
    const vips::VImage content = picture(file, "w=20&h=20&fit=cover&fm=png&g=attention");
    EXPECT_EQ(content.width(), 20);
    EXPECT_EQ(content.height(), 20);
}

TEST_P(Turns, TrimFindsTheUprightBox) {
    const vips::VImage stored = painted(90, 70, 3, [](int x, int y) {
        return x >= 20 && x < 50 && y >= 10 && y < 60 ? Color{200, 40, 40} : white;
    });
    vips::VImage copy = stored.copy();
    copy.set(VIPS_META_ORIENTATION, GetParam());
    const File file = file_of(copy, ".tif");
    const vips::VImage image = picture(file, "trim=10&fm=png");
    const bool swapped = GetParam() >= 5;
    EXPECT_EQ(image.width(), swapped ? 50 : 30);
    EXPECT_EQ(image.height(), swapped ? 30 : 50);
    EXPECT_TRUE(is_near(pixel(image, 1, 1), {200, 40, 40}));
    EXPECT_TRUE(is_near(pixel(image, image.width() - 2, image.height() - 2), {200, 40, 40}));
}

TEST_P(Turns, SizesAreThoseOfTheUprightPicture) {
    const bool swapped = GetParam() >= 5;
    const File file = oriented_jpeg(textured(300, 200), GetParam());
    const Encoded encoded = good(file, "w=60");
    EXPECT_EQ(encoded.width, 60);
    EXPECT_EQ(encoded.height, swapped ? 90 : 40);
}

INSTANTIATE_TEST_SUITE_P(Orientation, Turns, testing::Range(1, 9));

TEST(TurnTest, BoxesAreTakenBackExactly) {
    // A box of the turned picture must hold the same pixels as the box it comes from.
    const vips::VImage stored =
        painted(13, 7, 1, [](int x, int y) { return Color{static_cast<std::uint8_t>(x * 7 + y * 31)}; });
    for (int orientation = 1; orientation <= 8; ++orientation) {
        const Turn turn = turn_of_orientation(orientation);
        const vips::VImage turned = apply(turn, stored);
        const Box box{1, 2, 4, 3};
        const Box source = before(turn, box, {13, 7});
        const vips::VImage a = turned.extract_area(box.x, box.y, box.width, box.height);
        const vips::VImage b =
            apply(turn, stored.extract_area(source.x, source.y, source.width, source.height));
        EXPECT_EQ((a - b).abs().max(), 0) << orientation;
    }
}

}  // namespace
}  // namespace media
