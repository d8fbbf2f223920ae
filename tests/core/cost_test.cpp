// Nothing is timed here: what is dearer must be estimated to be dearer, and by a plausible factor.
#include "core/rendition/cost.h"

#include <algorithm>
#include <vector>

#include "picture_fixture.h"

namespace media {
namespace {

using vips::VImage;

Outline of(Format format, int width, int height, double bytes_a_pixel, int frames = 1) {
    Outline outline;
    outline.format = format;
    outline.size = {width, height};
    outline.frames = frames;
    outline.bytes = static_cast<std::uint64_t>(bytes_a_pixel * width * height * frames);
    return outline;
}

const Outline small = of(Format::jpeg, 1224, 816, 0.2);
const Outline large = of(Format::jpeg, 6000, 4000, 0.28);

double cost(const Outline& original, std::string_view query, const RenderSettings& settings = {}) {
    ParseContext context;
    context.settings = &settings;
    const std::vector<Format> automatic{Format::avif, Format::webp};
    context.auto_formats = automatic;
    context.accept = "image/avif,image/webp";
    const auto rendition = parse_query(query, context);
    if (!rendition) {
        ADD_FAILURE() << query << ": " << rendition.error().detail;
        return 0;
    }
    return seconds_of(original, *rendition, settings);
}

TEST(Cost, LargerOriginalsAreDearer) {
    double last = 0;
    for (const int width : {300, 600, 1200, 2400, 4800, 9600}) {
        const double now = cost(of(Format::jpeg, width, width * 2 / 3, 0.25), "w=200");
        EXPECT_GT(now, last) << width;
        last = now;
    }
}

TEST(Cost, LargerRenditionsAreDearer) {
    for (const char* format : {"jpeg", "png", "webp", "avif", "gif", "tiff", "jxl"}) {
        double last = 0;
        for (const int width : {100, 200, 400, 800, 1600, 3200}) {
            const double now = cost(large, "w=" + std::to_string(width) + "&fm=" + format);
            EXPECT_GT(now, last) << format << ' ' << width;
            last = now;
        }
    }
}

TEST(Cost, MoreEffortIsDearer) {
    for (const auto& [format, name] :
         {std::pair{Format::avif, "avif"}, std::pair{Format::webp, "webp"}, std::pair{Format::jxl, "jxl"}}) {
        double last = 0;
        for (int effort = info(format).effort_min; effort <= info(format).effort_max; ++effort) {
            RenderSettings settings;
            settings.effort[static_cast<std::size_t>(format)] = effort;
            const double now = cost(large, std::string("w=1600&fm=") + name, settings);
            EXPECT_GE(now, last) << name << ' ' << effort;
            last = now;
        }
    }
}

TEST(Cost, WhatElseMakesItDearer) {
    const double plain = cost(large, "w=400");
    EXPECT_GT(cost(large, "w=400&blur=3"), plain);
    EXPECT_GT(cost(large, "w=400&trim=10"), 3 * plain);
    EXPECT_GT(cost(large, "w=400&max_bytes=9k"), plain);
    EXPECT_GT(cost(large, "w=400&fm=webp&lossless=1"), cost(large, "w=400&fm=webp"));
    Outline progressive = large;
    progressive.progressive = true;
    EXPECT_GT(cost(progressive, "w=1600"), 3 * cost(large, "w=1600"));
    EXPECT_GT(cost(of(Format::png, 6000, 4000, 1.2), "w=400"), 3 * plain);
    EXPECT_EQ(cost(large, "w=400&fm=auto"), cost(large, "w=400&fm=avif"));
}

TEST(Cost, FramesCount) {
    const double still = cost(of(Format::gif, 480, 360, 0.5), "w=200");
    const double moving = cost(of(Format::gif, 480, 360, 0.5, 40), "w=200");
    EXPECT_GT(moving, 30 * still);
    EXPECT_LT(cost(of(Format::gif, 480, 360, 0.5, 40), "w=200&n=2"), moving / 10);
    EXPECT_LT(cost(of(Format::gif, 480, 360, 0.5, 40), "w=200&fm=jpeg"), moving / 10);
    EXPECT_LT(cost(of(Format::gif, 480, 360, 0.5, 40), "w=200&page=38"), moving / 10);
    RenderSettings settings;
    settings.max_frames = 4;
    EXPECT_LT(cost(of(Format::gif, 480, 360, 0.5, 40), "w=200", settings), moving / 5);
    // Of formats that it accepts, the first one that can move.
    EXPECT_EQ(cost(of(Format::gif, 480, 360, 0.5, 40), "w=200&fm=auto"),
              cost(of(Format::gif, 480, 360, 0.5, 40), "w=200&fm=webp"));
}

TEST(Cost, WhatIsRefusedCostsNothing) {
    RenderSettings settings;
    settings.max_width = 1000;
    EXPECT_LT(cost(large, "w=1600", settings), 0.001);
    settings = {};
    settings.max_source_pixels = 1'000'000;
    EXPECT_LT(cost(large, "w=400", settings), 0.001);
    settings = {};
    settings.input = {Format::png};
    EXPECT_LT(cost(large, "w=400", settings), 0.001);
    EXPECT_LT(cost(large, "w=400&crop=7000,5000,10,10"), 0.001);
}

TEST(Cost, Plausible) {
    // Measured ones are within these.
    const auto between = [](double value, double low, double high) {
        EXPECT_GE(value, low);
        EXPECT_LE(value, high);
    };
    between(cost(small, "w=400"), 0.001, 0.010);
    between(cost(large, "w=400"), 0.025, 0.120);
    between(cost(large, "w=2400&fm=avif"), 0.100, 0.600);
    between(cost(of(Format::png, 3000, 2000, 1), "w=1600"), 0.100, 0.800);
    between(cost(small, "fm=json"), 0.001, 0.050);
}

TEST(Cost, SizeUnknown) {
    Outline seen = large;
    seen.size = {};
    const double guess = cost(seen, "w=400");
    EXPECT_GT(guess, cost(large, "w=400") / 2);
    EXPECT_LT(guess, cost(large, "w=400") * 2);
    Outline document;
    document.format = Format::svg;
    document.bytes = 300;
    EXPECT_GT(cost(document, "w=400"), 0);
}

TEST(Cost, EncodingByTheBox) {
    RenderSettings settings;
    const auto saved = [&settings](std::string_view query) {
        ParseContext context;
        context.settings = &settings;
        const auto rendition = parse_query(query, context);
        return encoding_seconds(*rendition, settings, Format::avif) -
               encoding_seconds(*rendition, settings, Format::webp);
    };
    // By default AVIF is about as cheap as WebP, and only what is huge takes much longer.
    EXPECT_LT(saved("w=1200"), 0.05);
    EXPECT_LT(saved("w=1600&h=1067"), 0.05);
    EXPECT_GT(saved("w=2400"), 0.05);
    EXPECT_GT(saved("fm=auto"), 0.05);
    EXPECT_EQ(saved("w=500"), saved("h=500"));
    EXPECT_EQ(saved("w=500"), saved("w=500&h=500"));
    settings.effort[static_cast<std::size_t>(Format::avif)] = 4;
    EXPECT_GT(saved("w=300"), 0.05);
    EXPECT_LT(saved("w=100"), 0.05);
}

class Outlines : public PictureTest {};

TEST_F(Outlines, SizesOfAllFormats) {
    const VImage image = plain(317, 211, {200, 30, 30, 255});
    for (const auto& [suffix, format] :
         {std::pair{".jpg", Format::jpeg}, std::pair{".jpg[interlace]", Format::jpeg},
          std::pair{".png", Format::png}, std::pair{".webp", Format::webp},
          std::pair{".webp[lossless]", Format::webp}, std::pair{".gif", Format::gif},
          std::pair{".avif", Format::avif}}) {
        const File file = file_of(image, suffix);
        const auto outline = outline_of(view(file), file.size());
        ASSERT_TRUE(outline) << suffix;
        EXPECT_EQ(outline->format, format) << suffix;
        EXPECT_EQ(outline->size, (Size{317, 211})) << suffix;
        EXPECT_EQ(outline->frames, 1) << suffix;
        EXPECT_EQ(outline->progressive, std::string_view(suffix).find("interlace") != std::string_view::npos);
        EXPECT_EQ(outline->bytes, file.size());
    }
}

TEST_F(Outlines, FramesOfWhatWasRead) {
    VImage image = plain(60, 40 * 20, {200, 30, 30, 255}) + VImage::gaussnoise(60, 40 * 20);
    image =
        image.cast(VIPS_FORMAT_UCHAR).copy(VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB));
    image.set("page-height", 40);
    image.set("delay", std::vector<int>(20, 100));
    for (const char* suffix : {".gif", ".webp"}) {
        const File file = file_of(image, suffix);
        const auto whole = outline_of(view(file), file.size());
        ASSERT_TRUE(whole);
        EXPECT_EQ(whole->frames, 20) << suffix;
        EXPECT_EQ(whole->size, (Size{60, 40})) << suffix;
        const auto half = outline_of(view(file).first(file.size() / 2), file.size());
        EXPECT_GE(half->frames, 15) << suffix;
        EXPECT_LE(half->frames, 25) << suffix;
    }
}

TEST_F(Outlines, AnyBytesAreHarmless) {
    const VImage image = plain(64, 64, {200, 30, 30, 255});
    for (const char* suffix : {".jpg", ".png", ".webp", ".webp[lossless]", ".gif", ".avif", ".tif"}) {
        const File file = file_of(image, suffix);
        unsigned state = 1;
        for (std::size_t length = 0; length < std::min<std::size_t>(file.size(), 600); ++length) {
            File cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(length));
            if (length > 0) {
                state = state * 1664525U + 1013904223U;
                cut[state % length] = static_cast<std::uint8_t>(state >> 16U);
            }
            if (const auto outline = outline_of(view(cut), 1000)) {
                EXPECT_GE(cost(*outline, "w=400"), 0);
            }
        }
    }
    EXPECT_FALSE(outline_of({}, 0));
}

}  // namespace
}  // namespace media
