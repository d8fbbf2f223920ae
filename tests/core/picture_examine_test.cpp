#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <thread>

#include "core/base/fd.h"
#include "core/picture/examine.h"
#include "tests/core/picture_fixture.h"

namespace media {
namespace {

using vips::VImage;

Fd file_with(const File& bytes) {
    Fd file(memfd_create("examined", MFD_CLOEXEC));
    EXPECT_EQ(write(file.get(), bytes.data(), bytes.size()), static_cast<ssize_t>(bytes.size()));
    return file;
}

Result<Examined> examine_bytes(const File& bytes, const RenderSettings& settings = {},
                               FormatSet allowed = raster_formats()) {
    const Cancellation cancellation(Cancellation::Clock::now() + std::chrono::minutes(5));
    return examine(file_with(bytes).get(), allowed, settings, cancellation);
}

int status_of(const File& bytes, const RenderSettings& settings = {}, FormatSet allowed = raster_formats()) {
    const auto examined = examine_bytes(bytes, settings, allowed);
    return examined ? 0 : examined.error().status;
}

VImage sample() {
    return textured(90, 60);
}

File animation(int pages, const char* suffix) {
    std::vector<VImage> frames;
    for (int i = 0; i < pages; ++i) {
        frames.push_back(textured(40 + i, 20).extract_area(i, 0, 40, 20));
    }
    return file_of(roll(frames, std::vector<int>(frames.size(), 100)), suffix);
}

const FormatSet with_svg = [] {
    FormatSet set = raster_formats();
    set.add(Format::svg);
    return set;
}();

class PictureExamine : public PictureTest {};

struct Kind {
    const char* suffix;
    Format format;
};

const Kind kinds[] = {{".jpg", Format::jpeg},  {".jpg[interlace]", Format::jpeg},
                      {".png", Format::png},   {".png[interlace]", Format::png},
                      {".webp", Format::webp}, {".webp[lossless]", Format::webp},
                      {".gif", Format::gif},   {".avif", Format::avif},
                      {".tif", Format::tiff},  {".tif[tile,pyramid]", Format::tiff},
                      {".jxl", Format::jxl}};

TEST_F(PictureExamine, TellsWhatEachFormatHolds) {
    for (const Kind& kind : kinds) {
        const auto examined = examine_bytes(file_of(sample(), kind.suffix));
        ASSERT_TRUE(examined) << kind.suffix << ' ' << examined.error().detail;
        EXPECT_EQ(examined->format, kind.format) << kind.suffix;
        EXPECT_EQ(examined->width, 90) << kind.suffix;
        EXPECT_EQ(examined->height, 60) << kind.suffix;
        EXPECT_GE(examined->pages, 1) << kind.suffix;
    }
}

TEST_F(PictureExamine, ASingleMissingEndIsFound) {
    for (const Kind& kind : kinds) {
        const File whole = file_of(sample(), kind.suffix);
        for (const double part : {0.1, 0.4, 0.7, 0.95}) {
            const auto kept = static_cast<std::ptrdiff_t>(static_cast<double>(whole.size()) * part);
            const int status = status_of(File(whole.begin(), whole.begin() + kept));
            EXPECT_TRUE(status == 422 || (status == 415 && part == 0.1))
                << kind.suffix << ' ' << part << ": " << status;
        }
    }
}

TEST_F(PictureExamine, SizesAreThoseOfTheUprightPicture) {
    for (int orientation = 1; orientation <= 8; ++orientation) {
        VImage image = sample();
        image.set(VIPS_META_ORIENTATION, orientation);
        for (const char* suffix : {".jpg", ".webp", ".tif"}) {
            const auto examined = examine_bytes(file_of(image, suffix));
            ASSERT_TRUE(examined);
            EXPECT_EQ(examined->width, orientation < 5 ? 90 : 60) << suffix << orientation;
            EXPECT_EQ(examined->height, orientation < 5 ? 60 : 90) << suffix << orientation;
        }
    }
}

TEST_F(PictureExamine, CountsPages) {
    for (const char* suffix : {".gif", ".webp", ".tif"}) {
        const auto examined = examine_bytes(animation(5, suffix));
        ASSERT_TRUE(examined) << suffix;
        EXPECT_EQ(examined->pages, 5) << suffix;
        EXPECT_EQ(examined->height, 20) << suffix;
    }
}

TEST_F(PictureExamine, TheLastPageCountsAsWell) {
    for (const char* suffix : {".gif", ".webp", ".tif[compression=deflate]"}) {
        File bytes = animation(6, suffix);
        if (suffix[1] == 't') {
            // Its directory lies behind it: damage what is compressed, which begins like this.
            const File start{0x78, 0x9C};
            const auto page = std::find_end(bytes.begin(), bytes.end(), start.begin(), start.end());
            ASSERT_GT(bytes.end() - page, 200);
            std::fill(page + 10, page + 100, std::uint8_t{0});
        } else {
            bytes.resize(bytes.size() - 40);
        }
        EXPECT_EQ(status_of(bytes), 422) << suffix;
    }
}

TEST_F(PictureExamine, LimitsAreThoseOfOriginals) {
    settings.max_source_pixels = 90 * 60;
    EXPECT_EQ(status_of(file_of(sample(), ".png"), settings), 0);
    settings.max_source_pixels = 90 * 60 - 1;
    EXPECT_EQ(status_of(file_of(sample(), ".png"), settings), 422);
    // Of an animation, the frames that are read count together; pages of other files alone.
    settings.max_source_pixels = 40 * 20 * 3;
    EXPECT_EQ(status_of(animation(5, ".gif"), settings), 422);
    EXPECT_EQ(status_of(animation(5, ".tif"), settings), 0);
    settings.max_frames = 3;
    EXPECT_EQ(status_of(animation(5, ".gif"), settings), 0);
}

TEST_F(PictureExamine, OnlyWhatIsAllowed) {
    const File png = file_of(sample(), ".png");
    EXPECT_EQ(status_of(png, {}, FormatSet{Format::png}), 0);
    EXPECT_EQ(status_of(png, {}, FormatSet{Format::jpeg, Format::webp}), 415);
    settings.input = FormatSet{Format::jpeg};  // that is for renditions
    EXPECT_EQ(status_of(png, settings), 0);
}

TEST_F(PictureExamine, WhatIsNoPictureIsNone) {
    const std::string script = "<script>alert(1)</script>";
    const std::string svg = "<svg xmlns='http://www.w3.org/2000/svg' width='9' height='9'/>";
    EXPECT_EQ(status_of({}), 415);
    EXPECT_EQ(status_of(File(100, 0)), 415);
    EXPECT_EQ(status_of(File(script.begin(), script.end())), 415);
    EXPECT_EQ(status_of(File(svg.begin(), svg.end())), 415);
    EXPECT_EQ(status_of(File(svg.begin(), svg.end()), {}, with_svg), 0);
    EXPECT_EQ(status_of(File(svg.begin(), svg.end() - 2), {}, with_svg), 422);
    // Only the first bytes are those of a picture.
    for (const Kind& kind : kinds) {
        File bytes = file_of(sample(), kind.suffix);
        std::fill(bytes.begin() + 24, bytes.end(), std::uint8_t{0x5A});
        const int status = status_of(bytes);
        EXPECT_TRUE(status == 422 || status == 415) << kind.suffix << ' ' << status;
    }
}

TEST_F(PictureExamine, StopsWhenItIsTold) {
    const Fd file = file_with(file_of(sample(), ".png"));
    const Cancellation late(Cancellation::Clock::now());
    EXPECT_EQ(examine(file.get(), raster_formats(), settings, late).error().status, 504);
    Cancellation unwanted(Cancellation::Clock::now() + std::chrono::minutes(5));
    unwanted.cancel();
    EXPECT_EQ(examine(file.get(), raster_formats(), settings, unwanted).error().status, 503);
}

TEST_F(PictureExamine, ADescriptorThatIsNoneIsAnError) {
    const Cancellation cancellation(Cancellation::Clock::now() + std::chrono::minutes(5));
    EXPECT_EQ(examine(-1, raster_formats(), settings, cancellation).error().status, 500);
    std::array<int, 2> ends{};
    ASSERT_EQ(pipe(ends.data()), 0);
    const int status = examine(ends[0], raster_formats(), settings, cancellation).error().status;
    EXPECT_TRUE(status == 500 || status == 415) << status;
    close(ends[0]);
    close(ends[1]);
}

TEST_F(PictureExamine, LeavesTheDescriptorWhereItIs) {
    const Fd file = file_with(file_of(sample(), ".png"));
    ASSERT_EQ(lseek(file.get(), 7, SEEK_SET), 7);
    const Cancellation cancellation(Cancellation::Clock::now() + std::chrono::minutes(5));
    EXPECT_TRUE(examine(file.get(), raster_formats(), settings, cancellation));
    EXPECT_EQ(lseek(file.get(), 0, SEEK_CUR), 7);
}

}  // namespace
}  // namespace media
