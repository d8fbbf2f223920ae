// What JpegSkim makes of JPEGs, against their coefficients and against libjpeg; and what it leaves alone.
#include <gtest/gtest.h>
#include <hwy/targets.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <numeric>
#include <ostream>
#include <string>

#include "tests/core/jpeg_fixture.h"

namespace media {

void PrintTo(FailOn level, std::ostream* out) {
    *out << static_cast<int>(level);
}

namespace {

using testing::coded;
using testing::errors_of;
using testing::File;
using testing::JpegKind;
using testing::most_error;
using testing::Outcome;
using testing::outcome_of;
using testing::scans_of;
using By = JpegReader::By;

constexpr std::array<int, 4> shrinks{1, 2, 4, 8};

void expect_exact(const File& file, const Outcome& outcome, bool sound) {
    const auto errors = errors_of(file, outcome, sound);
    ASSERT_EQ(errors.size(), outcome.planes.size());
    for (std::size_t i = 0; i < errors.size(); ++i) {
        EXPECT_LE(errors[i], most_error) << "plane " << i;
    }
}

double psnr(const std::vector<std::uint8_t>& a, const std::vector<std::uint8_t>& b) {
    double squares = 0;
    for (std::size_t k = 0; k < a.size(); ++k) {
        squares += std::pow(a[k] - b[k], 2);
    }
    return squares == 0 ? 99 : 10 * std::log10(255 * 255 * static_cast<double>(a.size()) / squares);
}

// Whatever happens within, outside it is what libjpeg makes of it.
void expect_as_libjpeg(const File& file, int shrink, FailOn fail_on, const std::string& what) {
    const Outcome any = outcome_of({file.data(), file.size()}, By::any, shrink, fail_on);
    const Outcome libjpeg = outcome_of({file.data(), file.size()}, By::libjpeg, shrink, fail_on);
    ASSERT_EQ(any.opened, libjpeg.opened) << what;
    ASSERT_EQ(any.error.has_value(), libjpeg.error.has_value())
        << what << ", at level " << static_cast<int>(fail_on);
    if (any.error || !any.opened) {
        return;
    }
    if (any.ended_by_skim) {
        SCOPED_TRACE(what);
        expect_exact(file, any, false);
    } else {
        EXPECT_EQ(any.planes, libjpeg.planes) << what;
    }
}

std::string name_of(const JpegKind& kind) {
    return std::to_string(kind.width) + " x " + std::to_string(kind.height) + ", " +
           std::to_string(kind.components) + " components, " + std::to_string(kind.across) + ":" +
           std::to_string(kind.down) + ", quality " + std::to_string(kind.quality) +
           (kind.optimized ? ", optimized" : "") + (kind.coarse ? ", coarse" : "") + ", restart " +
           std::to_string(kind.restart) + ", extra " + std::to_string(kind.extra);
}

std::vector<JpegKind> served_kinds() {
    std::vector<JpegKind> kinds;
    for (const auto& [across, down] : {std::pair{1, 1}, {2, 1}, {1, 2}, {2, 2}, {4, 1}, {4, 2}, {1, 4}}) {
        for (const auto& [width, height] :
             {std::pair{1, 1}, {7, 9}, {8, 8}, {17, 33}, {61, 43}, {300, 130}}) {
            kinds.push_back({.width = width, .height = height, .across = across, .down = down});
        }
    }
    for (const auto& [width, height] : {std::pair{1, 1}, {9, 7}, {64, 64}, {257, 31}}) {
        kinds.push_back({.width = width, .height = height, .components = 1, .across = 1, .down = 1});
        kinds.push_back({.width = width, .height = height, .components = 1, .across = 2, .down = 2});
    }
    for (const int quality : {1, 30, 60, 97, 100}) {
        for (const bool optimized : {false, true}) {
            kinds.push_back({.width = 260, .height = 90, .quality = quality, .optimized = optimized});
        }
    }
    for (const unsigned restart : {1U, 2U, 3U, 7U, 17U, 1000U}) {
        kinds.push_back({.width = 150, .height = 90, .quality = 95, .restart = restart});
        kinds.push_back({.width = 50, .components = 1, .across = 1, .down = 1, .restart = restart});
    }
    kinds.push_back({.quality = 90, .coarse = true});
    kinds.push_back({.extra = 200'000});
    kinds.push_back({.width = 65500, .height = 9, .across = 2, .down = 2});
    kinds.push_back({.width = 9, .height = 65500, .across = 2, .down = 1});
    return kinds;
}

File with(const File& file, std::size_t at, std::initializer_list<std::uint8_t> bytes) {
    File out = file;
    out.insert(out.begin() + static_cast<std::ptrdiff_t>(at), bytes);
    return out;
}

// Where the scan's data begins.
std::size_t scan_of(const File& file) {
    for (std::size_t at = 2; at + 4 < file.size();) {
        const std::size_t length = std::size_t{file[at + 2]} << 8U | file[at + 3];
        if (file[at + 1] == 0xDA) {
            return at + 2 + length;
        }
        at += 2 + length;
    }
    ADD_FAILURE() << "no scan";
    return 0;
}

}  // namespace

TEST(JpegReader, SkimsEveryKindExactly) {
    for (const JpegKind& kind : served_kinds()) {
        const File file = coded(kind);
        for (const int shrink : shrinks) {
            SCOPED_TRACE(name_of(kind) + " at 1/" + std::to_string(shrink));
            const Outcome outcome = outcome_of({file.data(), file.size()}, By::any, shrink);
            ASSERT_TRUE(outcome.opened);
            ASSERT_TRUE(outcome.ended_by_skim);
            EXPECT_FALSE(outcome.error);
            expect_exact(file, outcome, true);
        }
    }
}

// libjpeg takes the mean of pixels where JpegSkim has fewer waves: alike, and the same where that is the
// same.
TEST(JpegReader, SkimsWhatLibjpegDecodes) {
    for (const JpegKind& kind : served_kinds()) {
        const File file = coded(kind);
        for (const int shrink : shrinks) {
            SCOPED_TRACE(name_of(kind) + " at 1/" + std::to_string(shrink));
            const Outcome skim = outcome_of({file.data(), file.size()}, By::any, shrink);
            const Outcome libjpeg = outcome_of({file.data(), file.size()}, By::libjpeg, shrink);
            ASSERT_FALSE(libjpeg.ended_by_skim);
            ASSERT_EQ(skim.planes.size(), libjpeg.planes.size());
            for (std::size_t i = 0; i < skim.planes.size(); ++i) {
                const JpegReader::Component& one = skim.components[i];
                const JpegReader::Component& other = libjpeg.components[i];
                EXPECT_EQ(one.width, other.width);
                EXPECT_EQ(one.height, other.height);
                EXPECT_EQ(one.across, other.across);
                EXPECT_EQ(one.down, other.down);
                ASSERT_EQ(skim.planes[i].size(), libjpeg.planes[i].size());
                if (shrink == 8 && i == 0) {
                    EXPECT_EQ(skim.planes[i], libjpeg.planes[i]);
                }
                const bool whole = shrink == 1;
                EXPECT_GE(psnr(skim.planes[i], libjpeg.planes[i]), whole ? 55 : 20) << "plane " << i;
                for (std::size_t k = 0; whole && k < skim.planes[i].size(); ++k) {
                    ASSERT_LE(std::abs(skim.planes[i][k] - libjpeg.planes[i][k]), 1) << "plane " << i;
                }
            }
        }
    }
}

// Of several scans libjpeg reads the coefficients, and no more.
TEST(JpegReader, TransformsSeveralScansAsOne) {
    const File sequential = coded(JpegKind{});
    for (const JpegKind& kind : {JpegKind{.progressive = true}, JpegKind{.apart = true}}) {
        const File file = coded(kind);
        for (const int shrink : shrinks) {
            const Outcome outcome = outcome_of({file.data(), file.size()}, By::any, shrink);
            EXPECT_TRUE(outcome.opened);
            EXPECT_FALSE(outcome.begun_by_skim);
            EXPECT_FALSE(outcome.error);
            EXPECT_EQ(outcome.planes,
                      outcome_of({sequential.data(), sequential.size()}, By::any, shrink).planes);
        }
    }
}

// libjpeg makes up for what the last scans would have said, and it is not for us to undo that.
TEST(JpegReader, LeavesIncompleteOnesToLibjpeg) {
    const File file = coded({.width = 300, .height = 200, .progressive = true});
    const std::vector<std::size_t> scans = scans_of(file);
    for (std::size_t kept = 1; kept < scans.size(); ++kept) {
        File early(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(scans[kept]));
        File cut = early;
        early.insert(early.end(), {0xFF, 0xD9});
        for (const int shrink : {1, 2, 4}) {
            for (const auto& [bytes, fail_on] : {std::pair(&early, FailOn::truncated), std::pair(&cut, FailOn::none)}) {
                const ByteView view(bytes->data(), bytes->size());
                EXPECT_EQ(outcome_of(view, By::any, shrink, fail_on).planes,
                          outcome_of(view, By::libjpeg, shrink, fail_on).planes);
            }
        }
    }
}

// Of a progressive JPEG that becomes small, scans of detail are left out: it must not show at all.
TEST(JpegReader, ProgressiveIsNoOtherPicture) {
    for (const int sampling : {1, 2}) {
        JpegKind kind{.width = 500, .height = 400, .across = sampling, .down = sampling};
        const File baseline = coded(kind);
        kind.progressive = true;
        const File progressive = coded(kind);
        for (const int shrink : shrinks) {
            EXPECT_EQ(outcome_of({progressive.data(), progressive.size()}, By::any, shrink).planes,
                      outcome_of({baseline.data(), baseline.size()}, By::any, shrink).planes);
        }
    }
}

TEST(JpegReader, SkimsNothingThatIsOutOfOrder) {
    const File file = coded({.width = 100, .height = 60, .restart = 4});
    const std::size_t scan = scan_of(file);
    const auto find = [&](std::uint8_t code) {
        for (std::size_t at = scan; at + 1 < file.size(); ++at) {
            if (file[at] == 0xFF && file[at + 1] == code) {
                return at;
            }
        }
        ADD_FAILURE() << int{code};
        return scan;
    };
    const std::size_t first = find(0xD0);
    const std::size_t second = find(0xD1);
    const std::size_t end = find(0xD9);
    File swapped = file;
    std::swap(swapped[first + 1], swapped[second + 1]);
    File without = file;
    without.erase(without.begin() + static_cast<std::ptrdiff_t>(first),
                  without.begin() + static_cast<std::ptrdiff_t>(first) + 2);
    File segment_lost = file;
    segment_lost.erase(segment_lost.begin() + static_cast<std::ptrdiff_t>(first),
                       segment_lost.begin() + static_cast<std::ptrdiff_t>(second));
    File taller = file;  // more MCUs than there are
    File shorter = file;
    for (std::size_t at = 2; at < scan; ++at) {
        if (file[at] == 0xFF && file[at + 1] == 0xC0) {
            taller[at + 6] = 90;
            shorter[at + 6] = 30;
        }
    }
    File no_end(file.begin(), file.end() - 2);
    struct Case {
        const char* name;
        File file;
        bool served;
    };
    const std::array<Case, 13> cases{{
        {"sound", file, true},
        {"something behind the end", with(file, file.size(), {1, 2, 3, 0xFF, 0xD8, 0xFF}), true},
        {"restarts in another order", swapped, false},
        {"a restart is missing", without, false},
        {"a segment is missing", segment_lost, false},
        {"fewer lines than in the header", taller, false},
        {"more lines than in the header", shorter, false},
        {"no end", no_end, false},
        {"a byte before the end", with(file, end, {0x55}), false},
        {"a byte before a restart", with(file, first, {0x55}), false},
        {"fill bytes before the end", with(file, end, {0xFF, 0xFF}), false},
        {"lines are told at the end", with(file, end, {0xFF, 0xDC, 0, 4, 0, 60}), false},
        {"an empty scan", File(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(scan)), false},
    }};
    for (const Case& c : cases) {
        const Outcome outcome = outcome_of({c.file.data(), c.file.size()}, By::any, 4, FailOn::none);
        EXPECT_TRUE(outcome.begun_by_skim) << c.name;
        EXPECT_EQ(outcome.ended_by_skim, c.served) << c.name;
        for (const FailOn level : {FailOn::none, FailOn::truncated, FailOn::error, FailOn::warning}) {
            for (const int shrink : shrinks) {
                expect_as_libjpeg(c.file, shrink, level, c.name);
            }
        }
    }
}

TEST(JpegReader, TakesNoBadTables) {
    const File file = coded({.width = 40, .height = 40});
    for (std::size_t at = 2; file[at + 1] != 0xDA;) {
        const std::size_t length = std::size_t{file[at + 2]} << 8U | file[at + 3];
        if (file[at + 1] == 0xC4) {
            const bool dc = file[at + 4] < 16;
            // As many codes, all of them as short as can be; and values of 15 bits.
            File crowded = file;
            const auto counts = crowded.begin() + static_cast<std::ptrdiff_t>(at) + 5;
            const int codes = std::accumulate(counts, counts + 16, 0);
            std::fill(counts, counts + 16, std::uint8_t{0});
            counts[dc ? 2 : 4] = static_cast<std::uint8_t>(codes);
            File large = file;
            std::fill_n(large.begin() + static_cast<std::ptrdiff_t>(at) + 21, codes, std::uint8_t{0x0F});
            File none = file;
            none.erase(none.begin() + static_cast<std::ptrdiff_t>(at),
                       none.begin() + static_cast<std::ptrdiff_t>(at + 2 + length));
            for (const File* each : {&crowded, &large, &none}) {
                const Outcome outcome = outcome_of({each->data(), each->size()}, By::any, 8, FailOn::none);
                EXPECT_FALSE(outcome.ended_by_skim) << at;
                for (const int shrink : shrinks) {
                    expect_as_libjpeg(*each, shrink, FailOn::truncated, std::to_string(at));
                }
            }
        }
        at += 2 + length;
    }
}

TEST(JpegReader, CutAnywhereItIsAsByLibjpeg) {
    for (const JpegKind& kind :
         {JpegKind{.width = 33, .height = 17}, JpegKind{.width = 33, .height = 17, .restart = 1},
          JpegKind{.width = 40, .height = 20, .components = 1, .optimized = true}}) {
        const File file = coded(kind);
        for (std::size_t size = 0; size < file.size(); ++size) {
            const File cut(file.begin(), file.begin() + static_cast<std::ptrdiff_t>(size));
            for (const FailOn level : {FailOn::none, FailOn::truncated, FailOn::error, FailOn::warning}) {
                expect_as_libjpeg(cut, shrinks[size % 4], level, "cut at " + std::to_string(size));
            }
        }
    }
}

// What is behind the last line that is wanted is nobody's business; what is before it has to be there.
TEST(JpegReader, CutBehindWhatIsWantedItIsWhole) {
    const File file = coded({.width = 33, .height = 50, .restart = 2});
    for (const int shrink : shrinks) {
        const std::size_t lines = 32 / static_cast<std::size_t>(shrink);  // two of four rows of MCUs
        const Outcome whole =
            outcome_of({file.data(), file.size()}, By::any, shrink, FailOn::truncated, lines);
        ASSERT_EQ(whole.planes[0].size(), lines * static_cast<std::size_t>(whole.components[0].width));
        bool refused = false;
        bool served = false;
        for (std::size_t size = scan_of(file); size < file.size(); ++size) {
            const Outcome cut = outcome_of({file.data(), size}, By::any, shrink, FailOn::truncated, lines);
            ASSERT_EQ(cut.error.has_value(), !cut.ended_by_skim) << size;
            ASSERT_FALSE(served && cut.error) << size;
            refused = refused || cut.error;
            served = served || !cut.error;
            if (!cut.error) {
                EXPECT_EQ(cut.planes, whole.planes) << size;
            }
        }
        EXPECT_TRUE(refused && served);
    }
}

TEST(JpegReader, StopsWhenItHasEnough) {
    File file = coded({.width = 200, .height = 200});
    file.resize(file.size() - 100);  // which nobody gets to see
    const Cancellation cancellation(Cancellation::Clock::now() + std::chrono::minutes(1));
    JpegReader reader({file.data(), file.size()}, FailOn::warning, cancellation);
    ASSERT_TRUE(reader.open());
    reader.scale(2);
    ASSERT_TRUE(reader.skims());
    int lines = 0;
    EXPECT_TRUE(reader.read([&](int component, const std::uint8_t*) { lines += component == 0 ? 1 : 0; },
                            [&] { return lines >= 10; }));
    EXPECT_EQ(lines, 16);  // two rows of MCUs
}

TEST(JpegReader, StopsWhenNobodyWantsIt) {
    const File file = coded({.width = 200, .height = 200});
    Cancellation cancellation(Cancellation::Clock::now() + std::chrono::minutes(1));
    JpegReader reader({file.data(), file.size()}, FailOn::truncated, cancellation);
    ASSERT_TRUE(reader.open());
    reader.scale(1);
    ASSERT_TRUE(reader.skims());
    int lines = 0;
    EXPECT_THROW((void)reader.read(
                     [&](int component, const std::uint8_t*) {
                         lines += component == 0 ? 1 : 0;
                         cancellation.cancel();
                     },
                     [] { return false; }),
                 Failure);
    EXPECT_EQ(lines, 16);
}

// Any target that this processor has gives the same samples.
TEST(JpegReader, VectorsOfAllWidthsAgree) {
    const File file = coded({.width = 301, .height = 77, .quality = 97});
    for (const int shrink : shrinks) {
        const Outcome first = outcome_of({file.data(), file.size()}, By::any, shrink);
        for (const std::int64_t target : hwy::SupportedAndGeneratedTargets()) {
            hwy::SetSupportedTargetsForTest(target);
            EXPECT_EQ(outcome_of({file.data(), file.size()}, By::any, shrink).planes, first.planes)
                << hwy::TargetName(target);
        }
        hwy::SetSupportedTargetsForTest(0);
    }
}

TEST(JpegReader, FuzzedItIsAsByLibjpeg) {
    std::mt19937 random(static_cast<unsigned>(::testing::UnitTest::GetInstance()->random_seed()) + 23);
    const auto any = [&](std::size_t most) {
        return std::uniform_int_distribution<std::size_t>(0, most)(random);
    };
    for (int turn = 0; turn < 1500; ++turn) {
        const JpegKind kind{.width = static_cast<int>(1 + any(200)),
                            .height = static_cast<int>(1 + any(70)),
                            .components = any(4) == 0 ? 1 : 3,
                            .across = 1 << any(1),
                            .down = 1 << any(1),
                            .quality = static_cast<int>(20 + any(80)),
                            .optimized = any(1) == 0,
                            .restart = any(2) == 0 ? static_cast<unsigned>(any(9)) : 0};
        File file = coded(kind, static_cast<unsigned>(turn));
        const std::size_t scan = scan_of(file);
        for (std::size_t changes = any(3); changes > 0; --changes) {
            const std::size_t at = any(3) == 0 ? any(file.size() - 1) : scan + any(file.size() - 1 - scan);
            file[at] ^= static_cast<std::uint8_t>(1U << any(7));
        }
        if (any(9) == 0) {
            file.resize(any(file.size() - 1));
        }
        const auto level = static_cast<FailOn>(any(3));
        expect_as_libjpeg(file, shrinks[any(3)], level, name_of(kind) + ", turn " + std::to_string(turn));
        if (::testing::Test::HasFailure()) {
            return;
        }
    }
}

}  // namespace media
