// Renditions of one decode, which must not be told apart from those that had one each.
#include "core/picture/together.h"

#include <hwy/targets.h>
#include <atomic>
#include <deque>
#include <random>
#include <thread>

#include "core/picture/decoded_planes.h"
#include "picture_fixture.h"

namespace media {

namespace {

class TogetherTest : public PictureTest {
  protected:
    using Decoded = std::vector<std::shared_ptr<const DecodedPlanes>>;

    // Tasks of one original, and what they refer to.
    struct Group {
        std::deque<Rendition> renditions;
        std::deque<Cancellation> cancellations;
        std::vector<RenderTask> tasks;
    };

    void add(Group& group, const File& file, const std::string& query, const RenderSettings& how) {
        ParseContext context;
        context.settings = &how;
        Result<Rendition> rendition = parse_query(query, context);
        ASSERT_TRUE(rendition) << query;
        group.renditions.push_back(std::move(*rendition));
        group.cancellations.emplace_back(Cancellation::Clock::now() + time);
        group.tasks.push_back(
            {view(file), group.renditions.back(), how, watermarks, group.cancellations.back()});
    }

    Group group_of(const File& file, const std::vector<std::string>& queries) {
        Group group;
        for (const std::string& query : queries) {
            add(group, file, query, settings);
        }
        return group;
    }

    static Result<Encoded> finish(RenderTask task, const DecodedPlanes* decoded) {
        task.decoded = decoded;
        if (decoded != nullptr) {
            task.original = header_of(task.original);  // all that it needs
        }
        return render(task);
    }

    // Task `i` of a group, made of the common decode, beside the same made alone.
    static void expect_same(const Group& group, const Decoded& decoded, std::size_t i,
                            const std::string& what, double least = 0.99) {
        ASSERT_NE(decoded[i], nullptr) << what;
        const Result<Encoded> shared = finish(group.tasks[i], decoded[i].get());
        const Result<Encoded> alone = render(group.tasks[i]);
        ASSERT_TRUE(shared) << what << ": " << shared.error().detail;
        ASSERT_TRUE(alone) << what << ": " << alone.error().detail;
        EXPECT_EQ(shared->route, Route::direct) << what;
        EXPECT_EQ(shared->shared, decoded[i]->renditions) << what;
        EXPECT_EQ(alone->shared, 1) << what;
        ASSERT_EQ(shared->width, alone->width) << what;
        ASSERT_EQ(shared->height, alone->height) << what;
        const vips::VImage one = PictureTest::decoded(*shared);
        const vips::VImage other = PictureTest::decoded(*alone);
        ASSERT_EQ(one.width(), other.width()) << what;
        ASSERT_EQ(one.height(), other.height()) << what;
        ASSERT_EQ(one.bands(), other.bands()) << what;
        if (one.width() >= 8 && one.height() >= 8) {
            // Coded apart, they differ by what coding loses as well.
            const bool coded = shared->format != Format::png;
            EXPECT_GE(ssim(one, other), coded ? least - 0.03 : least) << what;
            EXPECT_LT((one - other).abs().avg(), 2.5) << what;
        }
    }

    void expect_all_same(const File& file, const std::vector<std::string>& queries, double least = 0.99) {
        const Group group = group_of(file, queries);
        const Decoded decoded = decode_together(group.tasks);
        ASSERT_EQ(decoded.size(), queries.size());
        for (std::size_t i = 0; i < queries.size(); ++i) {
            expect_same(group, decoded, i, queries[i], least);
            EXPECT_EQ(decoded[i] ? decoded[i]->renditions : 0, static_cast<int>(queries.size()));
        }
    }

    static File jpeg(const vips::VImage& image, bool fine = false, bool progressive = false) {
        return file_of(
            image, ".jpg",
            vips::VImage::option()
                ->set("Q", 92)
                ->set("interlace", progressive)
                ->set("subsample_mode", fine ? VIPS_FOREIGN_SUBSAMPLE_OFF : VIPS_FOREIGN_SUBSAMPLE_ON));
    }

    static std::vector<std::string> srcset() {
        std::vector<std::string> queries;
        for (const char* width : {"1203", "1000", "640", "601", "480", "320", "160", "75", "16"}) {
            for (const char* format : {"jpeg&q=95", "webp&q=95", "png"}) {
                queries.push_back(std::string("w=") + width + "&fm=" + format);
            }
        }
        return queries;
    }
};

}  // namespace

TEST_F(TogetherTest, is_the_same_at_every_size) {
    // Of the smallest, a JPEG that the codec has reduced is an average that was rounded once.
    expect_all_same(jpeg(scene(1203, 801)), srcset(), 0.985);
}

TEST_F(TogetherTest, is_the_same_for_every_way_a_jpeg_is_coded) {
    const vips::VImage image = scene(643, 421);
    const std::vector<std::string> queries{"w=600&fm=png", "w=600&fm=jpeg", "w=300&fm=jpeg&q=95",
                                           "w=150&fm=png", "w=70&fm=webp&q=95"};
    for (const bool fine : {false, true}) {
        for (const bool progressive : {false, true}) {
            expect_all_same(jpeg(image, fine, progressive), queries, 0.985);
        }
    }
    expect_all_same(jpeg(image.colourspace(VIPS_INTERPRETATION_B_W)), queries, 0.985);
}

TEST_F(TogetherTest, is_the_same_in_every_turn) {
    for (int orientation = 1; orientation <= 8; ++orientation) {
        SCOPED_TRACE(orientation);
        expect_all_same(oriented_jpeg(scene(403, 302), orientation),
                        {"w=290&fm=png", "w=151&fm=png", "w=151&h=97&fit=cover&fm=jpeg&q=85",
                         "w=75&rot=90&fm=webp&q=95", "w=61&flip=h&rot=270&fm=jpeg&q=95"},
                        0.98);
    }
}

TEST_F(TogetherTest, is_the_same_for_every_box) {
    expect_all_same(jpeg(scene(1001, 703)),
                    {"crop=0,0,500,300&w=200&fm=png", "crop=333,111,501,401&w=101&fm=png",
                     "crop=13,17,801,601&w=800&fm=jpeg&q=95", "crop=900,600,101,103&w=33&fm=png",
                     "w=300&h=300&fit=cover&g=nw&fm=png", "w=100&h=400&fit=cover&g=fp&fx=0.3&fy=0.4&fm=png",
                     "w=333&h=77&fit=fill&fm=png", "w=200&h=200&fit=contain&bg=336699&fm=png",
                     "w=200&h=300&fit=cover&g=entropy&fm=png", "w=300&h=200&fit=outside&fm=webp&q=95"});
}

TEST_F(TogetherTest, is_the_same_with_what_follows) {
    const auto png = file_of(plain(40, 20, {255, 0, 0, 128}, 4), ".png");
    WatermarkSpec spec;
    spec.name = "mark";
    spec.file = std::make_shared<const Bytes>(Bytes::copy_of(view(png)));
    auto prepared = prepare_watermark(spec);
    ASSERT_TRUE(prepared);
    watermarks = {*prepared};
    // The same planes twice: what is laid on one of them is not on the other one.
    expect_all_same(jpeg(scene(800, 600)),
                    {"w=300&fm=jpeg&q=85", "w=300&fm=webp", "w=200&blur=2&fm=png", "w=200&gray=1&fm=png",
                     "w=200&round=max&fm=png", "w=100&fm=avif"},
                    0.98);
}

TEST_F(TogetherTest, equal_planes_are_made_once) {
    const File file = jpeg(scene(800, 600));
    const Group group = group_of(file, {"w=300&fm=jpeg", "w=300&fm=webp", "w=300&fm=jpeg&q=50",
                                        "w=300&fm=jpeg&q=95", "w=300&fm=png", "w=301&fm=jpeg"});
    const Decoded decoded = decode_together(group.tasks);
    EXPECT_EQ(decoded[0], decoded[1]);
    EXPECT_EQ(decoded[0], decoded[2]);
    EXPECT_NE(decoded[0], decoded[3]);  // colour in full size
    EXPECT_EQ(decoded[3], decoded[4]);
    EXPECT_NE(decoded[0], decoded[5]);
    EXPECT_EQ(decoded[0]->renditions, 6);
}

TEST_F(TogetherTest, who_cannot_take_part_hurts_nobody) {
    const File file = jpeg(scene(800, 600));
    Group group = group_of(file, {"w=300", "w=300&page=4", "w=9000&h=9000&fit=contain", "w=300&trim=10",
                                  "w=900&enlarge=1", "crop=900,900,10,10&w=5", "w=100", "w=200&lossless=1"});
    RenderSettings other = settings;
    other.fail_on = FailOn::error;
    add(group, file, "w=50", other);
    RenderSettings none = settings;
    none.input = {Format::png};
    add(group, file, "w=50", none);
    const Decoded decoded = decode_together(group.tasks);
    for (std::size_t i = 0; i < group.tasks.size(); ++i) {
        if (i == 0 || i == 6) {
            expect_same(group, decoded, i, std::to_string(i));
            EXPECT_EQ(decoded[i]->renditions, 2);
        } else {
            EXPECT_EQ(decoded[i], nullptr) << i;
        }
    }
    EXPECT_EQ(finish(group.tasks[1], nullptr).error().status, 400);
    EXPECT_EQ(finish(group.tasks[9], nullptr).error().status, 415);
    EXPECT_TRUE(finish(group.tasks[3], nullptr));
}

TEST_F(TogetherTest, what_is_no_such_jpeg_is_not_decoded) {
    const vips::VImage image = scene(300, 200);
    const File cmyk =
        file_of(image.icc_export(vips::VImage::option()->set("output_profile", "cmyk")), ".jpg");
    for (const File& file : {file_of(image, ".png"), cmyk, File{1, 2, 3}, File{}}) {
        for (const auto& each : decode_together(group_of(file, {"w=100", "w=50"}).tasks)) {
            EXPECT_EQ(each, nullptr);
        }
    }
    const File file = jpeg(image);
    EXPECT_EQ(decode_together(group_of(file, {"w=100"}).tasks)[0], nullptr);
    EXPECT_EQ(decode_together(group_of(file, {"w=100", "w=400&enlarge=1"}).tasks)[0], nullptr);
    EXPECT_TRUE(decode_together({}).empty());
}

TEST_F(TogetherTest, it_goes_on_while_anybody_wants_it) {
    const File file = jpeg(scene(800, 600));
    const std::vector<std::string> queries{"w=300", "w=200", "w=100"};
    Group one = group_of(file, queries);
    one.cancellations[1].cancel();
    Decoded decoded = decode_together(one.tasks);
    EXPECT_EQ(decoded[1], nullptr);
    EXPECT_EQ(finish(one.tasks[1], nullptr).error().status, 503);
    for (const std::size_t i : {std::size_t{0}, std::size_t{2}}) {
        expect_same(one, decoded, i, queries[i]);
        EXPECT_EQ(decoded[i]->renditions, 2);
    }
    const auto patient = time;
    for (const bool late : {true, false}) {
        Group group;
        time = std::chrono::milliseconds{late ? -1 : 60'000};
        add(group, file, "w=100", settings);
        time = patient;
        add(group, file, "w=200", settings);
        add(group, file, "w=300", settings);
        decoded = decode_together(group.tasks);
        EXPECT_EQ(decoded[0] == nullptr, late);
        EXPECT_NE(decoded[1], nullptr);
        EXPECT_NE(decoded[2], nullptr);
    }
    Group all = group_of(file, queries);
    for (Cancellation& cancellation : all.cancellations) {
        cancellation.cancel();
    }
    for (const auto& each : decode_together(all.tasks)) {
        EXPECT_EQ(each, nullptr);
    }
}

// Whenever it happens, the others get what they would have got.
TEST_F(TogetherTest, one_may_leave_at_any_time) {
    for (const bool progressive : {false, true}) {
        const File file = jpeg(scene(1600, 1200), false, progressive);
        for (int delay = 0; delay < 12; ++delay) {
            Group group = group_of(file, {"w=1500", "w=200&fm=png", "w=400&fm=webp&q=95"});
            std::thread leaving([&] {
                std::this_thread::sleep_for(std::chrono::milliseconds(delay));
                group.cancellations[0].cancel();
            });
            const Decoded decoded = decode_together(group.tasks);
            leaving.join();
            expect_same(group, decoded, 1, std::to_string(delay));
            expect_same(group, decoded, 2, std::to_string(delay));
        }
    }
}

TEST_F(TogetherTest, damage_concerns_those_who_would_meet_it_alone) {
    const File whole = jpeg(scene(640, 480));
    const File cut(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(whole.size() / 2));
    const std::vector<std::string> queries{"w=200", "crop=0,0,640,40&w=200", "w=100", "crop=0,0,300,30&w=99"};
    const Group group = group_of(cut, queries);
    const Decoded decoded = decode_together(group.tasks);
    for (std::size_t i = 0; i < queries.size(); ++i) {
        const auto alone = render(group.tasks[i]);
        const auto shared = finish(group.tasks[i], decoded[i].get());
        ASSERT_EQ(static_cast<bool>(alone), static_cast<bool>(shared)) << queries[i];
        EXPECT_EQ(static_cast<bool>(alone), i % 2 == 1) << queries[i];
        EXPECT_EQ(decoded[i] != nullptr, i % 2 == 1) << queries[i];
    }
    settings.fail_on = FailOn::none;
    expect_all_same(cut, queries, 0.98);
}

TEST_F(TogetherTest, planes_have_a_bound) {
    const vips::VImage gray = vips::VImage::black(4000, 3000) + 100;
    const File file = jpeg(gray.bandjoin(gray).bandjoin(gray).copy(
        vips::VImage::option()->set("interpretation", VIPS_INTERPRETATION_sRGB)));
    // 36 MB each in full colour, 18 MB with colour in half the size.
    const Group group =
        group_of(file, {"w=4000&fm=png", "w=3999&fm=png", "w=4000&fm=png&gray=1", "w=3998", "w=3997"});
    const Decoded decoded = decode_together(group.tasks);
    EXPECT_NE(decoded[0], nullptr);
    EXPECT_EQ(decoded[1], nullptr);
    EXPECT_EQ(decoded[2], decoded[0]);
    EXPECT_NE(decoded[3], nullptr);
    EXPECT_EQ(decoded[4], nullptr);
}

// Any target that this processor has gives the same bytes.
TEST_F(TogetherTest, vectors_of_all_widths_agree) {
    const File file = jpeg(scene(1401, 1043));
    const Group group = group_of(file, {"w=1301&fm=png", "w=301&h=77&fit=cover&fm=png", "w=99&fm=jpeg"});
    const auto made = [&] {
        std::vector<File> files;
        const Decoded decoded = decode_together(group.tasks);
        for (std::size_t i = 0; i < group.tasks.size(); ++i) {
            const auto encoded = finish(group.tasks[i], decoded[i].get());
            files.emplace_back(encoded->body.data(), encoded->body.data() + encoded->body.size());
        }
        return files;
    };
    const std::vector<File> first = made();
    for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
        hwy::SetSupportedTargetsForTest(target);
        EXPECT_EQ(made(), first) << hwy::TargetName(target);
    }
    hwy::SetSupportedTargetsForTest(0);
}

TEST_F(TogetherTest, FuzzTogether) {
    std::mt19937 random(static_cast<unsigned>(testing::UnitTest::GetInstance()->random_seed()) + 23);
    const auto any = [&](int low, int high) { return std::uniform_int_distribution<int>(low, high)(random); };
    for (int turn = 0; turn < 40; ++turn) {
        const int width = any(8, 900);
        const int height = any(8, 700);
        File file = jpeg(scene(width, height), any(0, 1) == 1, any(0, 3) == 0);
        if (any(0, 2) == 0) {
            file = oriented_jpeg(scene(width, height), any(1, 8));
        }
        std::vector<std::string> queries;
        for (int count = any(2, 6); count > 0; --count) {
            const char* formats[] = {"png", "jpeg&q=95", "webp&q=95"};
            const char* fits[] = {"inside", "outside", "cover", "contain", "fill"};
            std::string query =
                std::string("fm=") + formats[any(0, 2)] + "&w=" + std::to_string(any(1, width));
            if (any(0, 1) == 1) {
                query += "&h=" + std::to_string(any(1, height)) + "&fit=" + fits[any(0, 4)];
            }
            if (any(0, 2) == 0) {
                query += "&crop=" + std::to_string(any(0, 40)) + "%25," + std::to_string(any(0, 40)) +
                         "%25," + std::to_string(any(10, 60)) + "%25," + std::to_string(any(10, 60)) + "%25";
            }
            queries.push_back(query);
        }
        SCOPED_TRACE(std::to_string(width) + " x " + std::to_string(height));
        const Group group = group_of(file, queries);
        const Decoded decoded = decode_together(group.tasks);
        for (std::size_t i = 0; i < queries.size(); ++i) {
            if (decoded[i] != nullptr) {
                expect_same(group, decoded, i, queries[i], 0.97);
            }
        }
    }
}

TEST(CancellationTest, of_several_is_that_of_the_last) {
    const auto now = Cancellation::Clock::now();
    Cancellation one(now + std::chrono::hours(1));
    Cancellation late(now - std::chrono::seconds(1));
    Cancellation two(now + std::chrono::hours(2));
    const std::array<const Cancellation*, 3> all{&one, &late, &two};
    const Cancellation several{std::span<const Cancellation* const>(all)};
    EXPECT_FALSE(several.should_stop());
    EXPECT_GT(several.left(), std::chrono::minutes(90));
    two.cancel();
    EXPECT_FALSE(several.should_stop());
    one.cancel();
    EXPECT_TRUE(several.should_stop());
    EXPECT_TRUE(several.cancelled());
}

}  // namespace media
