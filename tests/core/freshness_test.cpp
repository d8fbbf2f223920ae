#include "core/share/freshness.h"

#include <gtest/gtest.h>

#include <string>

namespace media {
namespace {

constexpr time_t now = 1'700'000'000;  // Tue, 14 Nov 2023 22:13:20 GMT
constexpr std::int32_t longest = 2'147'483'647;
constexpr std::int32_t unstated = Lifetimes::unstated;

struct Case {
    AnswerFields fields;
    Lifetimes told;
};

class LifetimesTest : public testing::TestWithParam<Case> {};

TEST_P(LifetimesTest, AreWhatTheFieldsSay) {
    const auto& [fields, expected] = GetParam();
    const Lifetimes told = lifetimes(fields, now);
    EXPECT_EQ(told.fresh, expected.fresh) << fields.cache_control;
    EXPECT_EQ(told.while_revalidate, expected.while_revalidate) << fields.cache_control;
    EXPECT_EQ(told.if_error, expected.if_error) << fields.cache_control;
    EXPECT_EQ(told.keep, expected.keep) << fields.cache_control;
    EXPECT_EQ(told.must_revalidate, expected.must_revalidate) << fields.cache_control;
}

INSTANTIATE_TEST_SUITE_P(
    Seconds, LifetimesTest,
    testing::Values(Case{{}, {.fresh = unstated}},
                    Case{{.cache_control = "public, immutable"}, {.fresh = unstated}},
                    Case{{.cache_control = "max-age=60"}, {.fresh = 60}},
                    Case{{.cache_control = "MAX-AGE=60 , Public"}, {.fresh = 60}},
                    Case{{.cache_control = "max-age=\"60\""}, {.fresh = 60}},
                    Case{{.cache_control = ",,\t max-age = 60,"}, {.fresh = 60}},
                    Case{{.cache_control = "x=\"a, max-age=5\", max-age=60"}, {.fresh = 60}},
                    Case{{.cache_control = "x=\"a\\\", max-age=5\", max-age=60"}, {.fresh = 60}},
                    Case{{.cache_control = "max-age=60, s-maxage=10"}, {.fresh = 10}},
                    Case{{.cache_control = "s-maxage=100, max-age=1"}, {.fresh = 100}},
                    Case{{.cache_control = "max-age=60, max-age=30"}, {.fresh = 30}},
                    Case{{.cache_control = "max-age=0"}, {.fresh = 0, .must_revalidate = true}},
                    Case{{.cache_control = "max-age=99999999999999999999"}, {.fresh = longest}},
                    Case{{.cache_control = "max-age=2147483648"}, {.fresh = longest}}));

INSTANTIATE_TEST_SUITE_P(
    Nonsense, LifetimesTest,
    testing::Values(Case{{.cache_control = "max-age"}, {.fresh = 0, .must_revalidate = true}},
                    Case{{.cache_control = "max-age="}, {.fresh = 0, .must_revalidate = true}},
                    Case{{.cache_control = "max-age=-1"}, {.fresh = 0, .must_revalidate = true}},
                    Case{{.cache_control = "max-age=1.5"}, {.fresh = 0, .must_revalidate = true}},
                    Case{{.cache_control = "max-age=60x"}, {.fresh = 0, .must_revalidate = true}},
                    Case{{.cache_control = "max-age=\""}, {.fresh = 0, .must_revalidate = true}},
                    Case{{.cache_control = "\"\\"}, {.fresh = unstated}},
                    Case{{.cache_control = "stale-if-error=x"}, {.fresh = unstated}}));

INSTANTIATE_TEST_SUITE_P(
    Words, LifetimesTest,
    testing::Values(
        Case{{.cache_control = "no-store"}, {.fresh = unstated, .keep = false}},
        Case{{.cache_control = "private, max-age=60"}, {.fresh = 60, .keep = false}},
        Case{{.cache_control = "private=\"x-secret\""}, {.fresh = unstated, .keep = false}},
        Case{{.cache_control = "no-cache"}, {.fresh = 0, .must_revalidate = true}},
        Case{{.cache_control = "no-cache, max-age=60"}, {.fresh = 0, .must_revalidate = true}},
        Case{{.cache_control = "no-cache, s-maxage=60"}, {.fresh = 0, .must_revalidate = true}},
        Case{{.cache_control = "max-age=60, must-revalidate"}, {.fresh = 60, .must_revalidate = true}},
        Case{{.cache_control = "max-age=60, proxy-revalidate"}, {.fresh = 60, .must_revalidate = true}},
        Case{{.cache_control = "max-age=60, stale-while-revalidate=30, stale-if-error=600"},
             {.fresh = 60, .while_revalidate = 30, .if_error = 600}},
        Case{{.cache_control = "stale-if-error=600"}, {.fresh = unstated, .if_error = 600}}));

INSTANTIATE_TEST_SUITE_P(
    Dates, LifetimesTest,
    testing::Values(
        Case{{.expires = "Tue, 14 Nov 2023 22:14:20 GMT"}, {.fresh = 60}},
        Case{{.expires = "Tue, 14 Nov 2023 22:14:20 GMT", .date = "Tue, 14 Nov 2023 22:13:50 GMT"},
             {.fresh = 30}},
        Case{{.expires = "Tue, 14 Nov 2023 22:14:20 GMT", .date = "yesterday"}, {.fresh = 60}},
        Case{{.expires = "Tue, 14 Nov 2023 22:13:19 GMT"}, {.fresh = 0, .must_revalidate = true}},
        Case{{.expires = "0"}, {.fresh = 0, .must_revalidate = true}},
        Case{{.expires = "-1"}, {.fresh = 0, .must_revalidate = true}},
        Case{{.cache_control = "max-age=5", .expires = "Tue, 14 Nov 2023 22:14:20 GMT"}, {.fresh = 5}},
        Case{{.cache_control = "public", .expires = "Tue, 14 Nov 2023 22:14:20 GMT"}, {.fresh = 60}}));

INSTANTIATE_TEST_SUITE_P(
    Ages, LifetimesTest,
    testing::Values(Case{{.cache_control = "max-age=60", .age = "20"}, {.fresh = 40}},
                    Case{{.cache_control = "max-age=60", .age = "60"}, {.fresh = 0}},
                    Case{{.cache_control = "max-age=60", .age = "9999999999"}, {.fresh = 0}},
                    Case{{.cache_control = "max-age=60", .age = "old"}, {.fresh = 60}},
                    Case{{.cache_control = "max-age=60", .age = "-5"}, {.fresh = 60}},
                    Case{{.cache_control = "max-age=60", .age = "10, 20"}, {.fresh = 50}},
                    Case{{.age = "20"}, {.fresh = unstated}},
                    Case{{.expires = "Tue, 14 Nov 2023 22:14:20 GMT", .age = "20"}, {.fresh = 40}}));

TEST(HttpDate, IsReadInAllItsForms) {
    EXPECT_EQ(http_date("Sun, 06 Nov 1994 08:49:37 GMT"), 784111777);
    EXPECT_EQ(http_date("Sunday, 06-Nov-94 08:49:37 GMT"), 784111777);
    EXPECT_EQ(http_date("Sun Nov  6 08:49:37 1994"), 784111777);
    EXPECT_EQ(http_date("Wed Nov 16 08:49:37 1994"), 784111777 + 10 * 86400);
    EXPECT_EQ(http_date("Thu, 01 Jan 1970 00:00:00 GMT"), 0);
    EXPECT_EQ(http_date("Tuesday, 19-Jan-38 03:14:08 GMT"), 2147483648);
}

TEST(HttpDate, IsNothingElse) {
    for (const char* text :
         {"", "0", "now", "Sun,", "Sun, 06 Nov 1994 08:49:37", "Sun, 06 Nov 1994 08:49:37 CET",
          "Sun, 6 Nov 1994 08:49:37 GMT", "Sun, 06 nov 1994 08:49:37 GMT", "Sun, 32 Nov 1994 08:49:37 GMT",
          "Sun, 06 Nov 1994 24:49:37 GMT", "Sun, 06 Nov 1994 08:60:37 GMT", "Sun, 06 Nov 1994 08:49:61 GMT",
          "Sun, 06 Nov 1994 08:49:37 GMT, Sun, 06 Nov 1994 08:49:37 GMT", "Sun Nov  6 08:49:37",
          "784111777"}) {
        EXPECT_EQ(http_date(text), std::nullopt) << text;
    }
}

TEST(Vary, TellsClientsApartOnlyByWhatTheOriginSees) {
    for (const char* vary : {"", "Accept", "accept-encoding, Accept", "Origin", " , ,ACCEPT"}) {
        EXPECT_TRUE(shareable(vary)) << vary;
    }
    for (const char* vary : {"*", "Cookie", "Accept, Cookie", "User-Agent", "Accept-Language"}) {
        EXPECT_FALSE(shareable(vary)) << vary;
    }
}

TEST(EntityTag, IsStrongWithoutPrefix) {
    EXPECT_TRUE(strong_tag("\"a\""));
    EXPECT_TRUE(strong_tag("\"\""));
    for (const char* tag : {"", "a", "\"", "W/\"a\"", "w/\"a\"", "\"a"}) {
        EXPECT_FALSE(strong_tag(tag)) << tag;
    }
}

TEST(Shortened, LifetimesOnly) {
    struct Shorter {
        std::string_view control;
        std::uint32_t age;
        std::string_view expected;
    };
    for (const auto& [control, age, expected] : std::initializer_list<Shorter>{
             {"", 0, "max-age=10"},
             {"max-age=100", 0, "max-age=10"},
             {"max-age=7", 0, "max-age=7"},
             {"max-age=100", 95, "max-age=5"},
             {"max-age=100", 200, "max-age=0"},
             {"MAX-AGE = \"4\" ,public", 0, "public, max-age=4"},
             {"max-age=100, s-maxage=3", 0, "max-age=3"},
             {"max-age=nonsense", 0, "max-age=0"},
             {"private, max-age=60, immutable", 0, "private, max-age=10"},
             {"stale-while-revalidate=60, stale-if-error=9, must-revalidate", 0,
              "must-revalidate, max-age=10"},
             {"no-store", 0, "no-store"},
             {"no-store, max-age=60", 0, "no-store"},
             {"no-cache=\"a, b\", no-transform,,", 0, "no-cache=\"a, b\", no-transform, max-age=10"},
         }) {
        EXPECT_EQ(shortened(control, 10, age), expected) << control << ' ' << age;
    }
    EXPECT_EQ(shortened("public", 3600, 0), "public, max-age=3600");
}

}  // namespace
}  // namespace media
