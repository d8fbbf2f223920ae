// Pages: animations stay animated, in bounded time and memory.
#include <chrono>

#include "tests/core/picture_fixture.h"

namespace media {
namespace {

class Animation : public PictureTest {
  protected:
    const std::vector<Color> colors{red, green, blue, white};
    const std::vector<int> delays{100, 250, 40, 1000};

    vips::VImage frames() const {
        std::vector<vips::VImage> all;
        for (const Color color : colors) {
            all.push_back(plain(60, 41, color));
        }
        return roll(all, delays, 3);
    }

    // All pages of a file.
    static std::vector<vips::VImage> pages_of(const Encoded& encoded) {
        const vips::VImage all = decoded(encoded, "n=-1");
        const int height = vips_image_get_page_height(all.get_image());
        std::vector<vips::VImage> pages;
        for (int y = 0; y < all.height(); y += height) {
            pages.push_back(all.extract_area(0, y, all.width(), height));
        }
        return pages;
    }
};

TEST_F(Animation, StaysAnimatedWithItsTimes) {
    for (const char* in : {".gif", ".webp"}) {
        const File file = file_of(frames(), in);
        for (const char* out : {"gif", "webp"}) {
            const Encoded encoded = good(file, std::string("w=31&q=95&fm=") + out);
            EXPECT_EQ(encoded.pages, 4);
            EXPECT_EQ(encoded.width, 31);
            EXPECT_EQ(encoded.height, 21);
            const vips::VImage all = decoded(encoded, "n=-1");
            EXPECT_EQ(all.get_array_int("delay"), delays) << in << out;
            EXPECT_EQ(all.get_int("loop"), 3) << in << out;
            const auto pages = pages_of(encoded);
            ASSERT_EQ(pages.size(), 4U);
            for (std::size_t i = 0; i < pages.size(); ++i) {
                EXPECT_EQ(pages[i].height(), 21);
                // Nothing of the neighbours bleeds in at the edges.
                for (const int y : {0, 10, 20}) {
                    EXPECT_TRUE(is_near(pixel(pages[i], 15, y), colors[i], 14)) << in << out << i << " " << y;
                }
            }
        }
    }
}

TEST_F(Animation, DefaultsToItsOwnFormatAndAllPages) {
    EXPECT_EQ(good(file_of(frames(), ".gif"), "w=30").format, Format::gif);
    EXPECT_EQ(good(file_of(frames(), ".gif"), "w=30").pages, 4);
    EXPECT_EQ(good(file_of(frames(), ".webp"), "w=30").pages, 4);
    EXPECT_EQ(good(file_of(frames(), ".gif"), "w=30&fm=jpeg").pages, 1);
}

TEST_F(Animation, AutomaticFormatStaysAnimated) {
    const File file = file_of(frames(), ".gif");
    auto_formats = {Format::avif, Format::webp};
    accept = "image/avif,image/webp";
    EXPECT_EQ(good(file, "fm=auto&w=30").format, Format::webp);
    EXPECT_EQ(good(file, "fm=auto&w=30").pages, 4);
    accept = "image/avif";
    EXPECT_EQ(good(file, "fm=auto&w=30").format, Format::gif);
    EXPECT_EQ(good(file, "fm=auto&w=30&n=1").format, Format::avif);
    settings.max_frames = 1;
    EXPECT_EQ(good(file, "fm=auto&w=30").format, Format::avif);
}

TEST_F(Animation, HeaderTellsWhetherItMovesPastTheFirstFormat) {
    const File gif = file_of(frames(), ".gif");
    const File still = file_of(plain(60, 41, red), ".gif");
    File cut = gif;
    cut.resize(20);
    const struct {
        const File& file;
        std::vector<Format> accepted;
        const char* query;
        bool moves;
    } cases[] = {
        {gif, {Format::avif}, "fm=auto", true},
        {gif, {Format::avif, Format::webp}, "fm=auto", true},
        {gif, {Format::jxl, Format::avif}, "fm=auto", true},
        {gif, {Format::webp, Format::avif}, "fm=auto", false},
        {gif, {}, "fm=auto", false},
        {gif, {Format::avif}, "w=10", false},
        {gif, {Format::avif}, "fm=avif", false},
        {gif, {Format::avif}, "fm=auto&n=1", false},
        {gif, {Format::avif}, "fm=auto&n=2", true},
        {gif, {Format::avif}, "fm=auto&n=-1", true},
        {gif, {Format::avif}, "fm=auto&page=2", true},
        {gif, {Format::avif}, "fm=auto&page=3", false},
        {gif, {Format::avif}, "fm=auto&page=9", false},  // an error, which is told by rendering
        {cut, {Format::avif}, "fm=auto", false},
        {still, {Format::avif}, "fm=auto", false},
        {file_of(frames(), ".webp"), {Format::avif}, "fm=auto", true},
        {file_of(plain(60, 41, red), ".webp"), {Format::avif}, "fm=auto", false},
        {file_of(plain(60, 41, red), ".jpg"), {Format::avif}, "fm=auto", false},
    };
    const auto moves = [this](const File& file, const Rendition& rendition) {
        const Cancellation cancellation(Cancellation::Clock::now() + time);
        return moves_past_first_format({view(file), rendition, settings, watermarks, cancellation});
    };
    for (const auto& c : cases) {
        auto rendition = parse_query(c.query, {.settings = &settings});
        ASSERT_TRUE(rendition);
        rendition->auto_formats = c.accepted;
        EXPECT_EQ(moves(c.file, *rendition), c.moves) << c.query << " " << &c - cases;
        settings.max_frames = 1;
        EXPECT_FALSE(moves(c.file, *rendition)) << c.query;
        settings = {};
        settings.input = {Format::png};
        EXPECT_FALSE(moves(c.file, *rendition)) << c.query;
        settings = {};
    }
}

TEST_F(Animation, SomePages) {
    const File file = file_of(frames(), ".gif");
    struct Case {
        const char* query;
        std::vector<std::size_t> shown;
    };
    const Case cases[] = {
        {"fm=webp&page=1", {1, 2, 3}}, {"fm=webp&page=1&n=2", {1, 2}}, {"fm=webp&n=1", {0}},
        {"fm=png&page=2", {2}},        {"fm=webp&page=3", {3}},        {"fm=webp&page=2&n=-1", {2, 3}},
        {"fm=gif&n=9", {0, 1, 2, 3}},
    };
    for (const Case& c : cases) {
        const Encoded encoded = good(file, c.query);
        ASSERT_EQ(static_cast<std::size_t>(encoded.pages), c.shown.size()) << c.query;
        const auto pages = encoded.format == Format::png ? std::vector{decoded(encoded)} : pages_of(encoded);
        ASSERT_EQ(pages.size(), c.shown.size()) << c.query;
        for (std::size_t i = 0; i < pages.size(); ++i) {
            EXPECT_TRUE(is_near(pixel(pages[i], 20, 20), colors[c.shown[i]], 14)) << c.query;
        }
        if (encoded.pages > 1) {
            const std::vector<int> some = decoded(encoded, "n=-1").get_array_int("delay");
            for (std::size_t i = 0; i < some.size(); ++i) {
                EXPECT_EQ(some[i], delays[c.shown[i]]) << c.query;
            }
        }
    }
    std::string parameter;
    EXPECT_EQ(status(file, "page=4", &parameter), 400);
    EXPECT_EQ(parameter, "page");
    EXPECT_EQ(status(file, "n=2&fm=jpeg", &parameter), 400);
    EXPECT_EQ(parameter, "n");
}

TEST_F(Animation, EveryFrameIsTreatedAlike) {
    const File file = file_of(frames(), ".gif");
    for (const char* query :
         {"rot=90&w=20&fm=webp&lossless=1", "crop=10,10,20,20&fm=webp&lossless=1",
          "w=20&h=20&fit=cover&fm=webp&lossless=1", "w=50&h=50&fit=cover&g=attention&fm=webp&lossless=1",
          "w=20&blur=2&fm=webp&lossless=1", "w=30&h=30&fit=contain&bg=000&fm=webp&lossless=1",
          "round=8&fm=webp&lossless=1"}) {
        const Encoded encoded = good(file, query);
        EXPECT_EQ(encoded.pages, 4) << query;
        const auto pages = pages_of(encoded);
        ASSERT_EQ(pages.size(), 4U) << query;
        for (std::size_t i = 0; i < pages.size(); ++i) {
            EXPECT_TRUE(is_near(pixel(pages[i], pages[i].width() / 2, pages[i].height() / 2), colors[i], 14))
                << query;
        }
    }
    const auto rounded = pages_of(good(file, "round=20&fm=webp&lossless=1"));
    for (const vips::VImage& page : rounded) {
        EXPECT_EQ(pixel(page, 0, 0).a, 0);
        EXPECT_EQ(pixel(page, page.width() - 1, page.height() - 1).a, 0);
    }
}

TEST_F(Animation, TrimKeepsWhatAnyFrameShows) {
    const auto dot = [](int at) {
        return painted(60, 40, 3, [=](int x, int y) {
            return x >= at && x < at + 10 && y >= 10 && y < 20 ? red : white;
        });
    };
    const Encoded encoded = good(
        file_of(roll({dot(5), dot(30)}, {100, 100}), ".webp", vips::VImage::option()->set("lossless", true)),
        "trim=20&fm=webp&lossless=1");
    EXPECT_EQ(encoded.width, 35);
    EXPECT_EQ(encoded.height, 10);
    EXPECT_EQ(encoded.pages, 2);
}

TEST_F(Animation, PagesBeyondTheLimitAreDropped) {
    std::vector<vips::VImage> many;
    std::vector<int> times;
    for (int i = 0; i < 1000; ++i) {
        many.push_back(plain(40, 30, {static_cast<std::uint8_t>(i), static_cast<std::uint8_t>(i / 4), 90}));
        times.push_back(50);
    }
    const File file = file_of(roll(many, times), ".gif", vips::VImage::option()->set("effort", 1));
    EXPECT_EQ(good(file, "w=20").pages, 256);
    EXPECT_EQ(good(file, "w=20&fm=webp").pages, 256);
    // What is dropped does not count.
    settings.max_source_pixels = 40 * 30 * 256;
    EXPECT_EQ(good(file, "w=20&fm=webp").pages, 256);
    settings.max_source_pixels -= 1;
    EXPECT_EQ(status(file, "w=20&fm=webp"), 422);
    EXPECT_EQ(good(file, "w=20&fm=png").pages, 1);
    settings.max_frames = 10;
    EXPECT_EQ(good(file, "w=20&fm=webp&n=500").pages, 10);
}

TEST_F(Animation, DoesNotGrowWithoutBounds) {
    settings.max_source_pixels = 1'000'000;
    EXPECT_EQ(status(file_of(frames(), ".gif"), "w=4000&h=4000&fit=contain"), 400);
}

TEST_F(Animation, Documents) {
    vips::VImage book = frames().copy();
    book.remove("delay");
    const File tiff = file_of(book, ".tif");
    EXPECT_EQ(good(tiff, "w=30").pages, 1);
    EXPECT_TRUE(is_near(pixel(picture(tiff, "w=30&page=2"), 15, 10), blue));
    const Encoded several = good(tiff, "w=30&fm=tiff&n=-1");
    EXPECT_EQ(several.pages, 4);
    EXPECT_EQ(pages_of(several).size(), 4U);
    EXPECT_EQ(good(tiff, "w=30&fm=webp").pages, 4);
}

}  // namespace
}  // namespace media
