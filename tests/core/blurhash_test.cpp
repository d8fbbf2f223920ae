// BlurHash against vectors that were computed with SciPy's discrete cosine transform.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/picture/blurhash.h"

namespace media {
namespace {

std::vector<std::uint8_t> pattern(Size size) {
    std::vector<std::uint8_t> rgb;
    for (int y = 0; y < size.height; ++y) {
        for (int x = 0; x < size.width; ++x) {
            rgb.push_back(static_cast<std::uint8_t>(x * 37 + y * 11));
            rgb.push_back(static_cast<std::uint8_t>(x * 5 + y * 53));
            rgb.push_back(static_cast<std::uint8_t>(x * x * 3 + y * y * 7));
        }
    }
    return rgb;
}

TEST(Blurhash, Vectors) {
    struct Case {
        Size size;
        BlurhashComponents components;
        std::string_view hash;
    };
    const Case cases[] = {
        {{16, 12}, {4, 3}, "LFGuqIV:Amd]M^ImNEBTQBV;s~bb"},
        {{12, 16}, {3, 4}, "TBHU;5G5mn4:D$1bDg,*BxQVRQxu"},
        {{20, 20}, {4, 4}, "U8HV3hX3gFT2MK4:Sr0xISk7J|bcH?vLaZsh"},
        {{5, 1}, {4, 1}, "3NAtBA1[$7SL"},
        {{1, 1}, {1, 1}, "000000"},
        {{2, 7}, {2, 3}, "J%6^J6S2RKjuiCfi"},
        {{64, 48},
         {9, 9},
         "|1HV9wODiveanCacW8RoanINZ{HYghJJgCKAf[F-VsOHiyZ~rfXSW6RzV?DlieD6p59YalARacAkWZ5z"
         "jC5dbT9ZXC54XJz=V:y_Tx,9Xf-CXy%AV;W%i[i-nLvxWBrnIoVNa0QAX_W5oqXTbAxSN-R}SQVojMv"
         ":J_n4Oh"},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(blurhash(pattern(c.size), c.size, c.components), c.hash);
    }
}

// No waves: every factor is the middle one of its levels.
TEST(Blurhash, AFlatPictureIsItsMean) {
    const std::pair<std::vector<std::uint8_t>, std::string> cases[] = {
        {{255, 255, 255}, "L0TSUA"}, {{0, 0, 0}, "L00000"}, {{12, 200, 99}, "L01coC"}};
    for (const auto& [color, head] : cases) {
        std::vector<std::uint8_t> rgb;
        for (int i = 0; i < 10 * 7; ++i) {
            rgb.insert(rgb.end(), color.begin(), color.end());
        }
        EXPECT_EQ(blurhash(rgb, {10, 7}, {4, 3}), head + "fQfQfQfQfQfQfQfQfQfQfQ");
    }
}

TEST(Blurhash, ComponentsFollowTheShape) {
    struct Case {
        Size picture, pixels;
        BlurhashComponents components;
    };
    const Case cases[] = {
        {{4000, 3000}, {64, 48}, {4, 3}}, {{3000, 4000}, {48, 64}, {3, 4}}, {{100, 100}, {64, 64}, {4, 4}},
        {{899, 800}, {64, 57}, {4, 4}},   {{900, 800}, {64, 57}, {4, 3}},   {{800, 900}, {57, 64}, {3, 4}},
        {{5000, 1}, {64, 1}, {4, 1}},     {{1, 5000}, {1, 64}, {1, 4}},     {{2, 2}, {2, 2}, {2, 2}},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(blurhash_components(c.picture, c.pixels), c.components) << c.picture.width;
    }
}

}  // namespace
}  // namespace media
