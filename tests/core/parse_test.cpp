#include <gtest/gtest.h>

#include <algorithm>

#include "tests/core/parse_fixture.h"

namespace media {
namespace {

TEST_F(Parse, ReadsEveryParameter) {
    const Rendition r = good(
        "w=400&h=300&dpr=1.5&fit=cover&enlarge=1&g=fp&fx=0.25&fy=1&crop=10,20%25,30.5%25,40&trim=10&rot=90&"
        "flip=hv&blur=0.3&sharpen=1.25&gray=1&bri=0.9&sat=0&hue=359.5&con=10&round=8&bg=12aBcd80&"
        "wm=text,logo&fm=webp&q=70&lossless=1&max_bytes=50k&page=2&n=-1&strip=gps&v=Ab.9_-&dl=a%20b.webp");
    EXPECT_EQ(r.width, 600);
    EXPECT_EQ(r.height, 450);
    EXPECT_EQ(r.dpr, 1.5);
    EXPECT_EQ(r.fit, Fit::cover);
    EXPECT_TRUE(r.enlarge);
    EXPECT_EQ(r.gravity, Gravity::fp);
    EXPECT_EQ(r.focus_x, 0.25);
    EXPECT_EQ(r.focus_y, 1);
    EXPECT_EQ(r.crop, (Crop{{10, false}, {20, true}, {30.5, true}, {40, false}}));
    EXPECT_EQ(r.trim, 10);
    EXPECT_EQ(r.rotate, 90);
    EXPECT_EQ(r.flip, Flip::hv);
    EXPECT_EQ(r.blur, 0.3);
    EXPECT_EQ(r.sharpen, 1.25);
    EXPECT_TRUE(r.gray);
    EXPECT_EQ(r.brightness, 0.9);
    EXPECT_EQ(r.saturation, 0);
    EXPECT_EQ(r.hue, 359.5);
    EXPECT_EQ(r.contrast, 10);
    EXPECT_EQ(r.round, 12);
    EXPECT_EQ(r.background, (Color{0x12, 0xAB, 0xCD, 0x80}));
    EXPECT_EQ(r.watermarks, (std::vector<std::string>{"text", "logo"}));
    EXPECT_EQ(r.format, Format::webp);
    EXPECT_FALSE(r.auto_format);
    EXPECT_EQ(r.quality, 70);
    EXPECT_TRUE(r.lossless);
    EXPECT_EQ(r.max_bytes, 51200U);
    EXPECT_EQ(r.page, 2);
    EXPECT_EQ(r.pages, all_pages);
    EXPECT_EQ(r.strip, Strip::gps);
    EXPECT_EQ(r.version, "Ab.9_-");
    EXPECT_EQ(r.download, "a b.webp");
    EXPECT_FALSE(r.original);
}

TEST_F(Parse, AcceptsTheEndsOfEveryRangeAndEveryWord) {
    for (const std::string_view query : {"w=1",
                                         "w=65535",
                                         "h=1",
                                         "h=65535",
                                         "w=0400",
                                         "dpr=0.5",
                                         "dpr=5",
                                         "dpr=5.000",
                                         "fit=inside",
                                         "fit=outside",
                                         "fit=cover",
                                         "fit=contain",
                                         "fit=fill",
                                         "enlarge=0",
                                         "enlarge=1",
                                         "g=center",
                                         "g=n",
                                         "g=ne",
                                         "g=e",
                                         "g=se",
                                         "g=s",
                                         "g=sw",
                                         "g=w",
                                         "g=nw",
                                         "g=attention",
                                         "g=entropy",
                                         "g=fp",
                                         "g=fp&fx=0",
                                         "g=fp&fy=1",
                                         "crop=0,0,1,1",
                                         "crop=100%25,0%25,100%25,0.5%25",
                                         "crop=1000000,0,1000000,1",
                                         "trim=1",
                                         "trim=255",
                                         "rot=0",
                                         "rot=90",
                                         "rot=180",
                                         "rot=270",
                                         "flip=h",
                                         "flip=v",
                                         "flip=hv",
                                         "blur=0.3",
                                         "blur=100",
                                         "sharpen=0.1",
                                         "sharpen=10",
                                         "gray=0",
                                         "gray=1",
                                         "bri=0",
                                         "bri=10",
                                         "sat=10",
                                         "con=0.0",
                                         "hue=0",
                                         "hue=360",
                                         "round=0",
                                         "round=65535",
                                         "round=max",
                                         "bg=fff",
                                         "bg=FFFF",
                                         "bg=ffffff",
                                         "bg=00000000",
                                         "wm=logo",
                                         "wm=a%20b",
                                         "wm=a%20b,logo",
                                         "fm=jpeg",
                                         "fm=png",
                                         "fm=webp",
                                         "fm=avif",
                                         "fm=gif",
                                         "fm=jxl",
                                         "fm=tiff",
                                         "fm=auto",
                                         "q=1",
                                         "q=100",
                                         "lossless=0",
                                         "lossless=1",
                                         "lossless=0&fm=jpeg",
                                         "lossless=1&fm=png",
                                         "lossless=1&fm=tiff",
                                         "lossless=1&fm=auto",
                                         "max_bytes=1",
                                         "max_bytes=1g",
                                         "max_bytes=1024M",
                                         "max_bytes=50K",
                                         "page=0",
                                         "page=100000",
                                         "n=1",
                                         "n=100000",
                                         "n=-1",
                                         "strip=all",
                                         "strip=none",
                                         "strip=gps",
                                         "v=a",
                                         "dl=a",
                                         "dl=%C3%A9.jpg",
                                         "dl='.jpg",
                                         "dl=..a",
                                         "p=thumb",
                                         "p=thumb,wide",
                                         "p=a%20b",
                                         "fit=cover&w=10",
                                         "q=50&fm=png"}) {
        good(query);
    }
    good("v=" + std::string(64, 'a'));
    good("dl=" + std::string(255, 'a'));
}

TEST_F(Parse, RefusesAndNamesEverythingElse) {
    const struct {
        std::string query;
        std::string parameter;
    } cases[] = {
        {"w=0", "w"},
        {"w=65536", "w"},
        {"w=-1", "w"},
        {"w=+1", "w"},
        {"w=1.5", "w"},
        {"w=1e2", "w"},
        {"w= 1", "w"},
        {"w=0x10", "w"},
        {"w=99999999999999999999999", "w"},
        {"w=", "w"},
        {"w", "w"},
        {"w=1,2", "w"},
        {"w=%00", "w"},
        {"w=4%0A", "w"},
        {"w=4%", "w"},
        {"w=4%3", "w"},
        {"w=4%3g", "w"},
        {"w=\xC2\xB2", "w"},
        {"h=0", "h"},
        {"h=", "h"},
        {"dpr=0.49", "dpr"},
        {"dpr=5.0000001", "dpr"},
        {"dpr=0.4999999999", "dpr"},
        {"dpr=nan", "dpr"},
        {"dpr=inf", "dpr"},
        {"dpr=1e0", "dpr"},
        {"dpr=.5", "dpr"},
        {"dpr=1.", "dpr"},
        {"dpr=1.2.3", "dpr"},
        {"dpr=-1", "dpr"},
        {"dpr=1,5", "dpr"},
        {"fit=Cover", "fit"},
        {"fit=", "fit"},
        {"enlarge=2", "enlarge"},
        {"enlarge=true", "enlarge"},
        {"g=north", "g"},
        {"fx=0.5", "fx"},
        {"fy=0.5&g=center", "fy"},
        {"g=fp&fx=1.1", "fx"},
        {"g=fp&fy=-0.1", "fy"},
        {"crop=1,2,3", "crop"},
        {"crop=1,2,3,4,5", "crop"},
        {"crop=1,2,3,", "crop"},
        {"crop=,2,3,4", "crop"},
        {"crop=1,2,0,4", "crop"},
        {"crop=1,2,3,0%25", "crop"},
        {"crop=1.5,2,3,4", "crop"},
        {"crop=101%25,2,3,4", "crop"},
        {"crop=1,2,3,4%", "crop"},
        {"crop=1,2,3,%25", "crop"},
        {"crop=-1,2,3,4", "crop"},
        {"crop=1000001,2,3,4", "crop"},
        {"trim=0", "trim"},
        {"trim=256", "trim"},
        {"rot=45", "rot"},
        {"rot=360", "rot"},
        {"rot=090", "rot"},
        {"flip=vh", "flip"},
        {"flip=0", "flip"},
        {"blur=0.29", "blur"},
        {"blur=100.1", "blur"},
        {"sharpen=0.09", "sharpen"},
        {"sharpen=10.1", "sharpen"},
        {"gray=2", "gray"},
        {"bri=10.1", "bri"},
        {"sat=-1", "sat"},
        {"con=11", "con"},
        {"hue=360.1", "hue"},
        {"hue=-90", "hue"},
        {"round=-1", "round"},
        {"round=65536", "round"},
        {"round=Max", "round"},
        {"bg=ff", "bg"},
        {"bg=fffff", "bg"},
        {"bg=%23fff", "bg"},
        {"bg=ggg", "bg"},
        {"bg=fffffffff", "bg"},
        {"wm=nope", "wm"},
        {"wm=logo,", "wm"},
        {"wm=,logo", "wm"},
        {"wm=logo,logo", "wm"},
        {"wm=logo,text,logo", "wm"},
        {"fm=heic", "fm"},
        {"fm=svg", "fm"},
        {"fm=pdf", "fm"},
        {"fm=JPEG", "fm"},
        {"fm=jpg", "fm"},
        {"q=0", "q"},
        {"q=101", "q"},
        {"lossless=2", "lossless"},
        {"lossless=1&fm=jpeg", "lossless"},
        {"fm=gif&lossless=1", "lossless"},
        {"max_bytes=0", "max_bytes"},
        {"max_bytes=0k", "max_bytes"},
        {"max_bytes=k", "max_bytes"},
        {"max_bytes=1.5k", "max_bytes"},
        {"max_bytes=2g", "max_bytes"},
        {"max_bytes=17179869184g", "max_bytes"},
        {"max_bytes=1kk", "max_bytes"},
        {"max_bytes=1t", "max_bytes"},
        {"page=-1", "page"},
        {"page=100001", "page"},
        {"n=0", "n"},
        {"n=-2", "n"},
        {"n=-01", "n"},
        {"strip=exif", "strip"},
        {"v=a%20b", "v"},
        {"v=%C3%A9", "v"},
        {"v=" + std::string(65, 'a'), "v"},
        {"dl=a/b", "dl"},
        {"dl=a%5Cb", "dl"},
        {"dl=%22", "dl"},
        {"dl=a%0D%0Ab", "dl"},
        {"dl=%00", "dl"},
        {"dl=..", "dl"},
        {"dl=.", "dl"},
        {"dl=%FF", "dl"},
        {"dl=" + std::string(256, 'a'), "dl"},
        {"p=nope", "p"},
        {"p=", "p"},
        {"p=thumb,", "p"},
        {"p=thumb,thumb", "p"},
        {"p=%0a", "p"},
        {"p=wrong", "w"},
        {"p=loop", "p"},
        // names
        {"x=1", "x"},
        {"W=1", "W"},
        {"w%20=1", "w "},
        {"=1", ""},
        {"exp=tomorrow", "exp"},
        {"s=abc", "s"},
        {"w=1&w=1", "w"},
        {"w=1&%77=2", "w"},
        {"p=thumb&p=wide", "p"},
        {"w=1;h=2", "w"},
        {"%zz=1", "%zz"},
        {"?w=1", "?w"},
        {"w%00=1", "w%00"},
        {std::string(100, 'n') + "=1", std::string(64, 'n')},
        {std::string(63, 'n') + "é=1", std::string(63, 'n')},
        // dpr makes it too large
        {"w=65535&dpr=2", "w"},
        {"h=40000&dpr=5", "h"},
        {"round=65535&dpr=5", "round"},
    };
    for (const auto& [query, parameter] : cases) {
        EXPECT_EQ(refused(query), parameter) << query;
    }
}

TEST_F(Parse, ARowsWordsAndBoundsAreThoseItDocuments) {
    for (const ParameterInfo& row : parameters()) {
        EXPECT_FALSE(row.meaning.empty());
        EXPECT_EQ(row.meaning.find('\n'), std::string_view::npos);
        const std::string name(row.name);
        const std::string with_focus = name == "fx" || name == "fy" ? "g=fp&" : "";
        EXPECT_EQ(refused(with_focus + name + '='), name);
        std::string_view values = row.values;
        // Lists of words and ranges: "0-65535, max". Others are prose.
        while (!values.empty() && values.find('(') == std::string_view::npos && values.find(' ') != 1 &&
               name != "wm" && name != "p" && name != "v" && name != "dl") {
            const std::string value(values.substr(0, values.find(", ")));
            values.remove_prefix(std::min(values.size(), value.size() + 2));
            const std::size_t dash = value.find('-');
            if (dash == std::string::npos || dash == 0) {
                good(with_focus + name + '=' + value);
                continue;
            }
            const std::string low = value.substr(0, dash);
            const std::string high = value.substr(dash + 1);
            good(with_focus + name + '=' + low);
            good(with_focus + name + '=' + high);
            EXPECT_EQ(refused(with_focus + name + '=' + high + "1"), name);
            if (low != "0") {
                EXPECT_EQ(refused(with_focus + name + "=0"), name);
            }
        }
    }
}

TEST_F(Parse, DecodesNamesAndValues) {
    EXPECT_EQ(good("%77=%34%30%30&f%69t=co%76er&h=1").width, 400);
    EXPECT_EQ(good("dl=%c3%a9%C3%A9").download, "éé");
    EXPECT_EQ(good("dl=a+b=c%26").download, "a+b=c&");
    EXPECT_EQ(good("&&w=1&&&h=2&").height, 2);
    EXPECT_TRUE(good("&&").original);
}

TEST_F(Parse, FoldsDprInRoundedHalfUp) {
    const struct {
        std::string_view query;
        std::optional<int> width, height, round;
    } cases[] = {
        {"w=100&dpr=2", 200, {}, {}},           {"w=3&dpr=0.5", 2, {}, {}},    {"w=1&dpr=0.5", 1, {}, {}},
        {"h=101&dpr=1.5", {}, 152, {}},         {"w=10&dpr=1.05", 11, {}, {}},  // 10.5
        {"w=10&dpr=1.049999", 10, {}, {}},      {"dpr=3", {}, {}, {}},         {"round=5&dpr=1.5", {}, {}, 8},
        {"round=max&dpr=2", {}, {}, round_max}, {"round=0&dpr=2", {}, {}, {}}, {"p=wide&dpr=2", 3200, {}, {}},
    };
    for (const auto& c : cases) {
        const Rendition r = good(c.query);
        EXPECT_EQ(r.width, c.width) << c.query;
        EXPECT_EQ(r.height, c.height) << c.query;
        EXPECT_EQ(r.round, c.round) << c.query;
    }
}

TEST_F(Parse, OneSideFitsInside) {
    EXPECT_EQ(good("w=10&fit=cover").fit, Fit::inside);
    EXPECT_EQ(good("h=10&fit=fill").fit, Fit::inside);
    EXPECT_EQ(good("fit=contain").fit, Fit::inside);
    EXPECT_EQ(good("w=1&h=10&fit=fill").fit, Fit::fill);
}

TEST_F(Parse, TheOriginalIsWantedOnlyWithoutParameters) {
    for (const std::string_view query : {"", "&", "v=1", "dl=a.jpg", "v=1&dl=a.jpg"}) {
        EXPECT_TRUE(good(query).original) << query;
    }
    for (const std::string_view query :
         {"w=1", "fit=inside", "dpr=1", "v=1&q=80", "p=thumb", "p=empty", "fm=auto"}) {
        EXPECT_FALSE(good(query).original) << query;
    }
}

TEST_F(Parse, PresetsComeFirstAndTheUrlWins) {
    Rendition r = good("w=50&p=thumb");
    EXPECT_EQ(r.width, 50);
    EXPECT_EQ(r.height, 100);
    EXPECT_EQ(r.fit, Fit::cover);
    EXPECT_EQ(r.watermarks, (std::vector<std::string>{"logo"}));
    EXPECT_EQ(good("p=thumb&wm=text").watermarks, (std::vector<std::string>{"text"}));
    EXPECT_EQ(good("p=thumb,wide").width, 1600);
    EXPECT_EQ(good("p=wide,thumb").width, 100);
    r = good("p=soft");  // its own parameters come after those of the preset it names
    EXPECT_EQ(r.width, 100);
    EXPECT_EQ(r.blur, 2);
    EXPECT_EQ(r.quality, 50);
    EXPECT_FALSE(good("p=gray&gray=0").gray);
    EXPECT_EQ(good("p=%61%20b").width, 7);
    // A point belongs to g=fp, wherever that was said.
    EXPECT_EQ(good("p=point&fx=0.7").focus_x, 0.7);
    EXPECT_EQ(good("p=point&fx=0.7").focus_y, 0.1);
    EXPECT_EQ(good("p=point&g=n").focus_x, 0.5);
    EXPECT_EQ(refused("p=point&g=n&fx=0.7"), "fx");
    context.presets = nullptr;
    EXPECT_EQ(refused("p=thumb"), "p");
}

TEST_F(Parse, PresetsOnlyRefusesEverythingElse) {
    context.presets_only = true;
    EXPECT_EQ(good("p=thumb").width, 100);
    EXPECT_EQ(good("p=soft").width, 100);
    EXPECT_TRUE(good("").original);
    EXPECT_EQ(refused("p=thumb&w=1", 403), "w");
    EXPECT_EQ(refused("w=", 403), "w");
    EXPECT_EQ(refused("nonsense=1", 403), "nonsense");
    EXPECT_EQ(refused("v=1", 403), "v");
    EXPECT_EQ(refused("dl=a", 403), "dl");
    EXPECT_EQ(refused("p=nope"), "p");
    EXPECT_EQ(refused("p=thumb&p=thumb"), "p");
}

TEST_F(Parse, ChecksPresetsWhenTheyAreDeclared) {
    EXPECT_TRUE(check_preset("new", "w=100&p=thumb&fm=auto", context));
    context.presets_only = true;  // is about URLs
    EXPECT_TRUE(check_preset("new", "w=100", context));
    const struct {
        std::string_view name, query, parameter;
    } cases[] = {
        {"new", "w=0", "w"},
        {"new", "x=1", "x"},
        {"new", "w=1&w=2", "w"},
        {"new", "p=later", "p"},
        {"new", "p=new", "p"},
        {"new", "wm=nope", "wm"},
        {"new", "fm=jpeg&lossless=1", "lossless"},
        {"new", "fx=0.5", "fx"},
        {"", "w=1", ""},
        {"a,b", "w=1", ""},
        {"a\n", "w=1", ""},
    };
    for (const auto& c : cases) {
        const Status status = check_preset(c.name, c.query, context);
        ASSERT_FALSE(status) << c.query;
        EXPECT_EQ(status.error().parameter, c.parameter);
        EXPECT_NE(status.error().detail.find(c.name), std::string::npos) << status.error().detail;
    }
}

TEST_F(Parse, AFormatThisBuildLacksIs415) {
    set_buildable_formats({Format::jpeg, Format::webp});
    EXPECT_EQ(refused("fm=avif", 415), "fm");
    EXPECT_EQ(refused("fm=heic"), "fm");
    EXPECT_EQ(good("fm=webp").format, Format::webp);
    context.accept = "image/avif,image/webp";
    EXPECT_EQ(good("fm=auto").auto_formats, (std::vector<Format>{Format::webp}));
}

TEST_F(Parse, AutoTakesWhatAcceptNames) {
    const std::vector<Format> neither, avif{Format::avif}, webp{Format::webp},
        both{Format::avif, Format::webp};
    const struct {
        std::string_view accept;
        std::vector<Format> formats;
    } cases[] = {
        {"", neither},
        {"*/*", neither},
        {"image/*", neither},
        {"text/html,image/webp,*/*;q=0.8", webp},
        {"image/webp,image/avif", both},  // the operator's order
        {"IMAGE/WebP", webp},
        {" image/webp ; q=0.5 , image/avif;q=1.0", both},
        {"image/webp;q=0", neither},
        {"image/webp;q=0.000,image/avif", avif},
        {"image/webp;Q=0", neither},
        {"image/webp;q=0.001", webp},
        {"image/webp;q=x", neither},
        {"image/webp;q=", neither},
        {"image/webp;q", neither},
        {"image/webp;v=1;q=0", neither},
        {"image/webp;v=\"a,image/avif;q=0\";x=y", webp},
        {"image/webp;v=\"\\\",image/avif\"", webp},
        {"image/webp;v=\"unclosed,image/avif", webp},
        {"image/webpx,ximage/avif,image/ webp", neither},
        {",,;,=,\"", neither},
    };
    for (const auto& c : cases) {
        context.accept = c.accept;
        const Rendition r = good("fm=auto");
        EXPECT_TRUE(r.auto_format);
        EXPECT_FALSE(r.format);
        EXPECT_EQ(r.auto_formats, c.formats) << c.accept;
        EXPECT_TRUE(good("w=1").auto_formats.empty());
    }
}

TEST_F(Parse, TheLaterFormatReplacesTheEarlier) {
    presets["auto"] = "fm=auto";
    presets["jpeg"] = "fm=jpeg";
    EXPECT_FALSE(good("p=auto&fm=png").auto_format);
    EXPECT_EQ(good("p=auto&fm=png").format, Format::png);
    EXPECT_TRUE(good("p=jpeg&fm=auto").auto_format);
    EXPECT_FALSE(good("p=jpeg&fm=auto").format);
}

}  // namespace
}  // namespace media
