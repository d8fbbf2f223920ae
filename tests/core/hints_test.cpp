#include "core/rendition/hints.h"

#include <gtest/gtest.h>

#include <random>

#include "core/rendition/parse.h"

namespace media {
namespace {

TEST(Hints, AreReadAsTheyAreSentAndIgnoredWhereTheyMakeNoSense) {
    const auto dpr = [](std::string_view text) { return read_hints({.dpr = text}).dpr.value_or(0); };
    const std::pair<std::string_view, double> densities[] = {
        {"2", 2},     {"2.625", 2.625}, {" 1.5\t", 1.5}, {"2.0;a=b", 2}, {"1.0000004", 1}, {"0.5", 0.5},
        {"5", 5},     {"6", 5},         {"0.25", 0.5},   {"0.001", 0.5}, {"999999999", 5}, {"", 0},
        {"0", 0},     {"0.0", 0},       {"-2", 0},       {"+2", 0},      {"2,3", 0},       {"2.", 0},
        {".5", 0},    {"1e1", 0},       {"inf", 0},      {"nan", 0},     {"0x2", 0},       {"2 3", 0},
        {"\"2\"", 0}, {"?1", 0},        {";", 0},        {"2\x00", 2},   {"\xff\xfe", 0},  {"2dpr", 0},
    };
    for (const auto& [text, value] : densities) {
        EXPECT_DOUBLE_EQ(dpr(text), value) << text;
    }
    EXPECT_EQ(dpr(std::string(400, '9')), 0);
    EXPECT_EQ(dpr(std::string_view("2\0", 2)), 0);

    const auto width = [](std::string_view text) { return read_hints({.width = text}).width.value_or(0); };
    const std::pair<std::string_view, int> widths[] = {
        {"640", 640},
        {" 1 ", 1},
        {"640;x", 640},
        {"99999999999", 2147483647},
        {"99999999999999999999", 0},
        {"0", 0},
        {"", 0},
        {"640.5", 0},
        {"-1", 0},
        {"640,640", 0},
        {"1e3", 0},
        {"64 0", 0},
        {"auto", 0},
        {"0640", 640},
    };
    for (const auto& [text, value] : widths) {
        EXPECT_EQ(width(text), value) << text;
    }

    const auto save = [](std::string_view text) { return read_hints({.save_data = text}).save_data; };
    for (const std::string_view text : {"on", "ON", " on ", "on;x=1", "on; y"}) {
        EXPECT_TRUE(save(text)) << text;
    }
    for (const std::string_view text : {"", "off", "1", "?1", "on,on", "onn", "o n", "\"on\""}) {
        EXPECT_FALSE(save(text)) << text;
    }
}

TEST(Hints, OldNamesCountWhereTheNewOnesSayNothing) {
    EXPECT_EQ(read_hints({.legacy_dpr = "3"}).dpr, 3);
    EXPECT_EQ(read_hints({.dpr = "2", .legacy_dpr = "3"}).dpr, 2);
    EXPECT_EQ(read_hints({.dpr = "x", .legacy_dpr = "3"}).dpr, 3);
    EXPECT_EQ(read_hints({.legacy_width = "30"}).width, 30);
    EXPECT_EQ(read_hints({.width = "20", .legacy_width = "30"}).width, 20);
    EXPECT_FALSE(read_hints({}).dpr || read_hints({}).width || read_hints({}).save_data);
}

class HintedParse : public testing::Test {
  protected:
    RenderSettings settings;
    const Presets presets{
        {"card", "w=200&h=100&fit=cover"}, {"sharp", "w=200&dpr=2"}, {"grey", "gray=1"}, {"fine", "q=95"}};
    bool presets_only = false;

    Rendition parsed(std::string_view query, const ClientHints* hints, std::string_view accept = {}) {
        static constexpr Format preferred[] = {Format::avif, Format::webp};
        auto result = parse_query(query, {.presets = &presets,
                                          .settings = &settings,
                                          .presets_only = presets_only,
                                          .auto_formats = preferred,
                                          .accept = accept,
                                          .hints = hints});
        EXPECT_TRUE(result) << query << (result ? "" : ": " + result.error().detail);
        return result ? *result : Rendition{};
    }
    std::string form(std::string_view query, const ClientHints& hints, std::string_view accept = {}) {
        return canonical(parsed(query, &hints, accept), settings);
    }
};

TEST_F(HintedParse, FillsInWhatTheQueryLeavesOut) {
    const struct {
        std::string_view query;
        ClientHints hints;
        std::string_view as;  ///< the query that gives the same without hints
    } cases[] = {
        // density
        {"w=200", {.dpr = 2}, "w=400"},
        {"h=200", {.dpr = 2}, "h=400"},
        {"w=201&h=100&fit=cover", {.dpr = 2.625}, "w=528&h=263&fit=cover"},
        {"w=200&round=10", {.dpr = 2}, "w=400&round=20"},
        {"w=200&round=max", {.dpr = 2}, "w=400&round=max"},
        {"w=200", {.dpr = 0.5}, "w=100"},
        {"w=1", {.dpr = 0.5}, "w=1"},
        {"w=200&dpr=1", {.dpr = 2}, "w=200"},
        {"w=200&dpr=3", {.dpr = 2}, "w=600"},
        {"p=card", {.dpr = 2}, "w=400&h=200&fit=cover"},
        {"p=sharp", {.dpr = 3}, "w=400"},
        {"p=sharp&w=100", {.dpr = 3}, "w=200"},
        {"fm=webp", {.dpr = 2}, "fm=webp"},
        {"round=10", {.dpr = 2}, "round=10"},
        // width
        {"fm=webp", {.width = 640}, "fm=webp&w=640"},
        {"gray=1", {.dpr = 2, .width = 640}, "gray=1&w=640"},
        {"gray=1&dpr=2", {.width = 640}, "gray=1&w=640"},
        {"gray=1&dpr=2&round=3", {.width = 640}, "gray=1&w=640&round=6"},
        {"p=grey", {.width = 640}, "gray=1&w=640"},
        {"fit=cover&g=n", {.width = 640}, "w=640"},
        {"w=200", {.width = 640}, "w=200"},
        {"h=200", {.width = 640}, "h=200"},
        {"p=card", {.width = 640}, "w=200&h=100&fit=cover"},
        {"fm=webp", {.width = 100'000}, "fm=webp&w=8192"},
        // Save-Data
        {"w=200", {.dpr = 2, .save_data = true}, "w=200&q=economy"},
        {"w=200", {.dpr = 0.75, .save_data = true}, "w=150&q=economy"},
        {"w=200&dpr=2", {.save_data = true}, "w=400&q=economy"},
        {"w=200&q=80", {.dpr = 2, .save_data = true}, "w=200&q=80"},
        {"w=200&fm=jpeg", {.save_data = true}, "w=200&fm=jpeg&q=60"},
        {"w=200&fm=avif", {.save_data = true}, "w=200&fm=avif&q=45"},
        {"w=200&fm=png", {.save_data = true}, "w=200&fm=png"},
        {"fm=webp&lossless=1", {.save_data = true}, "fm=webp&lossless=1"},
        {"lossless=1", {.save_data = true}, "lossless=1"},
        {"gray=1", {.width = 640, .save_data = true}, "gray=1&w=640&q=economy"},
        {"p=fine", {.save_data = true}, "q=95"},
        // nothing is asked for
        {"", {.dpr = 2, .width = 640, .save_data = true}, ""},
        {"v=1&dl=a&exp=1", {.dpr = 2, .width = 640, .save_data = true}, "v=1"},
    };
    for (const auto& c : cases) {
        std::string query(c.as);
        const bool economy = query.ends_with("&q=economy");
        Rendition expected = parsed(economy ? query.substr(0, query.size() - 10) : query, nullptr);
        expected.economy = economy;
        EXPECT_EQ(form(c.query, c.hints), canonical(expected, settings)) << c.query;
        EXPECT_EQ(parsed(c.query, &c.hints).original, c.query.empty() || c.query.starts_with("v="))
            << c.query;
    }
}

TEST_F(HintedParse, EconomyIsPartOfTheKey) {
    EXPECT_EQ(form("w=200", {.save_data = true}), "q=economy&w=200");
    EXPECT_EQ(form("fm=auto&w=200", {.save_data = true}, "image/webp"), "fm=auto.webp&q=economy&w=200");
    EXPECT_EQ(economy_quality(80), 60);
    EXPECT_EQ(economy_quality(75), 56);
    EXPECT_EQ(economy_quality(1), 1);
}

TEST_F(HintedParse, PresetsOnlyFixTheWidths) {
    presets_only = true;
    EXPECT_EQ(form("p=grey", {.dpr = 2, .width = 640}), "gray=1");
    EXPECT_EQ(form("p=card", {.dpr = 2, .width = 640}), "fit=cover&h=200&w=400");
    EXPECT_EQ(form("p=grey", {.save_data = true}), "gray=1&q=economy");
    EXPECT_EQ(vary(parsed("p=grey", nullptr)), "");
    const ClientHints none;
    EXPECT_EQ(vary(parsed("p=grey", &none)), "Save-Data");
    EXPECT_EQ(vary(parsed("p=card", &none)), "Sec-CH-DPR, DPR, Save-Data");
}

TEST_F(HintedParse, DensityGivesWayToTheLimits) {
    settings.max_width = 1000;
    settings.max_height = 500;
    EXPECT_EQ(form("w=400", {.dpr = 2}), "w=800");
    EXPECT_EQ(form("w=400", {.dpr = 3}), "w=1000");
    EXPECT_EQ(form("w=333", {.dpr = 4}), "w=1000");
    EXPECT_EQ(form("h=333", {.dpr = 4}), "h=500");
    EXPECT_EQ(form("w=400&h=400&fit=contain", {.dpr = 2}), "fit=contain&h=500&w=500");
    EXPECT_EQ(form("w=2000", {.dpr = 3}), "w=2000");  // no worse than without a hint
    EXPECT_EQ(form("w=2000", {.dpr = 0.5}), "w=1000");
    EXPECT_EQ(form("gray=1", {.width = 4000}), "gray=1&w=1000");
    settings = {};
    settings.max_width = settings.max_height = 65535;
    EXPECT_EQ(form("w=100&round=60000", {.dpr = 5}), "round=65535&w=109");
    EXPECT_EQ(form("w=65535&h=65535&round=65535", {.dpr = 5}), "h=65535&round=65535&w=65535");
}

TEST_F(HintedParse, KnowsWhatMadeItLarger) {
    const ClientHints large{.dpr = 2}, small{.dpr = 0.5}, wide{.width = 10},
        saving{.dpr = 2, .save_data = true};
    EXPECT_TRUE(parsed("w=1", &large).hinted_size);
    EXPECT_TRUE(parsed("gray=1", &wide).hinted_size);
    EXPECT_FALSE(parsed("w=1", &small).hinted_size);
    EXPECT_FALSE(parsed("w=1", &wide).hinted_size);
    EXPECT_FALSE(parsed("w=1", &saving).hinted_size);
    EXPECT_FALSE(parsed("w=1&dpr=2", &large).hinted_size);
    EXPECT_FALSE(parsed("w=1", nullptr).hinted_size);
}

TEST_F(HintedParse, VaryNamesWhatCouldHaveChangedTheAnswer) {
    const std::pair<std::string_view, std::string_view> cases[] = {
        {"", ""},
        {"v=1", ""},
        {"w=200", "Sec-CH-DPR, DPR, Save-Data"},
        {"w=200&q=80", "Sec-CH-DPR, DPR, Save-Data"},
        {"w=200&dpr=2", "Save-Data"},
        {"w=200&dpr=2&q=80", ""},
        {"w=200&dpr=2&lossless=1", ""},
        {"w=200&dpr=2&fm=png", ""},
        {"w=200&dpr=2&fm=jpeg", "Save-Data"},
        {"p=sharp", "Save-Data"},
        {"gray=1", "Sec-CH-Width, Width, Save-Data"},
        {"gray=1&q=80", "Sec-CH-Width, Width"},
        {"fm=png", "Sec-CH-Width, Width"},
        {"fm=auto", "Accept, Sec-CH-Width, Width, Save-Data"},
        {"fm=auto&w=200", "Accept, Sec-CH-DPR, DPR, Save-Data"},
        {"fm=auto&w=200&dpr=1&q=1", "Accept"},
        {"fm=json", ""},
        {"p=card&fm=json", ""},
    };
    const ClientHints hints[] = {{}, {.dpr = 2}, {.width = 300}, {.dpr = 1, .width = 9, .save_data = true}};
    for (const auto& [query, fields] : cases) {
        for (const ClientHints& each : hints) {
            EXPECT_EQ(vary(parsed(query, &each)), fields) << query;
        }
        EXPECT_EQ(vary(parsed(query, nullptr)), query.starts_with("fm=auto") ? "Accept" : "") << query;
    }
}

// Whatever Vary leaves out makes no difference, and no hint is ever an error.
TEST_F(HintedParse, WhatVaryDoesNotNameChangesNothing) {
    std::mt19937 random(11);
    const auto one_of = [&random](const auto& all) { return all[random() % std::size(all)]; };
    const std::string_view pieces[] = {"w=300",      "h=65535",  "dpr=1.5", "fm=jpeg",     "fm=png",
                                       "fm=auto",    "q=7",      "p=card",  "p=grey",      "p=sharp",
                                       "lossless=1", "v=1",      "gray=1",  "round=60000", "max_bytes=9",
                                       "fit=cover",  "enlarge=1"};
    const std::string_view values[] = {"",   "1",   "2", "0.5", "2.625", "5",
                                       "77", "640", "x", "-1",  "on",    "99999999"};
    for (int round = 0; round < 20'000; ++round) {
        std::string query;
        for (auto count = random() % 5; count > 0; --count) {
            query += std::string(one_of(pieces)) + '&';
        }
        settings.max_width = round % 2 == 0 ? 8192 : 500;
        const auto with = [&](const HintFields& fields) {
            const ClientHints hints = read_hints(fields);
            return parse_query(query, {.presets = &presets, .settings = &settings, .hints = &hints});
        };
        const auto plain = parse_query(query, {.presets = &presets, .settings = &settings});
        const HintFields fields{one_of(values), one_of(values), one_of(values), one_of(values),
                                one_of(values)};
        const auto hinted = with(fields);
        ASSERT_EQ(static_cast<bool>(plain), static_cast<bool>(hinted)) << query;
        if (!plain) {
            continue;
        }
        const std::string names = vary(*hinted);
        HintFields named = fields;
        if (names.find("DPR") == std::string::npos) {
            named.dpr = named.legacy_dpr = {};
        }
        if (names.find("Width") == std::string::npos) {
            named.width = named.legacy_width = {};
        }
        if (names.find("Save-Data") == std::string::npos) {
            named.save_data = {};
        }
        ASSERT_EQ(canonical(*hinted, settings), canonical(*with(named), settings)) << query;
        ASSERT_LE(hinted->width.value_or(0), std::max(plain->width.value_or(0), settings.max_width)) << query;
    }
}

}  // namespace
}  // namespace media
