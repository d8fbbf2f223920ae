#include <gtest/gtest.h>

#include <random>
#include <set>

#include "core/rendition/parse.h"

namespace media {
namespace {

const Presets presets{{"small", "w=200&dpr=2"}, {"soft", "blur=2.50&p=small"}};
const std::vector<std::string> watermarks{"logo", "text", "a b"};
const std::vector<Format> avif_webp{Format::avif, Format::webp};

ParseContext context_of(const RenderSettings& settings) {
    ParseContext context;
    context.presets = &presets;
    context.watermark_names = &watermarks;
    context.settings = &settings;
    context.auto_formats = avif_webp;
    return context;
}

std::string form_of(std::string_view query, std::string_view accept = {},
                    std::span<const Format> preferred = avif_webp) {
    const RenderSettings settings;
    ParseContext context = context_of(settings);
    context.accept = accept;
    context.auto_formats = preferred;
    const auto parsed = parse_query(query, context);
    return parsed ? canonical(*parsed, settings) : "refused: " + std::string(query);
}

TEST(Canonical, HoldsWhatMattersInOneSpelling) {
    const struct {
        std::string_view query, form;
    } cases[] = {
        {"", ""},
        {"w=400", "w=400"},
        {"w=400&h=300", "h=300&w=400"},
        {"h=300&w=400", "h=300&w=400"},
        {"%77=4%30%30", "w=400"},
        {"w=0400", "w=400"},
        {"p=small", "w=400"},
        {"p=soft", "blur=2.5&w=400"},
        // dpr
        {"w=200&dpr=2", "w=400"},
        {"w=400&dpr=1.0", "w=400"},
        {"dpr=2", ""},
        {"round=10&dpr=2", "round=20"},
        {"round=max&dpr=2", "round=max"},
        // spelled-out defaults
        {"dpr=1&fit=inside&enlarge=0&g=center&rot=0&gray=0&bri=1&sat=1.0&con=1.000&hue=0&round=0&lossless=0&"
         "page=0&strip=all",
         ""},
        {"hue=360", ""},
        // geometry without effect
        {"fit=cover&enlarge=1&g=n", ""},
        {"w=400&fit=cover&g=attention", "w=400"},
        {"w=400&enlarge=1", "enlarge=1&w=400"},
        {"w=4&h=3&fit=inside&g=n", "h=3&w=4"},
        {"w=4&h=3&fit=contain&g=n", "fit=contain&h=3&w=4"},
        {"w=4&h=3&fit=cover&g=n", "fit=cover&g=n&h=3&w=4"},
        {"w=4&h=3&fit=cover&g=center", "fit=cover&h=3&w=4"},
        {"w=4&h=3&fit=cover&g=fp&fx=0.30", "fit=cover&fx=0.3&g=fp&h=3&w=4"},
        {"w=4&h=3&fit=cover&g=fp&fx=0.5&fy=1", "fit=cover&fy=1&g=fp&h=3&w=4"},
        {"w=4&h=3&fit=cover&g=fp&fx=0.50", "fit=cover&h=3&w=4"},
        {"w=4&h=3&fit=cover&g=fp&fx=0.33333333333333333333", "fit=cover&fx=0.333333&g=fp&h=3&w=4"},
        // formats and quality
        {"fm=jpeg", "fm=jpeg"},
        {"fm=jpeg&q=80", "fm=jpeg"},
        {"fm=jpeg&q=81", "fm=jpeg&q=81"},
        {"q=80", "q=80"},
        {"fm=png&q=50", "fm=png"},
        {"fm=png&lossless=1", "fm=png"},
        {"fm=tiff&lossless=1&q=3", "fm=tiff"},
        {"fm=webp&lossless=1&q=50", "fm=webp&lossless=1"},
        {"lossless=1&q=50", "lossless=1"},
        {"max_bytes=50k", "max_bytes=51200"},
        {"max_bytes=51200", "max_bytes=51200"},
        {"fm=jpeg&n=1", "fm=jpeg"},
        {"fm=jpeg&n=-1", "fm=jpeg&n=-1"},
        {"fm=webp&n=-1", "fm=webp"},
        {"fm=webp&n=1", "fm=webp&n=1"},
        {"n=1", "n=1"},
        {"page=3&n=2", "n=2&page=3"},
        // colours
        {"bg=FFF", "bg=ffffff"},
        {"bg=1aBf", "bg=11aabb"},
        {"bg=01020304", "bg=01020304"},
        {"bg=fff&fm=jpeg", "fm=jpeg"},
        {"bg=fff8&fm=jpeg", "bg=ffffff88&fm=jpeg"},
        {"bg=fff&fm=png", "bg=ffffff&fm=png"},
        // the rest
        {"crop=1,02,3%25,4.50%25", "crop=1,2,3%25,4.5%25"},
        {"wm=text,a%20b", "wm=text,a%20b"},
        {"wm=logo%2ctext", "wm=logo,text"},
        {"trim=10&flip=hv&rot=270&sharpen=1.50&strip=none&gray=1&sat=0.50",
         "flip=hv&gray=1&rot=270&sat=0.5&sharpen=1.5&strip=none&trim=10"},
        {"v=1.0", "v=1.0"},
        {"dl=a.jpg&w=1", "w=1"},
    };
    for (const auto& [query, form] : cases) {
        EXPECT_EQ(form_of(query), form) << query;
    }
}

TEST(Canonical, AutoHoldsTheFirstFormatOfTheNegotiation) {
    const std::vector<Format> many{Format::avif, Format::jxl, Format::webp, Format::gif};
    EXPECT_EQ(form_of("fm=auto"), "fm=auto");
    EXPECT_EQ(form_of("fm=auto", "*/*"), "fm=auto");
    EXPECT_EQ(form_of("fm=auto", "image/webp,image/avif"), "fm=auto.avif");
    EXPECT_EQ(form_of("fm=auto", "image/avif;q=0.9,image/webp;q=1,text/html"), "fm=auto.avif");
    EXPECT_EQ(form_of("fm=auto", "image/webp"), "fm=auto.webp");
    EXPECT_EQ(form_of("fm=auto", "image/avif"), "fm=auto.avif");
    EXPECT_EQ(form_of("fm=auto", "image/avif,image/jxl,image/webp,image/gif", many), "fm=auto.avif");
    EXPECT_EQ(form_of("fm=auto", "image/jxl,image/gif", many), "fm=auto.jxl");
    EXPECT_EQ(form_of("fm=jpeg", "image/avif"), "fm=jpeg");
}

TEST(Canonical, TheLocationsQualityIsTheDefault) {
    RenderSettings settings;
    settings.quality[static_cast<std::size_t>(Format::jpeg)] = 70;
    const ParseContext context = context_of(settings);
    EXPECT_EQ(canonical(*parse_query("fm=jpeg&q=70", context), settings), "fm=jpeg");
    EXPECT_EQ(canonical(*parse_query("fm=jpeg&q=80", context), settings), "fm=jpeg&q=80");
}

TEST(Canonical, ADescriptionIsToldApartByWhatItMeans) {
    EXPECT_EQ(form_of("fm=json"), "fm=json");
    EXPECT_EQ(form_of("fm=json&rot=0&page=0"), "fm=json");
    EXPECT_EQ(form_of("trim=9&fm=json&rot=90&flip=h&crop=1,2,3,4&page=1&v=7&wm=logo&dl=a.json"),
              "crop=1,2,3,4&flip=h&fm=json&page=1&rot=90&trim=9&v=7&wm=logo");
    EXPECT_NE(form_of("fm=json"), form_of("fm=auto"));
}

TEST(Canonical, NoParameterOfThePictureIsForgotten) {
    // For each row of the table: two queries that must not share a cache entry.
    const struct {
        std::string_view name, one, other;
    } pairs[] = {
        {"w", "w=1", "w=2"},
        {"h", "h=1", "h=2"},
        {"dpr", "w=10&dpr=1", "w=10&dpr=2"},
        {"fit", "w=1&h=1&fit=cover", "w=1&h=1&fit=fill"},
        {"enlarge", "w=1&enlarge=0", "w=1&enlarge=1"},
        {"g", "w=1&h=1&fit=cover&g=n", "w=1&h=1&fit=cover&g=s"},
        {"fx", "w=1&h=1&fit=cover&g=fp&fx=0", "w=1&h=1&fit=cover&g=fp&fx=1"},
        {"fy", "w=1&h=1&fit=cover&g=fp&fy=0", "w=1&h=1&fit=cover&g=fp&fy=1"},
        {"crop", "crop=1,1,1,1", "crop=1,1,1,1%25"},
        {"trim", "trim=1", "trim=2"},
        {"rot", "rot=90", "rot=180"},
        {"flip", "flip=h", "flip=v"},
        {"blur", "blur=1", "blur=1.1"},
        {"sharpen", "sharpen=1", "sharpen=1.1"},
        {"gray", "gray=0", "gray=1"},
        {"bri", "bri=0", "bri=1"},
        {"sat", "sat=0", "sat=1"},
        {"hue", "hue=1", "hue=2"},
        {"con", "con=0", "con=1"},
        {"round", "round=1", "round=max"},
        {"bg", "bg=fff", "bg=ffe"},
        {"wm", "wm=logo,text", "wm=text,logo"},
        {"fm", "fm=jpeg", "fm=png"},
        {"q", "q=1", "q=2"},
        {"lossless", "lossless=0", "lossless=1"},
        {"max_bytes", "max_bytes=1k", "max_bytes=2k"},
        {"page", "page=1", "page=2"},
        {"n", "n=1", "n=-1"},
        {"strip", "strip=none", "strip=gps"},
        {"v", "v=1", "v=2"},
    };
    std::set<std::string_view> seen{"dl", "p", "exp", "s"};  // no part of the picture
    for (const auto& [name, one, other] : pairs) {
        EXPECT_NE(form_of(one), form_of(other)) << name;
        EXPECT_FALSE(form_of(one).starts_with("refused")) << one;
        seen.insert(name);
    }
    for (const ParameterInfo& row : parameters()) {
        EXPECT_TRUE(seen.contains(row.name)) << row.name;
    }
}

class Random {
  public:
    std::size_t below(std::size_t limit) { return engine_() % limit; }
    template <class T, std::size_t count>
    const T& of(const T (&choices)[count]) {
        return choices[below(count)];
    }

  private:
    std::mt19937 engine_{20240101};  // the same each time
};

constexpr std::string_view pieces[] = {"w=400",
                                       "w=1",
                                       "w=65535",
                                       "h=300",
                                       "h=77",
                                       "dpr=2",
                                       "dpr=0.77",
                                       "fit=cover",
                                       "fit=fill",
                                       "fit=contain",
                                       "enlarge=1",
                                       "g=fp",
                                       "g=n",
                                       "g=entropy",
                                       "fx=0.123456789",
                                       "fy=0.9",
                                       "crop=1,2,3,4",
                                       "crop=10%25,0,33.3333333%25,9",
                                       "trim=9",
                                       "rot=90",
                                       "flip=h",
                                       "blur=1.50",
                                       "sharpen=0.7",
                                       "gray=1",
                                       "bri=0.0000001",
                                       "sat=2.1",
                                       "hue=360",
                                       "hue=12.25",
                                       "con=9.99",
                                       "round=7",
                                       "round=max",
                                       "bg=Abc",
                                       "bg=01020304",
                                       "wm=logo",
                                       "wm=a%20b,text",
                                       "fm=jpeg",
                                       "fm=png",
                                       "fm=webp",
                                       "fm=gif",
                                       "fm=auto",
                                       "q=80",
                                       "q=33",
                                       "lossless=1",
                                       "lossless=0",
                                       "max_bytes=9k",
                                       "page=0",
                                       "page=4",
                                       "n=-1",
                                       "n=1",
                                       "strip=gps",
                                       "v=x.Y-1",
                                       "dl=a%C3%A9",
                                       "p=small",
                                       "p=soft",
                                       "p=soft,small",
                                       "exp=1",
                                       "%",
                                       "=",
                                       "w"};

TEST(Canonical, IsItsOwnCanonicalFormWhateverWasAsked) {
    const RenderSettings settings;
    ParseContext context = context_of(settings);
    Random random;
    int accepted = 0;
    for (int round = 0; round < 20000; ++round) {
        std::string query;
        for (std::size_t count = random.below(8); count > 0; --count) {
            query += random.of(pieces);
            query += '&';
        }
        if (round % 2 != 0) {
            for (std::size_t count = random.below(4); count > 0 && !query.empty(); --count) {
                const char bytes[] = {
                    static_cast<char>(random.below(256)), '%', '&', '=', ',', '0', '9', '.'};
                const std::size_t at = random.below(query.size());
                switch (random.below(3)) {
                    case 0:
                        query[at] = random.of(bytes);
                        break;
                    case 1:
                        query.insert(at, 1, random.of(bytes));
                        break;
                    default:
                        query.erase(at, 1);
                }
            }
        }
        const auto first = parse_query(query, context);
        if (!first) {
            ASSERT_TRUE(first.error().status == 400) << query;
            ASSERT_LE(first.error().parameter.size(), 64U);
            continue;
        }
        ++accepted;
        const std::string form = canonical(*first, settings);
        const auto second = parse_query(form, context);
        ASSERT_TRUE(second) << query << " -> " << form << ": " << second.error().detail;
        ASSERT_EQ(canonical(*second, settings), form) << query;
        std::string reversed;  // another order of the same pairs
        for (std::size_t end = form.size(); end != std::string::npos && !form.empty();) {
            const std::size_t begin = end == 0 ? std::string::npos : form.rfind('&', end - 1);
            const std::size_t from = begin == std::string::npos ? 0 : begin + 1;
            reversed += form.substr(from, end - from) + '&';
            end = begin;
        }
        const auto third = parse_query(reversed, context);
        ASSERT_TRUE(third) << reversed;
        ASSERT_EQ(canonical(*third, settings), form);
    }
    EXPECT_GT(accepted, 3000);
}

TEST(Canonical, RandomBytesNeverDoHarm) {
    const RenderSettings settings;
    ParseContext context = context_of(settings);
    Random random;
    for (int round = 0; round < 20000; ++round) {
        // Of the exact length, for the sanitizers.
        std::vector<char> bytes(random.below(40));
        const std::string_view likely = "wh&&==%%,,.0123456789abfgpn-";
        for (char& byte : bytes) {
            byte = random.below(8) == 0 ? static_cast<char>(random.below(256))
                                        : likely[random.below(likely.size())];
        }
        const std::string_view text(bytes.data(), bytes.size());
        context.accept = text;
        (void)parse_query("fm=auto", context);
        context.accept = {};
        if (const auto parsed = parse_query(text, context)) {
            (void)canonical(*parsed, settings);
        }
    }
}

}  // namespace
}  // namespace media
