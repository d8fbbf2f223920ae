// `fm=json` in a query: what may stand beside it, and what becomes of presets.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "tests/core/parse_fixture.h"

namespace media {
namespace {

class ParseDescription : public Parse {};

TEST_F(ParseDescription, TakesWhatMeansSomething) {
    const Rendition r = good("fm=json&crop=1,2,3,4&trim=5&rot=90&flip=v&page=2&v=x&dl=a.json&exp=99&wm=logo");
    EXPECT_TRUE(r.describe);
    EXPECT_FALSE(r.format);
    EXPECT_FALSE(r.auto_format);
    EXPECT_FALSE(r.original);
    EXPECT_EQ(r.crop, (Crop{{1, false}, {2, false}, {3, false}, {4, false}}));
    EXPECT_EQ(r.trim, 5);
    EXPECT_EQ(r.rotate, 90);
    EXPECT_EQ(r.flip, Flip::v);
    EXPECT_EQ(r.page, 2);
    EXPECT_EQ(r.version, "x");
    EXPECT_EQ(r.download, "a.json");
    EXPECT_EQ(r.expires, 99U);
    EXPECT_EQ(r.watermarks, std::vector<std::string>{"logo"});
    EXPECT_FALSE(good("fm=png").describe);
}

TEST_F(ParseDescription, RefusesEverythingElse) {
    for (const std::string_view query :
         {"w=1",       "h=1",    "dpr=1",      "fit=fill",   "enlarge=0",    "g=n",   "blur=1",
          "sharpen=1", "gray=0", "bri=1",      "sat=1",      "hue=1",        "con=1", "round=1",
          "bg=fff",    "q=1",    "lossless=1", "lossless=0", "max_bytes=1k", "n=1",   "strip=all"}) {
        const std::string name(query.substr(0, query.find('=')));
        EXPECT_EQ(refused("fm=json&" + std::string(query)), name);
        EXPECT_EQ(refused(std::string(query) + "&fm=json"), name);
    }
    EXPECT_EQ(refused("fm=json&g=fp&fx=0.2"), "g");
    EXPECT_EQ(refused("fm=JSON"), "fm");
    EXPECT_EQ(refused("fm=json,webp"), "fm");
}

TEST_F(ParseDescription, PassesOverWhatPresetsSayOfPictures) {
    presets["about"] = "fm=json";
    presets["part"] = "crop=1,2,3,4&fm=json";
    presets["small"] = "w=5&fm=webp&lossless=1&max_bytes=1k&n=2&bg=f00";
    presets["huge"] = "w=65535&dpr=5";  // too large after dpr, if it counted
    const std::string plain = canonical(good("fm=json"), settings);
    for (const std::string_view query : {"p=about", "p=small&fm=json", "p=small,about", "p=huge&fm=json",
                                         "p=wide,point&fm=json", "p=about,wide", "p=gray&fm=json"}) {
        EXPECT_EQ(canonical(good(query), settings), plain) << query;
    }
    EXPECT_EQ(canonical(good("p=thumb&fm=json"), settings), "fm=json&wm=logo");
    EXPECT_EQ(canonical(good("p=part&rot=90"), settings), "crop=1,2,3,4&fm=json&rot=90");
    EXPECT_EQ(canonical(good("p=part,wide&fm=png"), settings), "crop=1,2,3,4&fm=png&w=1600");
    EXPECT_EQ(refused("p=about&w=5"), "w");
    EXPECT_EQ(refused("p=part&q=5"), "q");
    EXPECT_EQ(good("p=wide,part").presets, (std::vector<std::string>{"part", "wide"})) << "PURGE asks";
    // Whoever is refused for what a preset says is told its name, as for a picture.
    EXPECT_EQ(with_preset({422, "nothing", "crop"}, good("p=part")).detail, "in preset \"part\": nothing");
    context.presets_only = true;
    EXPECT_TRUE(good("p=about").describe);
    EXPECT_EQ(refused("p=wide&fm=json", 403), "fm");
    // A preset that asks for both is a mistake that can be found when it is declared.
    EXPECT_TRUE(check_preset("a", "fm=json&trim=3", context));
    EXPECT_TRUE(check_preset("a", "p=small&fm=json", context));
    EXPECT_FALSE(check_preset("a", "w=5&fm=json", context));
    EXPECT_FALSE(check_preset("a", "p=about&w=5", context));
}

TEST_F(ParseDescription, AutoNeverBecomesADescription) {
    context.accept = "application/json,*/*";
    const Rendition r = good("fm=auto");
    EXPECT_FALSE(r.describe);
    EXPECT_TRUE(r.auto_formats.empty());
    EXPECT_EQ(canonical(good("fm=json"), settings), "fm=json");
}

}  // namespace
}  // namespace media
