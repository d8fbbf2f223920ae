// Queries in a location that has everything parsing can ask for.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/rendition/parse.h"

namespace media {

/// A location with presets, watermarks and everything else parsing can ask for.
class Parse : public testing::Test {
  protected:
    Parse() {
        context.presets = &presets;
        context.watermark_names = &watermarks;
        context.settings = &settings;
        context.auto_formats = auto_formats;
    }
    ~Parse() override { set_buildable_formats(all); }

    Rendition good(std::string_view query) {
        auto parsed = parse_query(query, context);
        if (!parsed) {
            ADD_FAILURE() << query << ": " << parsed.error().parameter << ": " << parsed.error().detail;
            return {};
        }
        return std::move(*parsed);
    }
    /// Expects a refusal; the parameter it names.
    std::string refused(std::string_view query, int status = 400) {
        auto parsed = parse_query(query, context);
        if (parsed) {
            ADD_FAILURE() << query << " was accepted";
            return {};
        }
        EXPECT_EQ(parsed.error().status, status) << query;
        EXPECT_FALSE(parsed.error().detail.empty()) << query;
        return parsed.error().parameter;
    }

    const FormatSet all = buildable_formats();
    Presets presets{{"thumb", "w=100&h=100&fit=cover&wm=logo"},
                    {"wide", "w=1600"},
                    {"soft", "blur=2&p=thumb&q=50"},
                    {"point", "g=fp&fx=0.2&fy=0.1"},
                    {"a b", "w=7"},
                    {"empty", ""},
                    {"gray", "gray=1"},
                    {"loop", "p=loop"},
                    {"wrong", "w=0"}};
    std::vector<std::string> watermarks{"logo", "text", "a b"};
    std::vector<Format> auto_formats{Format::avif, Format::webp};
    RenderSettings settings;
    ParseContext context;
};

}  // namespace media
