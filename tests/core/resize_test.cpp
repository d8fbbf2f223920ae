// Pixels through the filters of lanczos.h, against the same in double precision and against libvips.
#include "core/picture/resize.h"

#include <hwy/targets.h>
#include <algorithm>
#include <random>

#include "picture_fixture.h"

namespace media {

namespace {

constexpr double pi = 3.14159265358979323846;

double kernel(double x) {
    const double a = pi * x;
    return x == 0 ? 1 : std::abs(x) >= 3 ? 0 : 3 * std::sin(a) * std::sin(a / 3) / (a * a);
}

// One result sample along one axis of `extent` source pixels, of which `pixels` exist.
template <class Sample>
double mixed(const Sample& sample, int pixels, double extent, int target, int i) {
    const double step = extent / target;
    const double centre = (i + 0.5) * step - 0.5;
    double sum = 0;
    double weights = 0;
    for (int at = static_cast<int>(std::ceil(centre - 3 * step)); at <= centre + 3 * step; ++at) {
        const double weight = kernel((at - centre) / step);
        sum += weight * sample(std::clamp(at, 0, pixels - 1));
        weights += weight;
    }
    return sum / weights;
}

using Rows = std::vector<std::vector<double>>;  // samples of all bands

Rows rows_of(const vips::VImage& image) {
    const vips::VImage memory = image.copy_memory();
    const int bands = memory.bands();
    Rows rows;
    for (int y = 0; y < memory.height(); ++y) {
        const VipsPel* const line = VIPS_IMAGE_ADDR(memory.get_image(), 0, y);
        rows.emplace_back(line, line + static_cast<std::ptrdiff_t>(memory.width()) * bands);
    }
    return rows;
}

Rows exact(const vips::VImage& image, const Resizing& what) {
    const int bands = image.bands();
    const bool alpha = image.has_alpha();
    Rows in = rows_of(image);
    const auto each = [&](Rows& rows, auto&& change) {
        for (auto& row : rows) {
            for (std::size_t x = 0; alpha && x < row.size(); x += static_cast<std::size_t>(bands)) {
                for (std::size_t b = 0; b + 1 < static_cast<std::size_t>(bands); ++b) {
                    change(row[x + b], row[x + static_cast<std::size_t>(bands) - 1]);
                }
            }
        }
    };
    each(in, [](double& colour, double weight) { colour *= weight / 255; });
    Rows out;
    for (int y = what.cut.y; y < what.cut.y + what.cut.height; ++y) {
        std::vector<double> line;
        for (std::size_t x = 0; x < in[0].size(); ++x) {
            line.push_back(mixed([&](int at) { return in[static_cast<std::size_t>(at)][x]; }, image.height(),
                                 what.height, what.target.height, y));
        }
        std::vector<double> row;
        for (int x = what.cut.x; x < what.cut.x + what.cut.width; ++x) {
            for (int b = 0; b < bands; ++b) {
                row.push_back(mixed(
                    [&](int at) {
                        return line[static_cast<std::size_t>(at) * static_cast<std::size_t>(bands) +
                                    static_cast<std::size_t>(b)];
                    },
                    image.width(), what.width, what.target.width, x));
            }
        }
        out.push_back(row);
    }
    each(out, [](double& colour, double weight) { colour = weight > 0 ? colour * 255 / weight : 0; });
    return out;
}

// Detail of every size, with alpha from nothing to opaque.
vips::VImage busy(int width, int height, int bands) {
    return painted(width, height, bands, [](int x, int y) {
        const auto wave = [](double v) { return static_cast<std::uint8_t>(std::lround(127.5 + 120 * v)); };
        return Color{
            wave(std::sin(x * 0.31 + y * 0.05)), wave(std::sin(y * 0.9) * std::cos(x * 0.2)),
            wave(std::cos(x * y * 0.01)),
            static_cast<std::uint8_t>(std::clamp(128 + 160 * std::sin(x * 0.02 + y * 0.03), 0.0, 255.0))};
    });
}

Resizing all_of(const vips::VImage& image, Size target) {
    return {.width = static_cast<double>(image.width()),
            .height = static_cast<double>(image.height()),
            .target = target,
            .cut = {0, 0, target.width, target.height}};
}

class ResizeTest : public PictureTest {
  protected:
    const Cancellation cancellation{Cancellation::Clock::now() + std::chrono::minutes(10)};

    // Where pixels are hardly there, their colour is not either: errors count as they show.
    void expect_exact(const vips::VImage& image, const Resizing& what, double tolerance = 1.0) {
        const vips::VImage result = resize(image, what, cancellation);
        ASSERT_EQ(result.width(), what.cut.width);
        ASSERT_EQ(result.height(), what.cut.height);
        ASSERT_EQ(result.bands(), image.bands());
        const Rows expected = exact(image, what);
        const Rows actual = rows_of(result);
        const auto bands = static_cast<std::size_t>(image.bands());
        double worst = 0;
        for (std::size_t y = 0; y < expected.size(); ++y) {
            for (std::size_t x = 0; x < expected[y].size(); ++x) {
                const bool is_alpha = image.has_alpha() && x % bands == bands - 1;
                const double alpha = expected[y][x / bands * bands + bands - 1];
                const double weight =
                    image.has_alpha() && !is_alpha ? std::clamp(alpha, 0.0, 255.0) / 255 : 1;
                const double shown = std::clamp(expected[y][x], 0.0, 255.0);
                worst = std::max(worst, std::abs(shown - actual[y][x]) * weight);
            }
        }
        EXPECT_LE(worst, tolerance) << image.bands() << " bands, " << image.width() << " x " << image.height()
                                    << " to " << what.target.width << " x " << what.target.height;
    }
};

}  // namespace

TEST_F(ResizeTest, is_lanczos_for_every_kind_of_pixel) {
    for (const int bands : {1, 2, 3, 4}) {
        const vips::VImage image = busy(203, 151, bands);
        for (const Size target :
             {Size{202, 150}, {101, 75}, {67, 149}, {203, 60}, {33, 17}, {7, 5}, {1, 1}}) {
            // A picture of one pixel is made of 30,000, each of which is rounded.
            expect_exact(image, all_of(image, target), target.width > 1 ? 1.0 : 32);
        }
    }
}

TEST_F(ResizeTest, cuts_what_it_would_have_made) {
    for (const int bands : {1, 2, 3, 4}) {
        const vips::VImage image = busy(160, 120, bands);
        Resizing what = all_of(image, {71, 53});
        const Rows whole = rows_of(resize(image, what, cancellation));
        for (const Box& cut :
             {Box{0, 0, 1, 1}, {70, 52, 1, 1}, {13, 7, 31, 40}, {0, 52, 71, 1}, {5, 0, 9, 53}}) {
            what.cut = cut;
            const Rows part = rows_of(resize(image, what, cancellation));
            for (int y = 0; y < cut.height; ++y) {
                const auto& row = whole[static_cast<std::size_t>(cut.y) + static_cast<std::size_t>(y)];
                const auto from = row.begin() + static_cast<std::ptrdiff_t>(cut.x) * bands;
                EXPECT_EQ(part[static_cast<std::size_t>(y)],
                          std::vector<double>(from, from + static_cast<std::ptrdiff_t>(cut.width) * bands));
            }
        }
    }
}

// What was shrunk on load stands for a fraction of a pixel more or less than it has.
TEST_F(ResizeTest, takes_the_extent_that_it_is_told) {
    const vips::VImage image = busy(126, 94, 3);
    for (const double more : {-0.875, -0.5, 0.0, 0.25}) {
        Resizing what = all_of(image, {50, 37});
        what.width += more;
        what.height += more;
        expect_exact(image, what);
    }
}

TEST_F(ResizeTest, colours_that_cannot_be_seen_do_not_bleed) {
    const vips::VImage image = painted(64, 64, 4, [](int x, int /*y*/) {
        return x < 32 ? Color{255, 0, 0, 0} : Color{0, 0, 255, 255};
    });
    const vips::VImage small = resize(image, Size{16, 16}, cancellation);
    for (int x = 0; x < 16; ++x) {
        const Color color = pixel(small, x, 8);
        EXPECT_EQ(color.r, 0) << x;
        EXPECT_TRUE(color.a == 0 || color.b >= 254) << x;
    }
    EXPECT_EQ(pixel(small, 15, 8).a, 255);
    EXPECT_EQ(pixel(small, 0, 8), (Color{0, 0, 0, 0}));
}

TEST_F(ResizeTest, opaque_stays_opaque_and_white_white) {
    const vips::VImage image = plain(300, 200, white, 4);
    for (const Size target : {Size{299, 199}, {100, 66}, {30, 20}, {10, 7}}) {
        const vips::VImage small = resize(image, target, cancellation);
        EXPECT_EQ(small.min(), 255) << target.width;
    }
}

TEST_F(ResizeTest, agrees_with_libvips) {
    for (const int bands : {1, 2, 3, 4}) {
        const vips::VImage image = textured(640, 480, bands);
        for (const Size target : {Size{500, 375}, {320, 240}, {200, 150}, {100, 75}, {640, 100}, {31, 23}}) {
            Resizing what = all_of(image, target);
            const vips::VImage own = resize(image, what, cancellation);
            what.filters = Filters::libvips;
            EXPECT_GE(psnr(own, resize(image, what, cancellation)), 35) << bands << ", " << target.width;
        }
    }
}

// Enlarged, 16 bits, CMYK, very small: libvips does these, with the same result in size.
TEST_F(ResizeTest, leaves_the_rest_to_libvips) {
    const vips::VImage image = textured(200, 100);
    const auto width = [&](const vips::VImage& in, Size target) {
        return resize(in, target, cancellation).width();
    };
    EXPECT_EQ(width(image, {400, 200}), 400);
    EXPECT_EQ(width(image, {400, 50}), 400);
    EXPECT_EQ(width(image, {2, 1}), 2);
    const vips::VImage wide = image.colourspace(VIPS_INTERPRETATION_RGB16);
    EXPECT_EQ(resize(wide, Size{50, 25}, cancellation).format(), VIPS_FORMAT_USHORT);
    const vips::VImage strip = textured(4, 3000);
    EXPECT_EQ(resize(strip, Size{4, 3}, cancellation).height(), 3);
}

TEST_F(ResizeTest, keeps_metadata) {
    vips::VImage image = textured(200, 100).copy();
    image.set(VIPS_META_ORIENTATION, 6);
    EXPECT_EQ(resize(image, Size{50, 25}, cancellation).get_int(VIPS_META_ORIENTATION), 6);
}

TEST_F(ResizeTest, stops) {
    const Cancellation over(Cancellation::Clock::now() - std::chrono::seconds(1));
    EXPECT_ANY_THROW(resize(textured(200, 100), Size{50, 25}, over));
}

TEST_F(ResizeTest, vectors_of_all_widths_agree) {
    for (const int bands : {1, 2, 3, 4}) {
        const vips::VImage image = busy(301, 211, bands);
        const Resizing what{.width = 300.5, .height = 211, .target = {97, 91}, .cut = {3, 2, 90, 85}};
        const Rows first = rows_of(resize(image, what, cancellation));
        for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
            hwy::SetSupportedTargetsForTest(target);
            EXPECT_EQ(rows_of(resize(image, what, cancellation)), first) << hwy::TargetName(target);
        }
        hwy::SetSupportedTargetsForTest(0);
    }
}

TEST_F(ResizeTest, FuzzSizes) {
    std::mt19937 random(static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed()) + 3);
    const auto any = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
    for (int turn = 0; turn < 120; ++turn) {
        const vips::VImage image = busy(any(1, 90), any(1, 90), any(1, 4));
        const Size target{any(1, image.width()), any(1, image.height())};
        Resizing what = all_of(image, target);
        what.cut.x = any(0, target.width - 1);
        what.cut.y = any(0, target.height - 1);
        what.cut.width = any(1, target.width - what.cut.x);
        what.cut.height = any(1, target.height - what.cut.y);
        // Beyond 32 to 1 libvips does it, by a box first.
        if (image.width() <= 16 * target.width && image.height() <= 16 * target.height) {
            expect_exact(image, what, 1.5);
        } else {
            EXPECT_EQ(resize(image, what, cancellation).width(), what.cut.width);
        }
    }
}

}  // namespace media
