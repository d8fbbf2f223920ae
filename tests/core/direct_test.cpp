// The direct route against the one through libvips, which must not be told apart by what comes out.
#include <hwy/targets.h>
#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <random>

#include "core/picture/failure.h"
#include "core/picture/jpeg_sequential.h"
#include "core/picture/plane_writers.h"
#include "picture_fixture.h"

namespace media {

namespace {

class DirectTest : public PictureTest {
  protected:
    Result<Encoded> by(Route route, const File& file, const std::string& query) {
        ParseContext context;
        context.settings = &settings;
        const Result<Rendition> rendition = parse_query(query, context);
        if (!rendition) {
            return rendition.error();
        }
        const Cancellation cancellation(Cancellation::Clock::now() + time);
        return render({view(file), *rendition, settings, watermarks, cancellation, route});
    }

    // The SSIM of both, at least `least`; 1 where there is nothing to compare.
    double agreement(const File& file, const std::string& query, double least = 0.99) {
        const Result<Encoded> direct = by(Route::direct, file, query);
        const Result<Encoded> libvips = by(Route::libvips, file, query);
        if (!direct || !libvips) {
            // What both refuse is refused for the same reason.
            EXPECT_EQ(static_cast<bool>(direct), static_cast<bool>(libvips))
                << query << ": " << (direct ? libvips.error().detail : direct.error().detail);
            if (!direct && !libvips) {
                EXPECT_EQ(direct.error().status, libvips.error().status) << query;
            }
            return 1;
        }
        EXPECT_EQ(direct->route, Route::direct) << query;
        EXPECT_EQ(libvips->route, Route::libvips) << query;
        const vips::VImage one = decoded(*direct);
        const vips::VImage other = decoded(*libvips);
        const bool alike = direct->width == libvips->width && direct->height == libvips->height &&
                           one.width() == other.width() && one.height() == other.height() &&
                           one.bands() == other.bands();
        EXPECT_TRUE(alike) << query;
        // Of a few lines, what rounding does shows.
        if (!alike || one.width() < 8 || one.height() < 8) {
            return 1;
        }
        if (!one.has_alpha()) {
            return alike_in_content(one, other, query, least);
        }
        // What cannot be seen may be anything.
        const int last = one.bands() - 1;
        EXPECT_LT((one.extract_band(last) - other.extract_band(last)).abs().max(), 8) << query;
        return alike_in_content(flat(one), flat(other), query, least);
    }

    static vips::VImage flat(const vips::VImage& image) {
        return image.flatten(vips::VImage::option()->set("background", std::vector<double>{40, 160, 90}));
    }

    static double alike_in_content(const vips::VImage& one, const vips::VImage& other,
                                   const std::string& query, double least) {
        const double same = ssim(one, other);
        EXPECT_GE(same, least) << query;
        EXPECT_LT((one - other).abs().avg(), 2.5) << query;
        return same;
    }

    void expect_agreement(const File& file, const std::string& query, double least = 0.99) {
        agreement(file, query, least);
    }

    File jpeg(const vips::VImage& image, int quality = 92, bool fine = false, bool progressive = false) {
        return file_of(
            image, ".jpg",
            vips::VImage::option()
                ->set("Q", quality)
                ->set("interlace", progressive)
                ->set("subsample_mode", fine ? VIPS_FOREIGN_SUBSAMPLE_OFF : VIPS_FOREIGN_SUBSAMPLE_ON));
    }
};

}  // namespace

TEST_F(DirectTest, agrees_at_every_scale) {
    const File file = jpeg(scene(1203, 801));
    for (const int width : {1203, 1202, 1100, 802, 801, 640, 602, 601, 401, 400, 301,
                            300,  200,  151,  150, 100, 75,  40,  16,  3,   1}) {
        expect_agreement(file, "fm=png&w=" + std::to_string(width), width < 100 ? 0.98 : 0.99);
    }
}

TEST_F(DirectTest, agrees_for_every_way_a_jpeg_is_coded) {
    const vips::VImage image = scene(643, 421);
    for (const bool fine : {false, true}) {
        for (const bool progressive : {false, true}) {
            const File file = jpeg(image, 90, fine, progressive);
            for (const char* query : {"w=643&fm=png", "w=500&fm=png", "w=200&fm=png", "w=61&fm=png"}) {
                expect_agreement(file, query);
            }
        }
    }
    const File gray = jpeg(image.colourspace(VIPS_INTERPRETATION_B_W));
    expect_agreement(gray, "w=300&fm=jpeg&q=95");
    expect_agreement(gray, "w=300&fm=webp&q=95", 0.98);
    expect_agreement(gray, "w=300&fm=png");
    EXPECT_EQ(decoded(*by(Route::direct, gray, "w=50")).bands(), 1);
}

TEST_F(DirectTest, progressive_is_no_other_picture) {
    const vips::VImage image = scene(1640, 1227);
    for (const bool fine : {false, true}) {
        const File baseline = jpeg(image, 90, fine, false);
        const File progressive = jpeg(image, 90, fine, true);
        for (const int width : {130, 100, 40, 400, 1600}) {
            const std::string query = "fm=png&w=" + std::to_string(width);
            EXPECT_GT(ssim(picture(baseline, query), picture(progressive, query)), 0.995) << query;
        }
        // One that ends early is refused all the same.
        const File cut(progressive.begin(),
                       progressive.begin() + static_cast<std::ptrdiff_t>(progressive.size() * 9 / 10));
        EXPECT_EQ(status(cut, "w=100"), 422);
    }
}

// Long runs of nothing are nothing in a progressive JPEG, and something in one scan.
TEST_F(DirectTest, no_copy_is_much_larger_than_its_original) {
    const Cancellation cancellation(Cancellation::Clock::now() + time);
    const File flat =
        jpeg(painted(6000, 3000, 3, [](int, int) { return Color{90, 90, 90, 255}; }), 90, true, true);
    const Result<Bytes> none = as_sequential(view(flat), cancellation);
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().status, 500);
    const File lively = jpeg(scene(1400, 1000), 90, true, true);
    const Result<Bytes> copy = as_sequential(view(lively), cancellation);
    ASSERT_TRUE(copy);
    EXPECT_LT(copy->size(), lively.size() * 3 / 2);
}

TEST_F(DirectTest, agrees_in_every_turn) {
    for (int orientation = 1; orientation <= 8; ++orientation) {
        const File file = oriented_jpeg(scene(403, 302), orientation);
        for (const char* more : {"", "&rot=90", "&flip=h", "&rot=270&flip=v", "&rot=180"}) {
            // Odd sides: the samples of colour at an edge stand for one pixel there.
            expect_agreement(file, std::string("w=151&fm=png") + more);
            expect_agreement(file, std::string("w=151&h=97&fit=cover&fm=jpeg&q=85") + more, 0.98);
            expect_agreement(file, std::string("w=151&fm=webp&q=95") + more, 0.98);
        }
    }
}

TEST_F(DirectTest, agrees_about_boxes) {
    const File file = jpeg(scene(1001, 703));
    for (const char* query :
         {"crop=0,0,500,300&w=200", "crop=333,111,501,401&w=250", "crop=13,17,801,601&w=800",
          "crop=900,600,101,103&w=90", "w=300&h=300&fit=cover", "w=300&h=300&fit=cover&g=nw",
          "w=100&h=400&fit=cover&g=fp&fx=0.3&fy=0.4", "w=333&h=77&fit=fill",
          "w=200&h=200&fit=contain&bg=336699", "w=300&h=200&fit=outside",
          "w=200&h=300&fit=cover&g=entropy"}) {
        expect_agreement(file, std::string(query) + "&fm=png");
    }
}

TEST_F(DirectTest, agrees_about_what_follows) {
    const File file = jpeg(scene(800, 600));
    for (const char* query : {"blur=2", "sharpen=1", "gray=1", "bri=1.2&sat=1.3&hue=20&con=1.1", "round=30",
                              "round=max&bg=fff", "bg=f00"}) {
        expect_agreement(file, std::string(query) + "&w=200&fm=png");
    }
    for (const char* query :
         {"fm=jpeg&q=95", "fm=jpeg&q=40", "fm=webp&q=90", "fm=webp&lossless=1", "fm=avif&q=90"}) {
        // Coded apart, they differ by what coding loses.
        expect_agreement(file, std::string(query) + "&w=300", 0.96);
    }
}

TEST_F(DirectTest, agrees_about_gray) {
    const File file = jpeg(scene(803, 602));
    for (const char* query : {"fm=jpeg&q=95", "fm=jpeg&q=80", "fm=webp&q=95", "fm=avif&q=95",
                              "fm=jpeg&q=95&rot=90&crop=10%25,10%25,51%25,70%25",
                              "fm=jpeg&q=95&h=301&fit=contain&bg=888",
                              "fm=jpeg&q=85&h=301&fit=contain&bg=00f",
                              "fm=webp&q=95&h=301&fit=contain&bg=00f8"}) {
        expect_agreement(file, std::string("gray=1&w=300&") + query, 0.98);
    }
    // One plane where the format can do with one.
    EXPECT_EQ(decoded(*by(Route::direct, file, "gray=1&w=300")).bands(), 1);
    // As light as libvips finds each colour.
    for (const Color colour : {Color{255, 0, 0}, Color{0, 255, 0}, Color{0, 0, 255}, Color{255, 255, 255},
                               Color{0, 0, 0}, Color{128, 128, 128}, Color{7, 5, 30}}) {
        const File plain = jpeg(painted(64, 64, 3, [&](int, int) { return colour; }), 100, true);
        const auto light = [&](Route route) {
            return decoded(*by(route, plain, "gray=1&w=32&q=100"))(8, 8).front();
        };
        EXPECT_NEAR(light(Route::direct), light(Route::libvips), 2)
            << int{colour.r} << ' ' << int{colour.g} << ' ' << int{colour.b};
    }
}

// On both sides of the picture, and above and below it, in all formats that planes are written as; at odd
// places, where a sample of colour stands for the picture and for what is beside it.
TEST_F(DirectTest, agrees_about_canvases) {
    const File colour = oriented_jpeg(scene(803, 602), 6);
    const File upright = jpeg(scene(803, 602));
    const File gray = jpeg(scene(803, 602).colourspace(VIPS_INTERPRETATION_B_W));
    for (const File* file : {&colour, &upright, &gray}) {
        for (const int width : {150, 151, 152, 153, 400, 401}) {
            for (const char* more : {"fm=jpeg&q=85&bg=f00", "fm=jpeg&q=95&bg=fff", "fm=jpeg&q=85",
                                     "fm=webp&q=95", "fm=webp&q=95&bg=0a05", "fm=webp&q=95&bg=00f",
                                     "fm=avif&q=95", "fm=avif&q=85&bg=0a05", "fm=avif&q=85&bg=00f"}) {
                const std::string sizes = "fit=contain&h=151&w=" + std::to_string(width);
                expect_agreement(*file, sizes + "&" + more, 0.98);
            }
        }
    }
    // The edge is where it is to be, in colour as well.
    const File tomato = jpeg(painted(100, 50, 3, [](int, int) { return Color{255, 0, 0}; }), 100);
    for (const int height : {50, 51, 52, 53, 54, 55}) {
        const std::string query = "q=100&w=50&fit=contain&bg=00f&fm=webp&h=" + std::to_string(height);
        const int top = (height - 25) / 2;
        const vips::VImage seen = decoded(*by(Route::direct, tomato, query));
        EXPECT_LT(seen(25, top - 2)[0], 30) << height;
        EXPECT_GT(seen(25, top + 1)[0], 225) << height;
        EXPECT_GT(seen(25, top + 23)[0], 225) << height;
        EXPECT_LT(seen(25, top + 26)[0], 30) << height;
    }
}

// Wherever the picture begins on a canvas and however it was turned, its colours lie where its light does.
TEST_F(DirectTest, colours_stay_in_place_on_a_canvas) {
    const vips::VImage patches = painted(202, 102, 3, [](int x, int y) {
        return (x / 16 + y / 16) % 2 == 0 ? Color{200, 90, 120} : Color{60, 160, 120};
    });
    for (int orientation = 1; orientation <= 8; ++orientation) {
        const File file = oriented_jpeg(patches, orientation);
        for (const char* size : {"w=51&h=60", "w=51&h=61", "w=51&h=62", "w=51&h=63", "w=120&h=51",
                                 "w=121&h=51", "w=122&h=51", "w=123&h=51", "w=120&h=50", "w=60&h=130"}) {
            const std::string query = std::string("fit=contain&bg=888&fm=webp&q=100&") + size;
            const vips::VImage one = decoded(*by(Route::direct, file, query));
            const vips::VImage other = decoded(*by(Route::libvips, file, query));
            EXPECT_LT((one - other).abs().avg(), 6) << orientation << ' ' << query;
        }
    }
}

TEST_F(DirectTest, agrees_about_watermarks) {
    const auto png = file_of(painted(120, 60, 4,
                                     [](int x, int y) {
                                         return Color{255, static_cast<std::uint8_t>(2 * x), 0,
                                                      static_cast<std::uint8_t>((x + y) % 256)};
                                     }),
                             ".png");
    const File file = jpeg(scene(800, 600));
    const File gray = jpeg(scene(800, 600).colourspace(VIPS_INTERPRETATION_B_W));
    for (const bool tile : {false, true}) {
        WatermarkSpec spec;
        spec.name = "mark";
        spec.file = std::make_shared<const Bytes>(Bytes::copy_of(view(png)));
        spec.placement.tile = tile;
        auto prepared = prepare_watermark(spec);
        ASSERT_TRUE(prepared);
        watermarks = {*prepared};
        for (const File* each : {&file, &gray}) {
            expect_agreement(*each, "w=301&fm=jpeg&q=95");
            expect_agreement(*each, "w=301&fm=jpeg&q=85", 0.98);
            expect_agreement(*each, "w=301&fm=webp&q=95", 0.98);
            expect_agreement(*each, "w=301&fm=png");
            expect_agreement(*each, "gray=1&w=301&fm=jpeg&q=95");
            // Partly, or all over, beside the picture.
            expect_agreement(*each, "w=301&h=301&fit=contain&bg=0a0&fm=jpeg&q=85", 0.98);
            expect_agreement(*each, "w=301&h=301&fit=contain&fm=webp&q=95", 0.98);
            expect_agreement(*each, "w=301&h=301&fit=contain&bg=f808&fm=avif&q=95", 0.98);
            expect_agreement(*each, "w=401&h=301&fit=contain&fm=avif&q=85", 0.98);
        }
    }
}

TEST_F(DirectTest, leaves_to_libvips_what_it_cannot) {
    const vips::VImage image = scene(300, 200);
    const File cmyk =
        file_of(image.icc_export(vips::VImage::option()->set("output_profile", "cmyk")), ".jpg");
    const File file = jpeg(image);
    EXPECT_EQ(by(Route::direct, cmyk, "w=100").error().status, 500);
    EXPECT_EQ(good(cmyk, "w=100").route, Route::libvips);
    EXPECT_EQ(good(file, "w=100").route, Route::direct);
    EXPECT_EQ(good(file, "w=600&enlarge=1").route, Route::libvips);
    EXPECT_EQ(good(file, "w=100&trim=10").route, Route::libvips);
    EXPECT_EQ(good(file_of(image, ".png"), "w=100&fm=jpeg").route, Route::direct);
}

TEST_F(DirectTest, damage_is_refused_as_by_libvips) {
    const File whole = jpeg(scene(640, 480));
    for (const double share : {0.02, 0.2, 0.5, 0.9, 0.999}) {
        const File cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(
                                                          static_cast<double>(whole.size()) * share));
        for (const FailOn level : {FailOn::none, FailOn::truncated, FailOn::error, FailOn::warning}) {
            settings.fail_on = level;
            const auto direct = by(Route::direct, cut, "w=200");
            const auto libvips = by(Route::libvips, cut, "w=200");
            const bool works = static_cast<bool>(libvips);
            if (direct.operator bool() != works) {
                ADD_FAILURE() << share << " at level " << static_cast<int>(level);
            }
        }
    }
}

// Whatever was written by then is freed once.
TEST_F(DirectTest, writing_stops_in_its_middle) {
    Planes planes;
    planes.count = 3;
    std::minstd_rand chance(3);
    for (Plane& plane : planes.plane) {
        plane = Plane({1500, 1500});
        for (int y = 0; y < plane.height(); ++y) {
            std::generate_n(plane.row(y), plane.width(), [&] { return static_cast<std::uint8_t>(chance()); });
        }
    }
    bool stopped = false;
    bool ended = false;
    for (int milliseconds = 1; milliseconds < 60'000 && !ended; milliseconds *= 2) {
        const Cancellation cancellation(Cancellation::Clock::now() + std::chrono::milliseconds(milliseconds));
        try {
            ended = !write_jpeg(planes, 95, cancellation).empty();
        } catch (const Failure&) {
            stopped = true;
        }
    }
    EXPECT_TRUE(stopped && ended);
}

// Any target that this processor has gives the same bytes.
TEST_F(DirectTest, vectors_of_all_widths_agree) {
    const File file = jpeg(scene(701, 523));
    const Encoded first = good(file, "w=301&h=77&fit=cover&fm=png");
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        const Encoded same = good(file, "w=301&h=77&fit=cover&fm=png");
        EXPECT_EQ(File(same.body.data(), same.body.data() + same.body.size()),
                  File(first.body.data(), first.body.data() + first.body.size()))
            << hwy::TargetName(target);
    }
    hwy::SetSupportedTargetsForTest(0);
}

TEST_F(DirectTest, FuzzAgreement) {
    std::mt19937 random(static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed()) + 7);
    const auto any = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
    for (int turn = 0; turn < 150; ++turn) {
        const int width = any(8, 900);
        const int height = any(8, 700);
        File file = jpeg(scene(width, height), any(75, 98), any(0, 1) == 1, any(0, 3) == 0);
        if (any(0, 2) == 0) {
            file = oriented_jpeg(scene(width, height), any(1, 8));
        }
        std::string query =
            std::string(any(0, 1) == 0 ? "fm=png" : "fm=jpeg&q=98") + "&w=" + std::to_string(any(1, width));
        if (any(0, 1) == 1) {
            const char* fits[] = {"inside", "outside", "cover", "contain", "fill"};
            query += "&h=" + std::to_string(any(1, height)) + "&fit=" + fits[any(0, 4)];
        }
        query += any(0, 4) == 0 ? "&gray=1" : "";
        query += any(0, 4) == 0 ? "&bg=c48" : "";
        if (any(0, 2) == 0) {
            query += "&crop=" + std::to_string(any(0, 40)) + "%25," + std::to_string(any(0, 40)) + "%25," +
                     std::to_string(any(10, 60)) + "%25," + std::to_string(any(10, 60)) + "%25";
        }
        if (any(0, 3) == 0) {
            query += "&rot=" + std::to_string(90 * any(1, 3));
        }
        SCOPED_TRACE(std::to_string(width) + " x " + std::to_string(height));
        expect_agreement(file, query, 0.97);
    }
}

// Real ones, as far as Debian has them, asked for as people do.
TEST_F(DirectTest, FuzzPhotographs) {
    std::mt19937 random(static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed()) + 13);
    const auto any = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
    int photographs = 0;
    double sum = 0;
    int requests = 0;
    for (const auto& entry : std::filesystem::recursive_directory_iterator("/usr/share/backgrounds/mate")) {
        if (entry.path().extension() != ".jpg") {
            continue;
        }
        ++photographs;
        const vips::VImage small = vips::VImage::thumbnail(entry.path().c_str(), any(700, 1600));
        const File file = jpeg(small, any(75, 95), any(0, 2) == 0, any(0, 3) == 0);
        for (int turn = 0; turn < 6; ++turn) {
            std::string query = "fm=png&w=" + std::to_string(any(40, small.width()));
            if (any(0, 1) == 1) {
                const char* fits[] = {"inside", "outside", "cover", "contain", "fill"};
                query += "&h=" + std::to_string(any(40, small.height())) + "&fit=" + fits[any(0, 4)];
            }
            if (any(0, 3) == 0) {
                query += "&crop=" + std::to_string(any(0, 40)) + "%25," + std::to_string(any(0, 40)) +
                         "%25," + std::to_string(any(20, 60)) + "%25," + std::to_string(any(20, 60)) + "%25";
            }
            if (any(0, 5) == 0) {
                query += "&rot=" + std::to_string(90 * any(1, 3));
            }
            SCOPED_TRACE(entry.path().filename());
            sum += agreement(file, query);
            ++requests;
        }
    }
    EXPECT_GT(photographs, 10);
    EXPECT_GT(sum / requests, 0.995);
    std::cout << requests << " requests, SSIM " << sum / requests << '\n';
}

TEST_F(DirectTest, FuzzDamage) {
    std::mt19937 random(static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed()) + 11);
    const auto any = [&](std::size_t most) {
        return std::uniform_int_distribution<std::size_t>(0, most)(random);
    };
    const std::vector<File> sound = {jpeg(scene(200, 150)), jpeg(scene(200, 150), 60, true),
                                     jpeg(scene(200, 150), 70, false, true)};
    for (int turn = 0; turn < 400; ++turn) {
        File file = sound[any(sound.size() - 1)];
        for (std::size_t changes = any(6); changes > 0; --changes) {
            file[any(any(1) == 0 ? file.size() - 1 : 700)] = static_cast<std::uint8_t>(any(255));
        }
        if (any(3) == 0) {
            file.resize(any(file.size() - 1));
        }
        settings.fail_on = static_cast<FailOn>(any(3));
        const auto made = by(Route::direct, file, any(1) == 0 ? "w=40&fm=png" : "w=150&h=20&fit=cover");
        if (!made) {
            EXPECT_NE(made.error().status, 0);
        }
    }
}

}  // namespace media
