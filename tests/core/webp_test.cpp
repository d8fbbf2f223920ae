// Still WebPs by their planes or lines, against the way through libvips.
#include "core/picture/webp_reader.h"

#include <hwy/targets.h>
#include <random>

#include "core/picture/failure.h"
#include "picture_fixture.h"

namespace media {

namespace {

// Soft, with colours from end to end of what there is, and edges.
vips::VImage picture_of(int width, int height, int bands) {
    return painted(width, height, bands, [=](int x, int y) {
        const double u = static_cast<double>(x) / width;
        const double v = static_cast<double>(y) / height;
        const bool disc = std::hypot(u - 0.4, v - 0.5) < 0.2;
        const auto level = [](double value) {
            return static_cast<std::uint8_t>(std::lround(std::clamp(value, 0.0, 255.0)));
        };
        const std::uint8_t alpha = level(disc ? 255 : 300 * v);
        return disc ? Color{level(255 * u), 0, level(255 * v), alpha}
                    : Color{level(255 * u + 20 * std::sin(x * 0.2)), level(255 * (1 - v)),
                            level(128 + 90 * std::sin(u * 9)), alpha};
    });
}

class WebpTest : public PictureTest {
  protected:
    static File webp(const vips::VImage& image, bool lossless = false) {
        return file_of(image, ".webp", vips::VImage::option()->set("Q", 92)->set("lossless", lossless));
    }

    Result<Encoded> by(std::optional<Route> route, const File& file, const std::string& query) {
        ParseContext context;
        context.settings = &settings;
        const Result<Rendition> rendition = parse_query(query, context);
        if (!rendition) {
            return rendition.error();
        }
        const Cancellation soon(Cancellation::Clock::now() + time);
        return render({view(file), *rendition, settings, watermarks, soon, route});
    }

    void expect_agreement(const File& file, const std::string& query, double least) {
        const auto own = by(Route::direct, file, query);
        const auto libvips = by(Route::libvips, file, query);
        ASSERT_TRUE(own) << query << ": " << own.error().detail;
        ASSERT_TRUE(libvips) << query;
        const vips::VImage one = decoded(*own);
        const vips::VImage other = decoded(*libvips);
        ASSERT_EQ(one.width(), other.width()) << query;
        ASSERT_EQ(one.height(), other.height()) << query;
        ASSERT_EQ(one.bands(), other.bands()) << query;
        // What cannot be seen has any colour.
        const auto seen = [](const vips::VImage& image) {
            return image.has_alpha() ? image.flatten() : image;
        };
        EXPECT_GE(psnr(seen(one), seen(other)), least) << query;
        if (one.width() > 8) {
            EXPECT_LT(std::abs((seen(one).avg() - seen(other).avg())), 0.7) << query;
        }
        if (one.has_alpha()) {
            EXPECT_GE(psnr(one.extract_band(one.bands() - 1), other.extract_band(one.bands() - 1)), least)
                << query;
        }
    }

    void expect_same_outcome(const File& file, const std::string& what) {
        for (const FailOn level : {FailOn::none, FailOn::truncated, FailOn::error, FailOn::warning}) {
            settings.fail_on = level;
            const auto own = by(std::nullopt, file, "w=40&fm=png");
            const auto libvips = by(Route::libvips, file, "w=40&fm=png");
            EXPECT_EQ(own ? 200 : own.error().status, libvips ? 200 : libvips.error().status)
                << what << " at level " << static_cast<int>(level);
        }
    }
};

}  // namespace

TEST_F(WebpTest, agrees_at_every_size) {
    for (const Size size : {Size{403, 301}, {402, 302}, {257, 64}}) {
        const File file = webp(picture_of(size.width, size.height, 3));
        for (const int width : {size.width, size.width - 1, 200, 133, 64, 25, 5, 1}) {
            // At full size, libwebp and pixels_of make different pixels of halved colour.
            expect_agreement(file, "fm=png&w=" + std::to_string(width),
                             width > 200 ? 33
                             : width > 8 ? 36
                                         : 30);
        }
    }
}

TEST_F(WebpTest, agrees_in_every_format) {
    const File file = webp(picture_of(403, 301, 3));
    for (const char* query :
         {"fm=jpeg&q=95", "fm=webp&q=95", "fm=avif&q=90", "fm=jpeg&q=60", "fm=webp&lossless=1"}) {
        expect_agreement(file, std::string(query) + "&w=200", 33);
    }
    EXPECT_EQ(by(Route::direct, file, "w=200")->route, Route::direct);
}

TEST_F(WebpTest, agrees_about_boxes_and_turns) {
    const File file = webp(picture_of(403, 301, 3));
    for (const char* query : {"w=100&h=100&fit=cover&g=se", "crop=13,17,200,151&w=90", "w=150&rot=90&flip=h",
                              "w=101&rot=270", "w=100&h=40&fit=fill", "w=100&h=100&fit=contain&bg=f00",
                              "w=120&h=120&fit=cover&g=attention", "w=100&gray=1&blur=1", "w=99&flip=v"}) {
        expect_agreement(file, std::string(query) + "&fm=png", 35);
    }
}

TEST_F(WebpTest, agrees_about_alpha_and_without_loss) {
    for (const bool lossless : {false, true}) {
        for (const int bands : {3, 4}) {
            const File file = webp(picture_of(301, 203, bands), lossless);
            for (const char* query :
                 {"w=300&fm=png", "w=150&fm=png", "w=40&fm=png", "w=100&h=100&fit=cover&fm=png",
                  "w=150&fm=jpeg&q=95", "w=150&fm=webp&q=95"}) {
                expect_agreement(file, query, 33);
            }
        }
    }
}

// Ends of the range: black stays black and white stays white.
TEST_F(WebpTest, range_is_that_of_the_picture) {
    for (const Color color :
         {black, white, red, green, blue, Color{128, 128, 128}, Color{16, 16, 16}, Color{235, 235, 235}}) {
        const File file = webp(plain(64, 48, color));
        EXPECT_TRUE(is_near(pixel(picture(file, "w=32&fm=png"), 16, 12), color, 3));
        EXPECT_TRUE(is_near(pixel(picture(file, "w=32&fm=webp&q=95"), 16, 12), color, 4));
    }
}

TEST_F(WebpTest, leaves_the_rest_to_libvips) {
    const File moving = file_of(roll({plain(40, 30, red), plain(40, 30, blue)}, {100, 100}), ".webp");
    EXPECT_EQ(good(moving, "w=20&fm=png").route, Route::libvips);
    EXPECT_EQ(good(moving, "w=20&fm=png&page=1").route, Route::libvips);
    WebpReader reader(view(moving));
    EXPECT_FALSE(reader.open());
    const File still = webp(picture_of(80, 60, 3));
    EXPECT_EQ(good(still, "w=160&enlarge=1").route, Route::libvips);
    EXPECT_EQ(good(still, "w=40&trim=10").route, Route::libvips);
}

TEST_F(WebpTest, damage_has_the_same_consequences) {
    for (const int bands : {3, 4}) {
        for (const bool lossless : {false, true}) {
            const File whole = webp(picture_of(200, 150, bands), lossless);
            for (const double share : {0.02, 0.1, 0.5, 0.9, 0.999}) {
                const auto count = static_cast<std::ptrdiff_t>(static_cast<double>(whole.size()) * share);
                expect_same_outcome({whole.begin(), whole.begin() + count},
                                    "cut at " + std::to_string(share));
            }
            File more = whole;
            more.resize(whole.size() + 100);
            expect_same_outcome(more, "something behind the end");
        }
    }
}

TEST_F(WebpTest, stops) {
    const File file = webp(picture_of(200, 150, 3));
    WebpReader reader(view(file));
    ASSERT_TRUE(reader.open());
    const Cancellation over(Cancellation::Clock::now() - std::chrono::seconds(1));
    EXPECT_THROW(reader.read_planes([](int, const std::uint8_t*) {}, [] { return false; }, over), Failure);
    EXPECT_THROW(reader.read_pixels(
                     3, [](const std::uint8_t*) { return true; }, over),
                 Failure);
    time = std::chrono::milliseconds(-1);
    EXPECT_EQ(status(file, "w=20"), 504);
}

TEST_F(WebpTest, reads_no_further_than_it_must) {
    File file = webp(picture_of(1200, 900, 3), true);
    WebpReader reader(view(file));
    ASSERT_TRUE(reader.open());
    const Cancellation never(Cancellation::Clock::now() + std::chrono::minutes(10));
    int lines = 0;
    EXPECT_TRUE(reader.read_pixels(
        3, [&](const std::uint8_t*) { return ++lines < 50; }, never));
    EXPECT_EQ(lines, 50);
    // The file is long enough to be read in pieces.
    file = webp(picture_of(2400, 1800, 3));
    ASSERT_GT(file.size(), 65'536U);
    WebpReader lossy(view(file));
    ASSERT_TRUE(lossy.open());
    lines = 0;
    EXPECT_TRUE(
        lossy.read_planes([&](int component, const std::uint8_t*) { lines += component == 0 ? 1 : 0; },
                          [&] { return lines > 0; }, never));
    EXPECT_GT(lines, 0);
    EXPECT_LT(lines, 1800);
    file.resize(file.size() / 2);
    EXPECT_FALSE(WebpReader(view(file)).open());
}

TEST_F(WebpTest, vectors_of_all_widths_agree) {
    const File file = webp(picture_of(301, 203, 3));
    const auto samples = [&] {
        const Encoded encoded = good(file, "w=150&fm=png");
        return File(encoded.body.data(), encoded.body.data() + encoded.body.size());
    };
    const File first = samples();
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        EXPECT_EQ(samples(), first) << hwy::TargetName(target);
    }
    hwy::SetSupportedTargetsForTest(0);
}

TEST_F(WebpTest, FuzzDamage) {
    std::mt19937 random(static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed()) + 23);
    const auto any = [&](std::size_t most) {
        return std::uniform_int_distribution<std::size_t>(0, most)(random);
    };
    const std::vector<File> sound = {webp(picture_of(90, 70, 3)), webp(picture_of(90, 70, 4)),
                                     webp(picture_of(90, 70, 3), true), webp(picture_of(90, 70, 4), true)};
    for (int turn = 0; turn < 200; ++turn) {
        File file = sound[any(sound.size() - 1)];
        for (std::size_t changes = any(5); changes > 0; --changes) {
            file[any(any(1) == 0 ? file.size() - 1 : 60)] = static_cast<std::uint8_t>(any(255));
        }
        if (any(3) == 0) {
            file.resize(any(file.size() - 1));
        }
        expect_same_outcome(file, "turn " + std::to_string(turn));
    }
}

}  // namespace media
