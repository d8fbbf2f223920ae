// `fm=json`: what is said of an original is true of it.
#include <map>
#include <optional>
#include <string_view>

#include "core/base/base64.h"
#include "core/picture/info.h"
#include "tests/core/picture_fixture.h"

namespace media {
namespace {

/// The members of a flat JSON object without escapes, as they are written.
std::map<std::string, std::string> members_of(std::string_view json) {
    std::map<std::string, std::string> members;
    EXPECT_TRUE(json.starts_with('{') && json.ends_with('}')) << json;
    json.remove_prefix(1);
    while (json.starts_with('"')) {
        const std::size_t colon = json.find("\":");
        const std::string name(json.substr(1, colon - 1));
        json.remove_prefix(colon + 2);
        const std::size_t end = json.starts_with('"') ? json.find('"', 1) + 1 : json.find_first_of(",}");
        EXPECT_TRUE(members.emplace(name, json.substr(0, end)).second) << name;
        json.remove_prefix(end + 1);
    }
    EXPECT_TRUE(json.empty()) << json;
    return members;
}

File from_base64(std::string_view text) {
    static constexpr std::string_view digits =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    File bytes;
    unsigned bits = 0;
    int count = 0;
    for (const char c : text) {
        if (c == '=') {
            break;
        }
        bits = bits << 6U | static_cast<unsigned>(digits.find(c));
        count += 6;
        if (count >= 8) {
            count -= 8;
            bytes.push_back(static_cast<std::uint8_t>(bits >> static_cast<unsigned>(count)));
        }
    }
    return bytes;
}

struct Told {
    std::map<std::string, std::string> members;
    vips::VImage lqip;

    int number(const char* name) const { return std::stoi(members.at(name)); }
    std::string text(const char* name) const {
        const std::string& value = members.at(name);
        return value.substr(1, value.size() - 2);
    }
    Color color(const char* name) const {
        const std::string hex = text(name);
        EXPECT_EQ(hex.size(), 7U);
        const auto at = [&](std::size_t i) {
            return static_cast<std::uint8_t>(std::stoi(hex.substr(i, 2), nullptr, 16));
        };
        return {at(1), at(3), at(5)};
    }
};

class Info : public PictureTest {
  protected:
    Result<Encoded> described(const File& file, const std::string& query) {
        ParseContext context;
        context.settings = &settings;
        Result<Rendition> rendition = parse_query(query, context);
        if (!rendition) {
            return rendition.error();
        }
        const Cancellation cancellation(Cancellation::Clock::now() + time);
        return describe({view(file), *rendition, settings, watermarks, cancellation});
    }

    Told told(const File& file, const std::string& query = "fm=json") {
        const Result<Encoded> result = described(file, query);
        if (!result) {
            ADD_FAILURE() << query << ": " << result.error().status << " " << result.error().detail;
            return {};
        }
        EXPECT_EQ(result->format, OutputFormat::json());
        const std::string_view json(reinterpret_cast<const char*>(result->body.data()), result->body.size());
        Told told{members_of(json), {}};
        EXPECT_EQ(told.number("width"), result->width);
        EXPECT_EQ(told.number("height"), result->height);
        EXPECT_EQ(told.members.at("bytes"), std::to_string(file.size()));
        constexpr std::string_view head = "data:image/webp;base64,";
        const std::string uri = told.text("lqip");
        EXPECT_TRUE(uri.starts_with(head));
        const File lqip = from_base64(std::string_view(uri).substr(head.size()));
        EXPECT_LE(lqip.size(), lqip_bytes);
        told.lqip = vips::VImage::new_from_buffer(lqip.data(), lqip.size(), "").copy_memory();
        return told;
    }

    int failure(const File& file, const std::string& query) {
        const Result<Encoded> result = described(file, query);
        return result ? 200 : result.error().status;
    }
};

TEST_F(Info, SaysWhatTheContractNamesInItsOrder) {
    const File file = file_of(plain(40, 30, {10, 20, 30}), ".png");
    const Result<Encoded> result = described(file, "fm=json");
    ASSERT_TRUE(result);
    std::string json(reinterpret_cast<const char*>(result->body.data()), result->body.size());
    const std::size_t lqip = json.find("\"lqip\":\"data:image/webp;base64,");
    ASSERT_NE(lqip, std::string::npos);
    EXPECT_EQ(json.substr(0, lqip),
              "{\"width\":40,\"height\":30,\"format\":\"png\",\"pages\":1,\"alpha\":false,\"orientation\":1,"
              "\"space\":\"srgb\",\"bytes\":" +
                  std::to_string(file.size()) +
                  ",\"average\":\"#0a141e\",\"dominant\":\"#0a141e\",\"blurhash\":"
                  "\"L01C={fQfQfQfQfQfQfQfQfQfQfQ\",");
    EXPECT_EQ(result->width, 40);
    EXPECT_EQ(result->height, 30);
}

TEST_F(Info, KnownColours) {
    const auto halves = [](int width, int height, Color left, Color right, int bands) {
        return painted(width, height, bands, [=](int x, int) { return x < width / 2 ? left : right; });
    };
    struct Case {
        const char* what;
        vips::VImage image;
        Color average, dominant;
    };
    const Case cases[] = {
        {"flat", plain(301, 77, {200, 100, 50}), {200, 100, 50}, {200, 100, 50}},
        {"gray", plain(99, 99, {90}, 1), {90, 90, 90}, {90, 90, 90}},
        {"halves", halves(300, 100, {200, 0, 0}, {0, 0, 100}, 3), {100, 0, 50}, {0, 0, 100}},
        {"a third",
         painted(300, 100, 3,
                 [](int x, int) {
                     return x < 100 ? Color{90, 30, 0} : Color{0, 30, 240};
                 }),
         {30, 30, 160},
         {0, 30, 240}},
        // What cannot be seen has a colour too, but it does not count.
        {"half transparent",
         halves(200, 50, {10, 200, 30, 255}, {255, 0, 255, 0}, 4),
         {10, 200, 30},
         {10, 200, 30}},
        {"by alpha", halves(200, 50, {250, 0, 0, 200}, {0, 0, 250, 50}, 4), {200, 0, 50}, {250, 0, 0}},
        {"gray by alpha",
         halves(200, 50, {250, 0, 0, 200}, {0, 0, 0, 50}, 2),
         {200, 200, 200},
         {250, 250, 250}},
        {"invisible", plain(20, 20, {255, 255, 255, 0}, 4), black, black},
        {"a ramp",
         painted(256, 9, 3,
                 [](int x, int) {
                     return Color{static_cast<std::uint8_t>(x), 7, 9};
                 }),
         {128, 7, 9},
         {8, 7, 9}},
        {"one pixel", plain(1, 1, {1, 2, 3}), {1, 2, 3}, {1, 2, 3}},
    };
    for (const Case& c : cases) {
        for (const char* suffix : {".png", ".tif"}) {
            const Told seen = told(file_of(c.image, suffix));
            EXPECT_TRUE(is_near(seen.color("average"), c.average, 1)) << c.what << suffix;
            EXPECT_TRUE(is_near(seen.color("dominant"), c.dominant, 1)) << c.what << suffix;
        }
    }
}

// A colour with noise around a step of the histogram is more than another that covers less.
TEST_F(Info, NoiseDoesNotSplitTheDominantColour) {
    const auto noisy = [](int value, int noise) { return static_cast<std::uint8_t>(value - 2 + noise % 5); };
    const File file =
        file_of(painted(200, 100, 3,
                        [&](int x, int y) {
                            return x < 120 ? Color{noisy(128, x), noisy(64, y), noisy(192, x / 5 + y / 5)}
                                           : Color{20, 20, 20};
                        }),
                ".png");
    EXPECT_TRUE(is_near(told(file).color("dominant"), {128, 64, 192}, 0));
}

// Cells of the small picture share pixels where they do not end between two.
TEST_F(Info, EveryPixelCountsOnce) {
    for (const int side : {63, 65, 127, 200}) {
        for (const int lit : {0, 1, side / 2, side - 1}) {
            const auto wanted = static_cast<std::uint8_t>(std::lround(255.0 / side));
            const Told rows = told(
                file_of(painted(5, side, 1, [=](int, int y) { return y == lit ? white : black; }), ".png"));
            EXPECT_TRUE(is_near(rows.color("average"), {wanted, wanted, wanted}, 0))
                << side << " row " << lit;
            const Told columns = told(
                file_of(painted(side, 5, 1, [=](int x, int) { return x == lit ? white : black; }), ".png"));
            EXPECT_TRUE(is_near(columns.color("average"), {wanted, wanted, wanted}, 0))
                << side << " column " << lit;
        }
    }
}

// Whatever of the picture is decoded, and at which size, the mean is that of all pixels.
TEST_F(Info, TheAverageIsThatOfEveryPixel) {
    for (const auto& [width, height] :
         {std::pair{37, 23}, {640, 480}, {1001, 777}, {1031, 1607}, {1601, 17}}) {
        const vips::VImage image = painted(width, height, 3, [=](int x, int y) {
            const bool fine = (x / 3 + y / 5) % 2 == 0;
            return Color{static_cast<std::uint8_t>(x * 255 / width),
                         fine ? std::uint8_t{30} : std::uint8_t{180},
                         static_cast<std::uint8_t>(x > width - 9 ? 250 : y * 200 / height)};
        });
        for (const char* suffix : {".png", ".jpg", ".webp"}) {
            // Lossy formats change the mean themselves: what counts is what was stored.
            vips::VOption* const options = vips::VImage::option();
            if (suffix == std::string_view(".jpg")) {
                options->set("Q", 95)->set("subsample_mode", VIPS_FOREIGN_SUBSAMPLE_OFF);
            }
            const File file = file_of(image, suffix, options);
            const vips::VImage stored =
                vips::VImage::new_from_buffer(file.data(), file.size(), "").copy_memory();
            const vips::VImage quarter = stored.extract_area(0, 0, (width + 1) / 2, (height + 1) / 2);
            for (const auto& [query, part] : {std::pair{"fm=json", stored},
                                              {"fm=json&rot=90", stored},
                                              {"fm=json&crop=0,0,50%25,50%25", quarter}}) {
                const Color seen = told(file, query).color("average");
                const int channels[] = {seen.r, seen.g, seen.b};
                for (int b = 0; b < 3; ++b) {
                    EXPECT_NEAR(channels[b], part.extract_band(b).avg(), 1) << width << suffix << query << b;
                }
            }
        }
    }
}

TEST_F(Info, Spaces) {
    const vips::VImage rgb = plain(60, 40, {200, 100, 50});
    const auto option = [] { return vips::VImage::option(); };
    const vips::VImage cmyk = rgb.icc_transform(
        "cmyk", option()->set("input_profile", "srgb")->set("intent", VIPS_INTENT_PERCEPTUAL));
    const vips::VImage p3 = rgb.icc_transform("p3", option()->set("input_profile", "srgb"));
    const vips::VImage wide =
        (rgb * 257).cast(VIPS_FORMAT_USHORT).copy(option()->set("interpretation", VIPS_INTERPRETATION_RGB16));
    const vips::VImage gray = plain(60, 40, {90}, 1);
    const vips::VImage wide_gray = (gray * 257)
                                       .cast(VIPS_FORMAT_USHORT)
                                       .copy(option()->set("interpretation", VIPS_INTERPRETATION_GREY16));
    struct Case {
        File file;
        const char* space;
        Color average;
        int tolerance;
    };
    const Case cases[] = {
        {file_of(rgb, ".jpg"), "srgb", {200, 100, 50}, 3},
        {file_of(rgb, ".webp"), "srgb", {200, 100, 50}, 3},
        {file_of(rgb, ".gif"), "srgb", {200, 100, 50}, 1},
        {file_of(p3, ".png"), "rgb", {200, 100, 50}, 2},
        {file_of(cmyk, ".tif"), "cmyk", {200, 100, 50}, 6},
        {file_of(cmyk, ".jpg"), "cmyk", {200, 100, 50}, 6},
        {file_of(wide, ".png"), "rgb16", {200, 100, 50}, 1},
        {file_of(gray, ".png"), "gray", {90, 90, 90}, 1},
        {file_of(gray, ".jpg"), "gray", {90, 90, 90}, 1},
        {file_of(wide_gray, ".png"), "gray16", {90, 90, 90}, 1},
        {file_of(rgb.colourspace(VIPS_INTERPRETATION_LAB), ".tif"), "lab", {200, 100, 50}, 2},
        {file_of(rgb.colourspace(VIPS_INTERPRETATION_scRGB), ".tif"), "scrgb", {200, 100, 50}, 2},
    };
    for (const Case& c : cases) {
        const Told seen = told(c.file);
        EXPECT_EQ(seen.text("space"), c.space);
        EXPECT_TRUE(is_near(seen.color("average"), c.average, c.tolerance)) << c.space;
        EXPECT_TRUE(is_near(seen.color("dominant"), c.average, c.tolerance)) << c.space;
    }
}

// As many pixels as are not taken through a profile one by one.
TEST_F(Info, ALargeCmykPictureHasItsAverage) {
    const vips::VImage rgb = painted(2100, 2050, 3, [](int x, int y) {
        return x < 1050 ? Color{200, 100, 50} : Color{static_cast<std::uint8_t>(y / 10), 60, 160};
    });
    const vips::VImage cmyk = rgb.icc_transform(
        "cmyk", vips::VImage::option()->set("input_profile", "srgb")->set("intent", VIPS_INTENT_PERCEPTUAL));
    const vips::VImage back = cmyk.icc_transform(
        "srgb", vips::VImage::option()->set("input_profile", "cmyk")->set("intent", VIPS_INTENT_PERCEPTUAL));
    const auto mean = [&](int band) {
        return static_cast<std::uint8_t>(std::lround(back.extract_band(band).avg()));
    };
    const Told seen = told(file_of(cmyk, ".tif"));
    EXPECT_TRUE(is_near(seen.color("average"), {mean(0), mean(1), mean(2)}, 2));
}

TEST_F(Info, FormatsPagesAndAlpha) {
    struct Case {
        const char* suffix;
        const char* format;
    };
    const Case cases[] = {{".jpg", "jpeg"}, {".png", "png"},   {".webp", "webp"}, {".gif", "gif"},
                          {".tif", "tiff"}, {".avif", "avif"}, {".jxl", "jxl"}};
    for (const Case& c : cases) {
        const Told seen = told(file_of(plain(90, 60, {200, 100, 50}), c.suffix));
        EXPECT_EQ(seen.text("format"), c.format);
        EXPECT_EQ(seen.members.at("pages"), "1");
        // libvips gives every GIF that it writes a transparent colour.
        EXPECT_EQ(seen.members.at("alpha"), c.suffix == std::string_view(".gif") ? "true" : "false")
            << c.suffix;
        EXPECT_TRUE(is_near(seen.color("average"), {200, 100, 50}, 4)) << c.suffix;
    }
    const std::vector<vips::VImage> frames{plain(50, 40, red), plain(50, 40, green), plain(50, 40, blue)};
    for (const char* suffix : {".gif", ".webp"}) {
        const File file = file_of(roll(frames, {100, 100, 100}), suffix);
        const Told first = told(file);
        EXPECT_EQ(first.members.at("pages"), "3");
        EXPECT_EQ(first.members.at("height"), "40");
        EXPECT_TRUE(is_near(first.color("average"), red, 3));
        const Told second = told(file, "fm=json&page=1");
        EXPECT_EQ(second.members.at("pages"), "3");
        EXPECT_TRUE(is_near(second.color("average"), green, 3));
        EXPECT_EQ(failure(file, "fm=json&page=3"), 400);
    }
    for (const char* suffix : {".png", ".webp", ".avif"}) {
        EXPECT_EQ(told(file_of(plain(50, 40, {9, 9, 9, 128}, 4), suffix)).members.at("alpha"), "true");
    }
    settings.input.add(Format::svg);
    const std::string svg =
        "<svg xmlns='http://www.w3.org/2000/svg' width='24' height='12'><rect width='24' height='6' "
        "fill='#0080ff'/></svg>";
    const Told drawn = told(File(svg.begin(), svg.end()));
    EXPECT_EQ(drawn.text("format"), "svg");
    EXPECT_EQ(drawn.number("width"), 24);
    EXPECT_EQ(drawn.number("height"), 12);
    EXPECT_TRUE(is_near(drawn.color("average"), {0, 128, 255}, 1));
}

TEST_F(Info, OfTheUprightPicture) {
    const vips::VImage stored = quarters(96, 64);
    for (int orientation = 1; orientation <= 8; ++orientation) {
        vips::VImage copy = stored.copy();
        copy.set(VIPS_META_ORIENTATION, orientation);
        const vips::VImage upright = copy.autorot();
        const Told seen = told(oriented_jpeg(stored, orientation));
        EXPECT_EQ(seen.number("orientation"), orientation);
        EXPECT_EQ(seen.number("width"), upright.width());
        EXPECT_EQ(seen.number("height"), upright.height());
        EXPECT_EQ(seen.text("blurhash").front(), orientation < 5 ? 'L' : 'T');
        const double scale = static_cast<double>(seen.lqip.width()) / upright.width();
        EXPECT_NEAR(seen.lqip.height(), upright.height() * scale, 1);
        for (const auto& [x, y] : {std::pair{0.25, 0.25}, {0.75, 0.25}, {0.25, 0.75}, {0.75, 0.75}}) {
            const auto at = [&](const vips::VImage& image) {
                return pixel(image, static_cast<int>(x * image.width()),
                             static_cast<int>(y * image.height()));
            };
            EXPECT_TRUE(is_near(at(seen.lqip), at(upright), 40)) << orientation;
        }
    }
    const File file = oriented_jpeg(stored, 6);  // 64 x 96: blue, red over white, green
    const Told turned = told(file, "fm=json&rot=90&flip=h&crop=0,0,50%25,50%25");
    EXPECT_EQ(turned.number("width"), 48);
    EXPECT_EQ(turned.number("height"), 32);
    EXPECT_TRUE(is_near(turned.color("average"), blue, 4));
}

TEST_F(Info, CropAndTrim) {
    const vips::VImage image = painted(400, 300, 3, [](int x, int y) {
        return x >= 100 && x < 300 && y >= 50 && y < 150 ? (x < 200 ? red : blue) : white;
    });
    const File file = file_of(image, ".png");
    const Told cropped = told(file, "fm=json&crop=0,0,100,100");
    EXPECT_EQ(cropped.number("width"), 100);
    EXPECT_TRUE(is_near(cropped.color("average"), white, 0));
    const Told trimmed = told(file, "fm=json&trim=10");
    EXPECT_EQ(trimmed.number("width"), 200);
    EXPECT_EQ(trimmed.number("height"), 100);
    EXPECT_TRUE(is_near(trimmed.color("average"), {128, 0, 128}, 1));
    const Told both = told(file, "fm=json&crop=0,0,50%25,100%25&trim=10");
    EXPECT_EQ(both.number("width"), 100);
    EXPECT_EQ(both.number("height"), 100);
    EXPECT_TRUE(is_near(both.color("average"), red, 0));
    EXPECT_TRUE(is_near(both.color("dominant"), red, 0));
    EXPECT_EQ(failure(file, "fm=json&crop=500,0,10,10"), 422);
}

TEST_F(Info, ThePlaceholderAlwaysFits) {
    unsigned seed = 1;
    const auto noise = [&seed](int, int) {
        const auto next = [&seed] {
            return static_cast<std::uint8_t>((seed = seed * 1664525 + 1013904223) >> 24U);
        };
        return Color{next(), next(), next(), next()};
    };
    for (const int bands : {1, 2, 3, 4}) {
        for (const auto& [width, height] :
             {std::pair{1, 1}, {1, 5000}, {5000, 1}, {3, 200}, {64, 64}, {65, 64}, {300, 200}, {63, 1000}}) {
            const Told seen = told(file_of(painted(width, height, bands, noise), ".png"));
            EXPECT_GE(std::max(seen.lqip.width(), seen.lqip.height()), std::min(4, std::max(width, height)));
            EXPECT_EQ(seen.lqip.has_alpha(), bands % 2 == 0);
        }
    }
}

TEST_F(Info, TransparencyStaysInThePlaceholder) {
    const File file = file_of(painted(300, 200, 4,
                                      [](int x, int) {
                                          return x < 150 ? Color{200, 30, 30, 255} : Color{0, 255, 0, 0};
                                      }),
                              ".png");
    const Told seen = told(file);
    ASSERT_TRUE(seen.lqip.has_alpha());
    EXPECT_TRUE(is_near(pixel(seen.lqip, 5, seen.lqip.height() / 2), {200, 30, 30, 255}, 16));
    EXPECT_EQ(pixel(seen.lqip, seen.lqip.width() - 5, seen.lqip.height() / 2).a, 0);
    // An alpha channel in which nothing is transparent is none.
    EXPECT_FALSE(told(file_of(plain(40, 40, {200, 30, 30, 255}, 4), ".png")).lqip.has_alpha());
}

TEST_F(Info, WatermarksLieOnThePlaceholder) {
    WatermarkSpec spec;
    spec.name = "a";
    const File logo = file_of(plain(20, 20, red), ".png");
    spec.file = std::make_shared<const Bytes>(Bytes::copy_of(view(logo)));
    spec.placement = {.position = Gravity::nw, .size = 0.5, .margin = 0, .tile = false};
    auto prepared = prepare_watermark(spec);
    ASSERT_TRUE(prepared);
    watermarks = {*prepared};
    for (const int bands : {1, 3}) {
        const Told seen = told(file_of(plain(400, 400, {0, 0, 0}, bands), ".png"));
        ASSERT_EQ(seen.lqip.bands(), 3);
        EXPECT_TRUE(is_near(pixel(seen.lqip, 8, 8), red, 24));
        EXPECT_TRUE(is_near(pixel(seen.lqip, seen.lqip.width() - 8, 8), black, 24));
        EXPECT_TRUE(is_near(seen.color("average"), black, 0)) << "what is said is said of the original";
    }
    const Told clear = told(file_of(plain(400, 400, {0, 0, 0, 0}, 4), ".png"));
    EXPECT_TRUE(is_near(pixel(clear.lqip, 8, 8), red, 24));
    EXPECT_EQ(pixel(clear.lqip, clear.lqip.width() - 8, 8).a, 0);
}

TEST_F(Info, LimitsAreThoseOfRenditions) {
    const File file = file_of(textured(300, 200), ".png");
    settings.max_width = settings.max_height = 10;  // of what is sent as a picture
    EXPECT_EQ(failure(file, "fm=json"), 200);
    settings.max_source_pixels = 300 * 200 - 1;
    EXPECT_EQ(failure(file, "fm=json"), 422);
    settings.max_source_pixels = 300 * 200;
    EXPECT_EQ(
        failure(file_of(roll({plain(300, 200, red), plain(300, 200, blue)}, {9, 9}), ".gif"), "fm=json"), 200)
        << "only one page is read";
    settings.input = {Format::jpeg};
    EXPECT_EQ(failure(file, "fm=json"), 415);
    EXPECT_EQ(failure(File{'n', 'o'}, "fm=json"), 415);
    File jpeg = file_of(textured(900, 700), ".jpg");
    jpeg.resize(jpeg.size() / 2);
    settings = {};
    EXPECT_EQ(failure(jpeg, "fm=json"), 422);
    settings.fail_on = FailOn::none;
    EXPECT_EQ(failure(jpeg, "fm=json"), 200);
    time = std::chrono::milliseconds{0};
    EXPECT_EQ(failure(file, "fm=json"), 504);
}

TEST_F(Info, WorkThatIsNotWantedEnds) {
    const File file = file_of(textured(2000, 1500), ".png");
    ParseContext context;
    context.settings = &settings;
    const Result<Rendition> rendition = parse_query("fm=json", context);
    ASSERT_TRUE(rendition);
    Cancellation cancellation(Cancellation::Clock::now() + time);
    cancellation.cancel();
    const Result<Encoded> result = describe({view(file), *rendition, settings, watermarks, cancellation});
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().status, 503);
}

TEST(Base64, OfRfc4648) {
    const std::pair<std::string, std::string> cases[] = {{"", ""},
                                                         {"f", "Zg=="},
                                                         {"fo", "Zm8="},
                                                         {"foo", "Zm9v"},
                                                         {"foob", "Zm9vYg=="},
                                                         {"fooba", "Zm9vYmE="},
                                                         {"foobar", "Zm9vYmFy"},
                                                         {"\xFF\xFE\xFB", "//77"}};
    for (const auto& [bytes, text] : cases) {
        EXPECT_EQ(base64({reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size()}), text);
    }
}

}  // namespace
}  // namespace media
