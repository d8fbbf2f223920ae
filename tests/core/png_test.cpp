// PNGs read and written without libpng, against libpng.
#include "core/picture/png_reader.h"
#include "core/picture/png_writer.h"

#include <hwy/targets.h>
#include <algorithm>
#include <cstdlib>
#include <random>

#include "core/picture/failure.h"
#include "core/picture/png_filter.h"
#include "picture_fixture.h"
#include "png_fixture.h"

namespace media {

namespace {

vips::VImage busy(int width, int height, int bands) {
    return painted(width, height, bands, [](int x, int y) {
        return Color{static_cast<std::uint8_t>(x * 3 + y), static_cast<std::uint8_t>(x * y / 5),
                     static_cast<std::uint8_t>(200 - y * 2 + x % 7), static_cast<std::uint8_t>(255 - x + y)};
    });
}

File noise_of(std::size_t count, unsigned seed) {
    std::mt19937 random(seed);
    File bytes(count);
    std::generate(bytes.begin(), bytes.end(), [&] { return static_cast<std::uint8_t>(random()); });
    return bytes;
}

File bytes_of(const vips::VImage& image) {
    const vips::VImage memory = image.copy_memory();
    const auto* const start = static_cast<const std::uint8_t*>(memory.data());
    return {start, start + VIPS_IMAGE_SIZEOF_IMAGE(memory.get_image())};
}

class PngTest : public PictureTest {
  protected:
    const Cancellation cancellation{Cancellation::Clock::now() + std::chrono::minutes(10)};

    // All samples, or nothing where the reader leaves the file to libvips.
    std::optional<File> read(const File& file) {
        PngReader reader(view(file));
        if (!reader.open()) {
            return std::nullopt;
        }
        const std::size_t line =
            static_cast<std::size_t>(reader.size().width) * static_cast<std::size_t>(reader.bands());
        File samples;
        const auto use = [&](const std::uint8_t* from) {
            samples.insert(samples.end(), from, from + line);
            return true;
        };
        if (!reader.read(use, cancellation)) {
            return std::nullopt;
        }
        EXPECT_EQ(samples.size(), line * static_cast<std::size_t>(reader.size().height));
        return samples;
    }

    static vips::VImage by_libpng(const File& file) {
        return vips::VImage::new_from_buffer(file.data(), file.size(), "");
    }

    void expect_read(const File& file, const std::string& what) {
        const auto samples = read(file);
        ASSERT_TRUE(samples) << what;
        EXPECT_EQ(*samples, bytes_of(by_libpng(file))) << what;
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

    // What is wrong with a file has the same consequence as where only libvips reads it.
    void expect_same_outcome(const File& file, const std::string& what) {
        for (const FailOn level : {FailOn::none, FailOn::truncated, FailOn::error, FailOn::warning}) {
            settings.fail_on = level;
            const auto own = by(std::nullopt, file, "w=20&fm=png");
            const auto libvips = by(Route::libvips, file, "w=20&fm=png");
            EXPECT_EQ(own ? 200 : own.error().status, libvips ? 200 : libvips.error().status)
                << what << " at level " << static_cast<int>(level);
            if (own && libvips) {
                EXPECT_EQ(own->width, libvips->width) << what;
                EXPECT_EQ(own->height, libvips->height) << what;
            }
        }
    }
};

}  // namespace

TEST_F(PngTest, reads_every_kind_of_8_bits) {
    const char* filters[] = {"none", "sub", "up", "avg", "paeth", "all"};
    for (const int bands : {1, 2, 3, 4}) {
        for (const Size size : {Size{1, 1}, {1, 9}, {9, 1}, {2, 2}, {65, 33}, {301, 211}, {40'000, 3}}) {
            for (const char* filter : filters) {
                const File file = file_of(busy(size.width, size.height, bands), ".png",
                                          vips::VImage::option()->set("filter", filter));
                expect_read(file, std::string(filter) + ", bands: " + std::to_string(bands) +
                                      ", width: " + std::to_string(size.width));
            }
        }
    }
}

TEST_F(PngTest, reads_palettes) {
    const File indices = {0, 0, 1, 2, 3, 0, 3, 2, 1, 0};  // two lines, not filtered
    const PngChunk head = png_head(4, 2, 3);
    const PngChunk colours{"PLTE", {1, 2, 3, 50, 60, 70, 200, 100, 0, 255, 255, 255}};
    const PngChunk pixels{"IDAT", stored(indices)};
    expect_read(png_of({head, colours, pixels, {"IEND", {}}}), "opaque");
    expect_read(png_of({head, colours, {"tRNS", {0, 128}}, pixels, {"IEND", {}}}), "with alpha");
    PngReader reader(view(png_of({head, colours, {"tRNS", {0}}, pixels, {"IEND", {}}})));
    const File larger = file_of(textured(300, 200), ".png", vips::VImage::option()->set("palette", true));
    expect_read(larger, "of libimagequant");
    expect_read(file_of(busy(200, 100, 4), ".png", vips::VImage::option()->set("palette", true)),
                "with alpha, of libimagequant");
}

TEST_F(PngTest, reads_data_in_pieces_of_any_size) {
    const auto whole = chunks_of(file_of(busy(90, 70, 3), ".png"));
    for (const std::size_t piece : {std::size_t{1}, std::size_t{2}, std::size_t{7}, std::size_t{1000}}) {
        std::vector<PngChunk> chunks;
        for (const PngChunk& chunk : whole) {
            if (chunk.type != "IDAT") {
                chunks.push_back(chunk);
                continue;
            }
            for (std::size_t at = 0; at < chunk.data.size(); at += piece) {
                if (at % 5 == 0) {
                    chunks.push_back({"IDAT", {}});
                }
                const auto from = chunk.data.begin() + static_cast<std::ptrdiff_t>(at);
                const std::size_t count = std::min(piece, chunk.data.size() - at);
                chunks.push_back({"IDAT", {from, from + static_cast<std::ptrdiff_t>(count)}});
            }
        }
        expect_read(png_of(chunks), std::to_string(piece));
    }
}

TEST_F(PngTest, leaves_to_libvips_what_is_of_another_kind) {
    const vips::VImage image = busy(40, 30, 3);
    const auto option = [] { return vips::VImage::option(); };
    EXPECT_FALSE(read(file_of(image, ".png", option()->set("interlace", true))));
    EXPECT_FALSE(read(file_of(image.colourspace(VIPS_INTERPRETATION_RGB16), ".png")));
    for (const int bits : {1, 2, 4}) {
        EXPECT_FALSE(read(file_of(image, ".png", option()->set("palette", true)->set("bitdepth", bits))));
    }
    auto chunks = chunks_of(file_of(image, ".png"));
    chunks.insert(chunks.begin() + 1, {"tRNS", {0, 1, 0, 2, 0, 3}});
    const File keyed = png_of(chunks);
    EXPECT_FALSE(read(keyed));
    EXPECT_EQ(good(keyed, "w=20").route, Route::libvips);
    EXPECT_EQ(good(file_of(image, ".png"), "w=20").route, Route::direct);
    EXPECT_EQ(good(file_of(image, ".png"), "w=80&enlarge=1").route, Route::libvips);
    EXPECT_EQ(good(file_of(image, ".png"), "w=20&trim=10").route, Route::libvips);
}

TEST_F(PngTest, damage_has_the_same_consequences) {
    const auto chunks = chunks_of(file_of(busy(60, 50, 3), ".png"));
    const File whole = png_of(chunks);
    for (const double share : {0.3, 0.5, 0.9, 0.99}) {
        const auto count = static_cast<std::ptrdiff_t>(static_cast<double>(whole.size()) * share);
        expect_same_outcome({whole.begin(), whole.begin() + count}, "cut at " + std::to_string(share));
    }
    for (const std::size_t missing : {1U, 4U, 11U, 12U, 13U}) {
        expect_same_outcome({whole.begin(), whole.end() - static_cast<std::ptrdiff_t>(missing)},
                            "without the last " + std::to_string(missing));
    }
    const auto changed = [&](std::size_t from_the_end) {
        File file = whole;
        file[file.size() - from_the_end] ^= 0x55U;
        return file;
    };
    expect_same_outcome(changed(1), "checksum of the end");
    expect_same_outcome(changed(13), "checksum of the pixels");
    expect_same_outcome(changed(200), "a byte of the pixels");
    File more = whole;
    append(more, noise_of(500, 1));
    expect_same_outcome(more, "something behind the end");
    ASSERT_TRUE(read(more));
    const auto with = [&](std::size_t index, auto&& change) {
        auto all = chunks;
        change(all[index]);
        return png_of(all);
    };
    const std::size_t pixels = chunks.size() - 2;
    ASSERT_EQ(chunks[pixels].type, "IDAT");
    expect_same_outcome(with(pixels, [](PngChunk& chunk) { chunk.data.back() ^= 1U; }), "Adler checksum");
    expect_same_outcome(with(pixels, [](PngChunk& chunk) { append(chunk.data, {1, 2, 3}); }), "more data");
    expect_same_outcome(with(pixels, [](PngChunk& chunk) { chunk.data[0] = 0x08; }), "header of zlib");
    for (const unsigned window : {7U, 8U, 15U}) {  // its header is sound but for the size of the window
        const File odd = with(pixels, [window](PngChunk& chunk) {
            const unsigned first = window << 4U | 8U;
            chunk.data[0] = static_cast<std::uint8_t>(first);
            chunk.data[1] = static_cast<std::uint8_t>((31 - first * 256 % 31) % 31);
        });
        EXPECT_EQ(read(odd).has_value(), window <= 7) << window;
        expect_same_outcome(odd, "a window of " + std::to_string(window));
    }
    expect_same_outcome(with(pixels, [](PngChunk& chunk) { chunk.data.clear(); }), "no data");
    expect_same_outcome(with(pixels, [](PngChunk& chunk) { chunk.type = "IDOT"; }), "unknown and critical");
    expect_same_outcome(with(0, [](PngChunk& chunk) { chunk.data[7] = 200; }), "too few lines");
    expect_same_outcome(with(0, [](PngChunk& chunk) { chunk.data[7] = 20; }), "too many lines");
    expect_same_outcome(with(0, [](PngChunk& chunk) { chunk.data[3] = 0; }), "no width");
    expect_same_outcome(with(0, [](PngChunk& chunk) { chunk.data[0] = 0xFF; }), "a width below zero");
    expect_same_outcome(with(0, [](PngChunk& chunk) { chunk.data[9] = 7; }), "an unknown kind of pixels");
    expect_same_outcome(with(0, [](PngChunk& chunk) { chunk.data.pop_back(); }), "a short head");
    File length = whole;
    length[33 + 8] = 0xFF;  // of the chunk after the head
    expect_same_outcome(length, "a chunk that is too long");
    for (const auto filter : {std::uint8_t{5}, std::uint8_t{200}}) {
        File lines(31 * 10, 7);
        lines[31 * 4] = filter;
        for (const std::size_t y : {0U, 1U, 2U, 3U, 5U, 6U, 7U, 8U, 9U}) {
            lines[31 * y] = 0;
        }
        expect_same_outcome(png_of({png_head(30, 10, 0), {"IDAT", stored(lines)}, {"IEND", {}}}),
                            "an unknown filter");
    }
    for (const std::size_t missing : {0U, 1U, 4U, 5U}) {
        File stream = stored(File(31 * 10, 0));
        stream[2] = 0;  // not the last block
        stream.resize(stream.size() - missing);
        const File endless = png_of({png_head(30, 10, 0), {"IDAT", stream}, {"IEND", {}}});
        EXPECT_FALSE(read(endless));
        expect_same_outcome(endless, "a stream without an end, " + std::to_string(missing));
    }
    const File indices = {0, 0, 1, 9, 0, 0, 1, 1};
    expect_same_outcome(
        png_of({png_head(3, 2, 3), {"PLTE", {1, 2, 3, 4, 5, 6}}, {"IDAT", stored(indices)}, {"IEND", {}}}),
        "a colour outside of the palette");
    expect_same_outcome(png_of({png_head(3, 2, 3), {"IDAT", stored(indices)}, {"IEND", {}}}), "no palette");
}

// Zeros that inflate to a thousand times as much: no more than what was announced is made of them.
TEST_F(PngTest, is_not_blown_up) {
    auto chunks = chunks_of(file_of(plain(4000, 4000, black, 1), ".png"));
    chunks[0] = png_head(50, 40, 0);
    const File bomb = png_of(chunks);
    EXPECT_FALSE(read(bomb));
    expect_same_outcome(bomb, "bomb");
    chunks[0] = png_head(60'000, 60'000, 0);
    EXPECT_EQ(status(png_of(chunks), "w=20"), 422);
}

TEST_F(PngTest, stops) {
    const File file = file_of(busy(300, 200, 3), ".png");
    const Cancellation over(Cancellation::Clock::now() - std::chrono::seconds(1));
    PngReader reader(view(file));
    ASSERT_TRUE(reader.open());
    EXPECT_THROW(reader.read([](const std::uint8_t*) { return true; }, over), Failure);
    EXPECT_THROW(write_png(Pixels(busy(300, 200, 3)), over), Failure);
    time = std::chrono::milliseconds(-1);
    EXPECT_EQ(status(file, "w=20"), 504);
}

TEST_F(PngTest, reads_no_further_than_it_must) {
    File file = file_of(busy(400, 300, 3), ".png");
    file.resize(file.size() * 3 / 4);
    PngReader reader(view(file));
    ASSERT_TRUE(reader.open());
    int lines = 0;
    EXPECT_TRUE(reader.read([&](const std::uint8_t*) { return ++lines < 50; }, cancellation));
    EXPECT_EQ(lines, 50);
}

// Through everything that is done with pixels afterwards.
TEST_F(PngTest, gives_the_same_renditions_as_libvips) {
    for (const int bands : {1, 2, 3, 4}) {
        const File file = file_of(textured(403, 302, bands), ".png");
        for (const char* query :
             {"w=200", "w=403", "w=402", "w=31", "w=100&h=100&fit=cover&g=se", "crop=13,17,200,151&w=90",
              "w=150&rot=90&flip=h", "w=100&h=40&fit=fill", "w=100&h=100&fit=contain&bg=f00",
              "w=120&h=120&fit=cover&g=attention", "w=100&gray=1&blur=1", "crop=50,60,100,100"}) {
            const auto own = by(Route::direct, file, query);
            const auto libvips = by(Route::libvips, file, query);
            ASSERT_TRUE(own && libvips) << query;
            const vips::VImage one = decoded(*own);
            const vips::VImage other = decoded(*libvips);
            ASSERT_EQ(one.width(), other.width()) << query;
            ASSERT_EQ(one.height(), other.height()) << query;
            ASSERT_EQ(one.bands(), other.bands()) << query;
            EXPECT_GE(psnr(one, other), 34) << bands << ", " << query;
        }
    }
}

TEST_F(PngTest, writes_what_it_was_given) {
    for (const int bands : {1, 2, 3, 4}) {
        for (const Size size : {Size{1, 1}, {1, 300}, {300, 1}, {17, 13}, {640, 480}}) {
            for (const vips::VImage& image :
                 {busy(size.width, size.height, bands), plain(size.width, size.height, red, bands)}) {
                const Bytes png = write_png(Pixels(image), cancellation);
                const vips::VImage back = vips::VImage::new_from_buffer(png.data(), png.size(), "");
                EXPECT_EQ(back.width(), size.width);
                EXPECT_EQ(back.height(), size.height);
                EXPECT_EQ(back.bands(), bands);
                EXPECT_EQ(bytes_of(back), bytes_of(image)) << bands << ", " << size.width;
                expect_read({png.data(), png.data() + png.size()}, "its own");
            }
        }
    }
}

TEST_F(PngTest, writes_no_larger_files_than_libvips) {
    File random = noise_of(std::size_t{400} * 300 * 3, 3);
    const vips::VImage noise =
        vips::VImage::new_from_memory(random.data(), random.size(), 400, 300, 3, VIPS_FORMAT_UCHAR)
            .copy(vips::VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB))
            .copy_memory();
    const vips::VImage letters = painted(400, 300, 3, [](int x, int y) {
        return (x * 7 + y * y / 9) % 23 < 4 && y % 20 < 12 ? black : white;
    });
    for (const vips::VImage& image :
         {textured(400, 300), busy(400, 300, 4), quarters(400, 300), noise, letters, plain(400, 300, red)}) {
        const std::size_t own = write_png(Pixels(image), cancellation).size();
        const std::size_t libvips =
            file_of(image, ".png", vips::VImage::option()->set("compression", 6)).size();
        EXPECT_LE(static_cast<double>(own), 1.05 * static_cast<double>(libvips) + 64);
    }
}

TEST_F(PngTest, leaves_the_largest_to_libvips) {
    EXPECT_TRUE(suits_write_png({2000, 2000}, 4));
    EXPECT_FALSE(suits_write_png({8192, 8192}, 1));
    EXPECT_FALSE(suits_write_png({65'535, 65'535}, 4));
    const Encoded large = good(file_of(plain(2500, 2500, blue, 4), ".png"), "w=2400");
    EXPECT_EQ(decoded(large).width(), 2400);
}

TEST_F(PngTest, filters_are_undone_on_every_target) {
    const auto predicted = [](int filter, int a, int b, int c) {
        const int p = a + b - c;
        const int nearest = std::abs(p - a) <= std::abs(p - b) && std::abs(p - a) <= std::abs(p - c) ? a
                            : std::abs(p - b) <= std::abs(p - c)                                     ? b
                                                                                                     : c;
        const int all[] = {0, a, b, (a + b) / 2, nearest};
        return all[filter];
    };
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        for (std::size_t step = 1; step <= 4; ++step) {
            for (const std::size_t pixels : {1U, 2U, 5U, 16U, 33U, 100U, 171U}) {
                const std::size_t count = step * pixels;
                const File coded = noise_of(count + png_filter_room, 1);
                const File above = noise_of(count + png_filter_room, 2);
                for (int filter = 0; filter < png_filters; ++filter) {
                    File line(count + png_filter_room);
                    undo_png_filter(filter, step, coded.data(), above.data(), count, line.data());
                    for (std::size_t i = 0; i < count; ++i) {
                        const bool inside = i >= step;
                        const int whole = coded[i] + predicted(filter, inside ? line[i - step] : 0, above[i],
                                                               inside ? above[i - step] : 0);
                        ASSERT_EQ(line[i], whole & 0xFF)
                            << hwy::TargetName(target) << ", filter " << filter << ", step " << step;
                    }
                }
                // And the other way round, with lines of which each filter is the best for some.
                PngFilter filters(count, step);
                File before(count + png_filter_room);
                for (unsigned y = 0; y < 12; ++y) {
                    File line = y % 3 == 0 ? noise_of(count, y) : File(count, static_cast<std::uint8_t>(y));
                    File filtered(count + 1 + png_filter_room);
                    filters.apply(line.data(), filtered.data());
                    ASSERT_LT(filtered[0], png_filters);
                    File back(count + png_filter_room);
                    undo_png_filter(filtered[0], step, filtered.data() + 1, before.data(), count,
                                    back.data());
                    ASSERT_TRUE(std::equal(line.begin(), line.end(), back.begin()))
                        << hwy::TargetName(target);
                    before = back;
                }
            }
        }
        const Bytes png = write_png(Pixels(busy(123, 45, 4)), cancellation);
        hwy::SetSupportedTargetsForTest(0);
        const Bytes same = write_png(Pixels(busy(123, 45, 4)), cancellation);
        EXPECT_TRUE(std::equal(png.data(), png.data() + png.size(), same.data(), same.data() + same.size()));
    }
}

TEST_F(PngTest, FuzzDamage) {
    std::mt19937 random(static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed()) + 19);
    const auto any = [&](std::size_t most) {
        return std::uniform_int_distribution<std::size_t>(0, most)(random);
    };
    File indices(std::size_t{61} * 50);
    for (std::size_t i = 0; i < indices.size(); ++i) {
        indices[i] = i % 61 == 0 ? 0 : static_cast<std::uint8_t>(i * 7 % 64);
    }
    const std::vector<File> sound = {
        file_of(busy(60, 50, 3), ".png"),
        file_of(busy(60, 50, 4), ".png", vips::VImage::option()->set("filter", "all")),
        // Not by libimagequant, which makes another file each time.
        png_of({png_head(60, 50, 3), {"PLTE", noise_of(3 * 64, 5)}, {"IDAT", stored(indices)}, {"IEND", {}}}),
        png_of({png_head(30, 10, 0), {"IDAT", stored(File(310, 0))}, {"IEND", {}}})};
    for (int turn = 0; turn < 600; ++turn) {
        File file = sound[any(sound.size() - 1)];
        if (any(2) > 0) {
            // Within what checksums protect.
            auto chunks = chunks_of(file);
            for (std::size_t changes = 1 + any(3); changes > 0; --changes) {
                PngChunk& chunk = chunks[any(chunks.size() - 1)];
                if (any(9) == 0) {
                    chunk.type[any(3)] = static_cast<char>('A' + any(50));
                } else if (!chunk.data.empty()) {
                    chunk
                        .data[any(std::min<std::size_t>(chunk.data.size() - 1, any(1) == 0 ? 20 : 100'000))] =
                        static_cast<std::uint8_t>(any(255));
                }
            }
            file = png_of(chunks);
        } else {
            for (std::size_t changes = any(4); changes > 0; --changes) {
                file[any(file.size() - 1)] = static_cast<std::uint8_t>(any(255));
            }
            if (any(1) == 0) {
                file.resize(any(file.size() - 1));
            }
        }
        expect_same_outcome(file, "turn " + std::to_string(turn));
    }
}

}  // namespace media
