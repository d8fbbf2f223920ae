// A progressive JPEG in one scan has to be the same picture, and what is not sound has to stay as it is.
#include "core/picture/jpeg_sequential.h"

#include <gtest/gtest.h>
#include <string>
#include <string_view>

#include "jpeg_fixture.h"

namespace media::testing {

namespace {

constexpr std::array<int, 4> shrinks{1, 2, 4, 8};

ByteView view(const File& file) {
    return {file.data(), file.size()};
}

Result<Bytes> copy_of(const File& file, std::chrono::milliseconds time = std::chrono::minutes(1)) {
    const Cancellation cancellation(Cancellation::Clock::now() + time);
    return as_sequential(view(file), cancellation);
}

File with_segment(const File& file, std::uint8_t code, std::string_view content) {
    File longer(file.begin(), file.begin() + 2);
    const std::size_t length = content.size() + 2;
    for (const std::size_t byte : {std::size_t{0xFF}, std::size_t{code}, length >> 8U, length & 0xFFU}) {
        longer.push_back(static_cast<std::uint8_t>(byte));
    }
    longer.insert(longer.end(), content.begin(), content.end());
    longer.insert(longer.end(), file.begin() + 2, file.end());
    return longer;
}

std::size_t times(ByteView bytes, std::string_view what) {
    const std::string_view text(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    std::size_t found = 0;
    for (std::size_t at = text.find(what); at != std::string_view::npos; at = text.find(what, at + 1)) {
        ++found;
    }
    return found;
}

void expect_same(const File& original, const Bytes& copy) {
    for (const int shrink : shrinks) {
        EXPECT_EQ(outcome_of(copy.view(), JpegReader::By::libjpeg, shrink, FailOn::warning).planes,
                  outcome_of(view(original), JpegReader::By::libjpeg, shrink).planes)
            << "1/" << shrink;
        const Outcome skimmed = outcome_of(copy.view(), JpegReader::By::any, shrink, FailOn::warning);
        EXPECT_TRUE(skimmed.ended_by_skim);
        EXPECT_EQ(skimmed.planes, outcome_of(view(original), JpegReader::By::any, shrink).planes);
    }
}

}  // namespace

TEST(JpegSequential, IsTheSamePicture) {
    for (const int width : {1, 8, 17, 61, 256}) {
        for (const int components : {1, 3}) {
            for (const int across : {1, 2}) {
                for (const int down : {1, 2}) {
                    JpegKind kind{.width = width,
                                  .height = 43,
                                  .components = components,
                                  .across = across,
                                  .down = down,
                                  .progressive = true,
                                  .restart = width == 61 ? 3U : 0U};
                    const File file = coded(kind);
                    const Result<Bytes> copy = copy_of(file);
                    ASSERT_TRUE(copy);
                    expect_same(file, *copy);
                }
            }
        }
    }
}

TEST(JpegSequential, KeepsWhatTheOriginalSaysOfItself) {
    File file = coded({.progressive = true, .extra = 140'000});
    file = with_segment(file, 0xE1, std::string_view("Exif\0\0what a camera writes", 26));
    file = with_segment(file, 0xE2, std::string_view("ICC_PROFILE\0\1\1and a profile", 27));
    file = with_segment(file, 0xFE, "and somebody's comment");
    const Result<Bytes> copy = copy_of(file);
    ASSERT_TRUE(copy);
    expect_same(file, *copy);
    for (const std::string_view said : {"what a camera writes", "and a profile", "and somebody's comment"}) {
        EXPECT_EQ(times(copy->view(), said), 1U) << said;
    }
    EXPECT_EQ(times(copy->view(), "JFIF"), times(view(file), "JFIF"));
    EXPECT_GT(copy->size(), 140'000U);
}

TEST(JpegSequential, IsRefusedForWhatIsNotSound) {
    EXPECT_FALSE(copy_of(coded({})));  // has one scan
    EXPECT_FALSE(copy_of({}));
    EXPECT_FALSE(copy_of(File(1000, 0xFF)));
    const File file = coded({.width = 200, .height = 150, .progressive = true});
    for (std::size_t size = 0; size + 2 < file.size(); size += 1 + file.size() / 50) {
        EXPECT_FALSE(copy_of(File(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size)))) << size;
    }
}

TEST(JpegSequential, IsRefusedForMoreSegmentsThanAnybodyWrites) {
    const File file = coded({.progressive = true});
    for (const std::size_t count : {std::size_t{900}, std::size_t{1100}, std::size_t{500'000}}) {
        File longer(file.begin(), file.begin() + 2);
        for (std::size_t i = 0; i < count; ++i) {
            longer.insert(longer.end(), {0xFF, 0xFE, 0, 2});
        }
        longer.insert(longer.end(), file.begin() + 2, file.end());
        EXPECT_EQ(static_cast<bool>(copy_of(longer)), count < 1000) << count;
    }
}

// One whose last scans are missing, though it ends as it should: its decoder guesses at what they held.
TEST(JpegSequential, IsRefusedForWhatIsNotComplete) {
    const File file = coded({.width = 200, .height = 150, .progressive = true});
    const std::vector<std::size_t> scans = scans_of(file);
    ASSERT_GT(scans.size(), 5U);
    for (std::size_t kept = 1; kept < scans.size(); ++kept) {
        File early(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(scans[kept]));
        early.insert(early.end(), {0xFF, 0xD9});
        EXPECT_FALSE(outcome_of(view(early), JpegReader::By::libjpeg, 1).error) << kept;
        EXPECT_FALSE(copy_of(early)) << kept;
    }
}

// Damage that went unnoticed, and left coefficients for which one scan has no code.
TEST(JpegSequential, IsRefusedForWhatNoPictureHas) {
    constexpr std::string_view digits =
        "ffd8ffe000104a46494600010100000100010000ffdb0043000302020302020303030304030304050805050404050a07"
        "0706080c0a0c0c0b0a0b0b0d0e12100d0e110e0b0b1016101113141515150c0f171816141812141514ffc2000b080017"
        "000201011200ffc40014000100000000000000000000000000000007ffda0008010100000001783e2affc40019100101"
        "0100030000000000000000000000020304010507ffda00080101000105021b872153ab6a1ea76cd0ffc4002310000201"
        "0301090000000000000000000001020300111261042d13141521313241ffda0008010100063f0253d36593b7bac4b66d"
        "6896dd9c663e64e65465adb2151c2bb0a631a851790fcaffc4001b100101000203010000000000000000000001110031"
        "21416171ffda0008010100013f212e050d4f22291f172a1f53afdea2ee43e18de0849609ce7fffda0008010100000010"
        "7fffc400191001010101010100000000000000000000011121003141ffda0008010100013f10392a0c886acf410448a6"
        "f58f9901da002f613b3e0322ab6485535815efffd9";
    File file;
    for (std::size_t at = 0; at < digits.size(); at += 2) {
        file.push_back(static_cast<std::uint8_t>(std::stoi(std::string(digits.substr(at, 2)), nullptr, 16)));
    }
    EXPECT_FALSE(outcome_of(view(file), JpegReader::By::libjpeg, 1, FailOn::warning).error);
    EXPECT_FALSE(copy_of(file));
}

TEST(JpegSequential, StopsWhenItsTimeIsOver) {
    const File file = coded({.width = 2000, .height = 2000, .progressive = true});
    const Result<Bytes> late = copy_of(file, std::chrono::milliseconds(5));
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().status, 504);
    bool stopped = false;
    for (int milliseconds = 1; milliseconds < 60'000; milliseconds *= 2) {
        if (copy_of(file, std::chrono::milliseconds(milliseconds))) {
            break;  // whatever was written by then was freed each time: the sanitizers watch
        }
        stopped = true;
    }
    EXPECT_TRUE(stopped);
}

// Damage either shows, or leaves the same picture in both.
TEST(JpegSequential, FuzzDamage) {
    std::mt19937 random(static_cast<unsigned>(::testing::UnitTest::GetInstance()->random_seed()) + 5);
    const auto any = [&](std::size_t most) {
        return std::uniform_int_distribution<std::size_t>(0, most)(random);
    };
    const std::array<File, 2> sound{coded({.width = 120, .height = 90, .progressive = true}),
                                    coded({.components = 1, .progressive = true, .restart = 2})};
    for (int turn = 0; turn < 600; ++turn) {
        File file = sound[any(1)];
        for (std::size_t changes = 1 + any(3); changes > 0; --changes) {
            file[any(any(1) == 0 ? file.size() - 1 : 700)] = static_cast<std::uint8_t>(any(255));
        }
        const Result<Bytes> copy = copy_of(file);
        if (!copy || outcome_of(view(file), JpegReader::By::libjpeg, 1).planes.empty()) {
            continue;
        }
        EXPECT_EQ(outcome_of(copy->view(), JpegReader::By::libjpeg, 1).planes,
                  outcome_of(view(file), JpegReader::By::libjpeg, 1).planes);
    }
}

TEST(JpegSequential, PaysForLargeProgressiveOnes) {
    const auto pays = [](Format format, bool progressive, Size size, Size rendition = {8000, 10}) {
        return pays_as_sequential({.format = format, .size = size, .progressive = progressive}, rendition);
    };
    EXPECT_TRUE(pays(Format::jpeg, true, {1000, 1000}));
    EXPECT_TRUE(pays(Format::jpeg, true, {65'500, 65'500}));
    EXPECT_FALSE(pays(Format::jpeg, true, {999, 1000}));
    EXPECT_TRUE(pays(Format::jpeg, true, {6000, 4000}, {334, 501}));
    EXPECT_FALSE(pays(Format::jpeg, true, {6000, 4000}, {333, 500}));
    EXPECT_FALSE(pays(Format::jpeg, false, {6000, 4000}));
    EXPECT_FALSE(pays(Format::png, false, {6000, 4000}));
}

}  // namespace media::testing
