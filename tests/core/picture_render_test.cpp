// Formats, geometry, limits and failures of one rendition.
#include <chrono>
#include <ctime>
#include <functional>
#include <thread>

#include "core/base/hash.h"
#include "core/rendition/geometry.h"
#include "tests/core/picture_fixture.h"

namespace media {
namespace {

using Clock = Cancellation::Clock;

/// Seconds of CPU, all threads of ours together: what work costs, however busy the machine is.
double cpu_of(const std::function<void()>& work) {
    const std::clock_t start = std::clock();
    work();
    return static_cast<double>(std::clock() - start) / CLOCKS_PER_SEC;
}

class Render : public PictureTest {};

struct Kind {
    const char* suffix;
    Format format;
};

constexpr Kind kinds[] = {{".jpg", Format::jpeg}, {".png", Format::png},  {".webp", Format::webp},
                          {".gif", Format::gif},  {".tif", Format::tiff}, {".avif", Format::avif},
                          {".jxl", Format::jxl}};

// Whatever comes in, whatever goes out: the quarters are where they were.
TEST_F(Render, EveryFormatBecomesEveryOther) {
    for (const Kind& in : kinds) {
        const File file = file_of(quarters(80, 60), in.suffix);
        for (const char* out : {"jpeg", "png", "webp", "avif", "gif", "jxl", "tiff"}) {
            const std::string query = std::string("w=40&q=90&fm=") + out;
            const Encoded encoded = good(file, query);
            EXPECT_EQ(encoded.format.name(), out);
            EXPECT_EQ(encoded.width, 40);
            EXPECT_EQ(encoded.height, 30);
            EXPECT_EQ(encoded.pages, 1);
            ASSERT_FALSE(encoded.body.empty()) << in.suffix << query;
            EXPECT_EQ(sniff(encoded.body.view()), encoded.format);
            const vips::VImage image = decoded(encoded).colourspace(VIPS_INTERPRETATION_sRGB);
            ASSERT_EQ(image.width(), 40);
            ASSERT_EQ(image.height(), 30);
            EXPECT_TRUE(is_near(pixel(image, 8, 6), red, 16)) << in.suffix << query;
            EXPECT_TRUE(is_near(pixel(image, 31, 6), green, 16)) << in.suffix << query;
            EXPECT_TRUE(is_near(pixel(image, 8, 23), blue, 16)) << in.suffix << query;
            EXPECT_TRUE(is_near(pixel(image, 31, 23), white, 16)) << in.suffix << query;
        }
    }
}

TEST_F(Render, TheOriginalsFormatIsTheDefault) {
    for (const Kind& kind : kinds) {
        const Format expected = kind.format == Format::tiff ? Format::jpeg : kind.format;
        EXPECT_EQ(good(file_of(quarters(40, 40), kind.suffix), "w=20").format, expected) << kind.suffix;
    }
    const vips::VImage clear = plain(40, 40, {255, 0, 0, 100}, 4);
    EXPECT_EQ(good(file_of(clear, ".tif"), "w=20").format, Format::png);
}

TEST_F(Render, GeometryIsExact) {
    struct Case {
        const char* query;
        Size size;
    };
    constexpr Case cases[] = {
        {"w=100", {100, 67}},
        {"h=100", {150, 100}},
        {"w=7", {7, 5}},
        {"w=1", {1, 1}},
        {"w=299", {299, 199}},
        {"w=900", {300, 200}},
        {"w=900&enlarge=1", {900, 600}},
        {"w=100&h=100", {100, 67}},
        {"w=100&h=100&fit=outside", {150, 100}},
        {"w=100&h=100&fit=cover", {100, 100}},
        {"w=100&h=100&fit=fill", {100, 100}},
        {"w=100&h=100&fit=contain", {100, 100}},
        {"w=400&h=100&fit=fill", {300, 100}},
        {"w=400&h=100&fit=fill&enlarge=1", {400, 100}},
        {"w=400&h=400&fit=cover", {200, 200}},
        {"w=400&h=400&fit=contain", {400, 400}},
        {"w=50&dpr=2", {100, 67}},
        {"crop=0,0,50%25,50%25&w=75", {75, 50}},
        {"w=33&h=77&fit=cover&g=entropy", {33, 77}},
        {"w=33&h=77&fit=cover&g=fp&fx=0.9&fy=0.1", {33, 77}},
    };
    const File jpeg = file_of(textured(300, 200), ".jpg");
    const File webp = file_of(textured(300, 200), ".webp");
    const File png = file_of(textured(300, 200, 4), ".png");
    for (const Case& c : cases) {
        for (const File* file : {&jpeg, &webp, &png}) {
            const Encoded encoded = good(*file, c.query);
            EXPECT_EQ((Size{encoded.width, encoded.height}), c.size) << c.query;
        }
    }
}

// Shrinking while decoding must not show: not in sharpness, and not in where things are.
TEST_F(Render, ShrinkOnLoadEqualsAFullDecode) {
    for (const Size size : {Size{1600, 1200}, Size{1601, 1203}, Size{1607, 1199}}) {
        const vips::VImage original = textured(size.width, size.height);
        const File jpeg =
            file_of(original, ".jpg",
                    vips::VImage::option()->set("Q", 95)->set("subsample_mode", VIPS_FOREIGN_SUBSAMPLE_OFF));
        const File webp = file_of(original, ".webp", vips::VImage::option()->set("Q", 95));
        for (const int width : {60, 99, 150, 333}) {
            const Encoded small = good(jpeg, "fm=png&w=" + std::to_string(width));
            const vips::VImage image = decoded(small);
            const vips::VImage expected = original.resize(
                static_cast<double>(small.width) / size.width,
                vips::VImage::option()->set("vscale", static_cast<double>(small.height) / size.height));
            EXPECT_GT(psnr(image, expected), 36) << size.width << " to " << width;
            EXPECT_GT(psnr(picture(webp, "fm=png&w=" + std::to_string(width)), expected), 34)
                << size.width << " to " << width;
        }
    }
}

TEST_F(Render, CropIsExactWhereverItLies) {
    const vips::VImage original = textured(1000, 800);
    const File file =
        file_of(original, ".jpg",
                vips::VImage::option()->set("Q", 95)->set("subsample_mode", VIPS_FOREIGN_SUBSAMPLE_OFF));
    for (const Box box : {Box{0, 0, 800, 640}, Box{8, 16, 800, 640}, Box{3, 5, 799, 641},
                          Box{201, 161, 799, 639}, Box{200, 160, 800, 640}}) {
        const std::string query = "fm=png&w=80&crop=" + std::to_string(box.x) + "," + std::to_string(box.y) +
                                  "," + std::to_string(box.width) + "," + std::to_string(box.height);
        const Encoded encoded = good(file, query);
        const vips::VImage expected =
            original.extract_area(box.x, box.y, box.width, box.height)
                .resize(80.0 / box.width, vips::VImage::option()->set(
                                              "vscale", static_cast<double>(encoded.height) / box.height));
        EXPECT_GT(psnr(decoded(encoded), expected), 36) << query;
    }
}

TEST_F(Render, ContainPads) {
    const File file = file_of(plain(100, 50, red), ".png");
    const vips::VImage clear = picture(file, "w=60&h=60&fit=contain");
    EXPECT_EQ(clear.bands(), 4);
    EXPECT_TRUE(is_near(pixel(clear, 30, 5), {0, 0, 0, 0}, 0));
    EXPECT_TRUE(is_near(pixel(clear, 30, 30), red, 0));
    const vips::VImage yellow = picture(file, "w=60&h=60&fit=contain&bg=ff0");
    EXPECT_EQ(yellow.bands(), 3);
    EXPECT_TRUE(is_near(pixel(yellow, 30, 5), {255, 255, 0}, 0));
    EXPECT_TRUE(is_near(pixel(yellow, 30, 14), {255, 255, 0}, 0));
    EXPECT_TRUE(is_near(pixel(yellow, 30, 15), red, 0));
    EXPECT_TRUE(is_near(pixel(yellow, 30, 44), red, 0));
    EXPECT_TRUE(is_near(pixel(yellow, 30, 45), {255, 255, 0}, 0));
    const vips::VImage jpeg = picture(file, "w=60&h=60&fit=contain&fm=jpeg");
    EXPECT_TRUE(is_near(pixel(jpeg, 30, 5), white));
    const vips::VImage half = picture(file, "w=60&h=60&fit=contain&fm=jpeg&bg=0000ff80");
    EXPECT_TRUE(is_near(pixel(half, 30, 5), {127, 127, 255}));
}

TEST_F(Render, TransparencyIsLaidOverTheBackground) {
    const File file = file_of(painted(40, 40, 4,
                                      [](int x, int) {
                                          return x < 20 ? Color{255, 0, 0, 0} : red;
                                      }),
                              ".png");
    EXPECT_TRUE(is_near(pixel(picture(file, "fm=jpeg"), 5, 20), white));
    EXPECT_TRUE(is_near(pixel(picture(file, "fm=jpeg&bg=00f"), 5, 20), blue));
    EXPECT_TRUE(is_near(pixel(picture(file, "fm=jpeg&bg=00f"), 35, 20), red));
    EXPECT_TRUE(is_near(pixel(picture(file, "fm=webp&lossless=1&bg=00f"), 5, 20), {255, 0, 0, 0}, 255));
    EXPECT_EQ(pixel(picture(file, "w=20&fm=png&bg=00f"), 2, 10).a, 0);
}

// Colours of transparent pixels must not bleed into visible ones.
TEST_F(Render, AlphaIsPremultipliedForResizing) {
    const File file = file_of(painted(200, 200, 4,
                                      [](int x, int) {
                                          return x < 101 ? Color{0, 255, 0, 0} : red;
                                      }),
                              ".png");
    const vips::VImage image = picture(file, "w=50");
    for (int x = 20; x < 50; ++x) {
        const Color color = pixel(image, x, 25);
        if (color.a > 8) {
            EXPECT_TRUE(is_near({color.r, color.g, color.b}, red, 12)) << x;
        }
    }
}

TEST_F(Render, RoundedCorners) {
    const File file = file_of(plain(100, 60, red), ".png");
    const vips::VImage image = picture(file, "round=20");
    ASSERT_EQ(image.bands(), 4);
    for (const auto& [x, y] : {std::pair{0, 0}, {99, 0}, {0, 59}, {99, 59}, {3, 3}}) {
        EXPECT_EQ(pixel(image, x, y).a, 0) << x << "," << y;
    }
    for (const auto& [x, y] : {std::pair{50, 0}, {0, 30}, {99, 30}, {50, 59}, {8, 8}, {91, 51}}) {
        EXPECT_EQ(pixel(image, x, y).a, 255) << x << "," << y;
    }
    // Smooth, and the area of a disc.
    const vips::VImage disc = picture(file_of(plain(100, 100, red), ".png"), "round=max");
    EXPECT_NEAR(disc.extract_band(3).avg() / 255, 3.14159265 / 4, 0.002);
    const vips::VImage odd = picture(file_of(plain(31, 31, red), ".png"), "round=max");
    EXPECT_NEAR(odd.extract_band(3).avg() / 255, 3.14159265 / 4, 0.004);
    const vips::VImage jpeg = picture(file, "round=20&fm=jpeg&bg=00f&q=95");
    EXPECT_TRUE(is_near(pixel(jpeg, 0, 0), blue, 30));
    EXPECT_TRUE(is_near(pixel(picture(file, "round=20&fm=jpeg"), 0, 0), white, 30));
    EXPECT_TRUE(is_near(pixel(jpeg, 50, 30), red));
}

TEST_F(Render, Trim) {
    const auto framed = [](Color border, Color inner, int bands) {
        return painted(120, 90, bands,
                       [=](int x, int y) { return x >= 15 && x < 95 && y >= 25 && y < 65 ? inner : border; });
    };
    struct Case {
        const char* what;
        vips::VImage image;
        const char* query;
        Size size;
    };
    const Case cases[] = {
        {"white border", framed(white, red, 3), "trim=10&fm=png", {80, 40}},
        {"gray picture", framed({200}, {20}, 1), "trim=10&fm=png", {80, 40}},
        {"transparent border", framed({0, 0, 0, 0}, {0, 0, 0, 255}, 4), "trim=10", {80, 40}},
        {"opaque border, alpha band", framed(white, red, 4), "trim=10", {80, 40}},
        {"below the threshold", framed({100, 100, 100}, {105, 105, 105}, 3), "trim=10&fm=png", {120, 90}},
        {"uniform", plain(120, 90, red), "trim=10&fm=png", {120, 90}},
        {"stray pixels",
         painted(120, 90, 3,
                 [](int x, int y) {
                     const bool stray = x % 20 == 3 && y % 20 == 4;
                     return stray || (x >= 15 && x < 95 && y >= 25 && y < 65) ? red : white;
                 }),
         "trim=10&fm=png",
         {80, 40}},
        {"one bar across",
         painted(120, 90, 3, [](int, int y) { return y >= 30 && y < 40 ? red : white; }),
         "trim=10&fm=png",
         {120, 10}},
        {"then resized", framed(white, red, 3), "trim=10&w=40&fm=png", {40, 20}},
        {"after crop", framed(white, red, 3), "trim=10&crop=0,0,60,90&fm=png", {45, 40}},
        {"after a crop that begins lower", framed(white, red, 3), "trim=10&crop=0,5,60,85&fm=png", {45, 40}},
    };
    for (const Case& c : cases) {
        const vips::VImage image = picture(file_of(c.image, ".png"), c.query);
        EXPECT_EQ((Size{image.width(), image.height()}), c.size) << c.what;
    }
}

TEST_F(Render, Filters) {
    const File file = file_of(textured(200, 150), ".png");
    const vips::VImage as_is = picture(file, "");
    const auto deviation = [](const vips::VImage& image) { return image.deviate(); };
    // A strong blur is made at a smaller size, which must not show.
    const vips::VImage strong = picture(file, "blur=30");
    EXPECT_GT(psnr(strong, textured(200, 150).gaussblur(30)), 38);
    EXPECT_LT(deviation(picture(file, "blur=8")), deviation(as_is) * 0.9);
    EXPECT_GT(deviation(picture(file, "con=1.5")), deviation(as_is) * 1.05);
    EXPECT_GT(picture(file, "bri=1.3").avg(), as_is.avg() + 10);
    EXPECT_LT(picture(file, "bri=0.5").avg(), as_is.avg() - 30);
    EXPECT_NEAR(pixel(picture(file, "con=0"), 10, 10).r, 128, 1);
    EXPECT_EQ(picture(file, "gray=1").bands(), 1);
    // Without saturation all three are alike.
    const Color gray = pixel(picture(file, "sat=0"), 100, 70);
    EXPECT_NEAR(gray.r, gray.g, 2);
    EXPECT_NEAR(gray.g, gray.b, 2);
    // Turned by a third of a circle, red is nearest to green.
    const Color turned = pixel(picture(file_of(plain(20, 20, {200, 30, 30}), ".png"), "hue=120"), 10, 10);
    EXPECT_GT(turned.g, turned.r);
    EXPECT_GT(turned.g, turned.b);
    // Alpha is not a colour.
    const File clear = file_of(plain(20, 20, {200, 30, 30, 77}, 4), ".png");
    for (const char* query : {"con=2", "bri=2", "sat=0", "hue=90", "gray=1", "blur=3", "sharpen=2"}) {
        EXPECT_EQ(pixel(picture(clear, query), 10, 10).a, 77) << query;
    }
    const File soft = file_of(textured(200, 150).gaussblur(1.5), ".png");
    EXPECT_GT(deviation(picture(soft, "sharpen=2")), deviation(picture(soft, "")));
    EXPECT_EQ(picture(file_of(textured(40, 40, 1), ".png"), "bri=1.2&sat=2&hue=80&con=1.1&sharpen=1").bands(),
              1);
}

TEST_F(Render, LosslessIsWithoutLoss) {
    const vips::VImage original = textured(120, 80);
    const File file = file_of(original, ".png");
    for (const char* format : {"webp", "png", "tiff", "jxl"}) {
        const vips::VImage image = picture(file, std::string("lossless=1&fm=") + format);
        EXPECT_EQ((image - original).abs().max(), 0) << format;
    }
    // Of AV1, libvips 8.14 makes no more than this: the conversion to YCbCr and back costs a step or two.
    EXPECT_LE((picture(file, "lossless=1&fm=avif") - original).abs().max(), 2);
    std::string parameter;
    EXPECT_EQ(status(file_of(original, ".jpg"), "lossless=1&w=10", &parameter), 400);
    EXPECT_EQ(parameter, "lossless");
}

TEST_F(Render, MaxBytesIsTheHighestQualityThatFits) {
    const File file = file_of(textured(400, 300), ".png");
    const Encoded full = good(file, "fm=jpeg&q=85");
    for (const char* format : {"jpeg", "webp"}) {
        const Encoded best = good(file, std::string("q=85&fm=") + format);
        const std::size_t limit = best.body.size() * 6 / 10;
        const Encoded small =
            good(file, "q=85&fm=" + std::string(format) + "&max_bytes=" + std::to_string(limit));
        EXPECT_LE(small.body.size(), limit) << format;
        EXPECT_GT(small.body.size(), limit * 8 / 10) << format;
        int quality = 84;
        const std::string at = "fm=" + std::string(format) + "&q=";
        while (good(file, at + std::to_string(quality)).body.size() > limit) {
            --quality;
        }
        EXPECT_EQ(small.body.size(), good(file, at + std::to_string(quality)).body.size()) << format;
    }
    EXPECT_EQ(good(file, "fm=jpeg&q=85&max_bytes=10m").body.size(), full.body.size());
    std::string parameter;
    EXPECT_EQ(status(file, "fm=jpeg&max_bytes=200", &parameter), 422);
    EXPECT_EQ(parameter, "max_bytes");
    EXPECT_EQ(status(file, "fm=png&max_bytes=200"), 422);
}

TEST_F(Render, AutomaticFormat) {
    const File jpeg = file_of(quarters(40, 40), ".jpg");
    auto_formats = {Format::avif, Format::webp};
    accept = "image/avif,image/webp,*/*";
    EXPECT_EQ(good(jpeg, "fm=auto&w=20").format, Format::avif);
    accept = "image/webp";
    EXPECT_EQ(good(jpeg, "fm=auto&w=20").format, Format::webp);
    accept = "*/*";
    EXPECT_EQ(good(jpeg, "fm=auto&w=20").format, Format::jpeg);
}

TEST_F(Render, WhatIsNoPicture) {
    const File text{'h', 'e', 'l', 'l', 'o'};
    EXPECT_EQ(status(text, "w=10"), 415);
    EXPECT_EQ(status({}, "w=10"), 415);
    EXPECT_EQ(status(File(5000, 0), "w=10"), 415);
    const std::string svg = "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40\" height=\"20\"/>";
    EXPECT_EQ(status(File(svg.begin(), svg.end()), "w=10"), 415);
    settings.input = {Format::png};
    EXPECT_EQ(status(file_of(quarters(20, 20), ".jpg"), "w=10"), 415);
}

TEST_F(Render, VectorsAreDrawnAtTheirSize) {
    settings.input.add(Format::svg);
    const std::string text =
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"40\" height=\"20\">"
        "<rect width=\"20\" height=\"20\" fill=\"#f00\"/></svg>";
    const File svg(text.begin(), text.end());
    const Encoded encoded = good(svg, "w=400");
    EXPECT_EQ(encoded.format, Format::png);
    EXPECT_EQ(encoded.width, 400);
    EXPECT_EQ(encoded.height, 200);
    const vips::VImage image = decoded(encoded);
    // A sharp edge: drawn, not enlarged.
    EXPECT_TRUE(is_near(pixel(image, 199, 100), red, 0));
    EXPECT_EQ(pixel(image, 200, 100).a, 0);
    const vips::VImage cropped = picture(svg, "crop=10,0,20,20&w=200");
    EXPECT_EQ(cropped.height(), 200);
    EXPECT_TRUE(is_near(pixel(cropped, 98, 100), red, 0));
    EXPECT_EQ(pixel(cropped, 102, 100).a, 0);
    EXPECT_TRUE(is_near(pixel(picture(svg, "w=401&fm=jpeg"), 300, 100), white));
    settings.max_source_pixels = 1000;
    EXPECT_EQ(picture(svg, "w=400").width(), 400);
}

TEST_F(Render, TooManyPixelsAreRefusedFromTheHeader) {
    // 30000 x 30000: the header and the beginning of the data are all there is.
    File png = file_of(plain(8, 8, red), ".png");
    const std::uint8_t side[] = {0, 0, 0x75, 0x30};
    std::copy(side, side + 4, png.begin() + 16);
    std::copy(side, side + 4, png.begin() + 20);
    // The checksum of the IHDR chunk.
    std::uint32_t crc = 0xffffffff;
    for (std::size_t i = 12; i < 29; ++i) {
        crc ^= png[i];
        for (int bit = 0; bit < 8; ++bit) {
            crc = crc >> 1U ^ (0xedb88320 & (0 - (crc & 1U)));
        }
    }
    crc = ~crc;
    for (std::size_t i = 0; i < 4; ++i) {
        png[29 + i] = static_cast<std::uint8_t>(crc >> (24 - 8 * i));
    }
    EXPECT_EQ(status(png, "w=100"), 422);
    settings.max_source_pixels = 99;
    EXPECT_EQ(status(file_of(plain(10, 10, red), ".jpg"), "w=5"), 422);
    settings.max_source_pixels = 100;
    EXPECT_EQ(good(file_of(plain(10, 10, red), ".jpg"), "w=5").width, 5);
}

TEST_F(Render, TooLargeARendition) {
    settings.max_width = 500;
    EXPECT_EQ(status(file_of(plain(10, 10, red), ".jpg"), "w=501&enlarge=1"), 400);
}

TEST_F(Render, TruncatedOriginals) {
    for (const Kind& kind : kinds) {
        File file = file_of(textured(400, 300), kind.suffix);
        file.resize(file.size() * 6 / 10);
        EXPECT_EQ(status(file, "w=100&fm=png"), 422) << kind.suffix;
        EXPECT_EQ(status(file, "w=300&fm=jpeg"), 422) << kind.suffix;
    }
    File jpeg = file_of(textured(400, 300), ".jpg");
    jpeg.resize(jpeg.size() * 6 / 10);
    settings.fail_on = FailOn::none;
    EXPECT_EQ(good(jpeg, "w=100").width, 100);
}

TEST_F(Render, DamagedOriginalsNeverCrash) {
    for (const Kind& kind : kinds) {
        const File whole = file_of(textured(120, 90), kind.suffix);
        std::uint32_t seed = 12345;
        for (int round = 0; round < 40; ++round) {
            File file = whole;
            for (int hit = 0; hit < 8; ++hit) {
                seed = seed * 1664525 + 1013904223;
                file[seed % file.size()] = static_cast<std::uint8_t>(seed >> 24U);
            }
            const Result<Encoded> result = render_query(file, "w=50&fm=png");
            if (!result) {
                EXPECT_TRUE(result.error().status == 422 || result.error().status == 415) << kind.suffix;
            }
        }
    }
}

TEST_F(Render, AMissingPageIsNamed) {
    std::string parameter;
    EXPECT_EQ(status(file_of(plain(10, 10, red), ".jpg"), "page=1", &parameter), 400);
    EXPECT_EQ(parameter, "page");
}

// Time: the work ends, soon, and says why.

TEST_F(Render, NothingBeginsAfterTheDeadline) {
    time = std::chrono::milliseconds{0};
    EXPECT_EQ(status(file_of(plain(10, 10, red), ".jpg"), "w=5"), 504);
}

TEST_F(Render, TheDeadlineStopsWorkInProgress) {
    const vips::VImage large = textured(1500, 1500).replicate(4, 4).copy_memory();
    const File progressive = file_of(large, ".jpg", vips::VImage::option()->set("interlace", true));
    const File png = file_of(large, ".png", vips::VImage::option()->set("compression", 1));
    for (const auto& [file, query] : {std::pair{&progressive, "w=300"},
                                      {&progressive, "w=5000"},
                                      {&png, "w=300"},
                                      {&png, "fm=png"},
                                      {&png, "w=3000&blur=60"}}) {
        time = std::chrono::minutes{5};
        const double whole = cpu_of([&] { good(*file, query); });
        time = std::chrono::milliseconds{static_cast<int>(whole * 1000 / 8)};
        const double stopped = cpu_of([&] { EXPECT_EQ(status(*file, query), 504) << query; });
        EXPECT_LT(stopped, whole / 2) << query;
    }
}

TEST_F(Render, CancellingStopsIt) {
    const File png =
        file_of(textured(1500, 1500).replicate(3, 3), ".png", vips::VImage::option()->set("compression", 1));
    ParseContext context;
    context.settings = &settings;
    const Result<Rendition> rendition = parse_query("w=3000&blur=20", context);
    ASSERT_TRUE(rendition);
    Cancellation cancellation(Clock::now() + std::chrono::seconds(60));
    std::thread other([&] {
        std::this_thread::sleep_for(std::chrono::milliseconds(50));
        cancellation.cancel();
    });
    const Result<Encoded> result = render({view(png), *rendition, settings, watermarks, cancellation});
    other.join();
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().status, 503);
}

TEST_F(Render, AnEncoderThatCannotEndInTimeDoesNotBegin) {
    const File file = file_of(plain(2000, 2000, red), ".png", vips::VImage::option()->set("compression", 1));
    settings.effort[static_cast<std::size_t>(Format::avif)] = 9;
    time = std::chrono::seconds{5};
    EXPECT_LT(cpu_of([&] { EXPECT_EQ(status(file, "fm=avif"), 504); }), 2);
}

TEST_F(Render, ManyThreadsAtOnce) {
    const File jpeg = file_of(textured(900, 700), ".jpg");
    const File png = file_of(textured(300, 200, 4), ".png");
    ParseContext context;
    context.settings = &settings;
    const Result<Rendition> rendition = parse_query("w=200&h=200&fit=cover&fm=webp&sharpen=1", context);
    ASSERT_TRUE(rendition);
    std::vector<Sha256> digests(8);
    std::vector<std::thread> threads;
    for (std::size_t i = 0; i < digests.size(); ++i) {
        threads.emplace_back([&, i] {
            for (int round = 0; round < 6; ++round) {
                const Cancellation cancellation(Clock::now() + std::chrono::seconds(60));
                const Result<Encoded> result =
                    render({view(i % 2 == 0 ? jpeg : png), *rendition, settings, watermarks, cancellation});
                ASSERT_TRUE(result);
                digests[i] = sha256(result->body.view());
            }
            end_engine_thread();
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    for (std::size_t i = 2; i < digests.size(); ++i) {
        EXPECT_EQ(digests[i], digests[i - 2]);
    }
}

}  // namespace
}  // namespace media
