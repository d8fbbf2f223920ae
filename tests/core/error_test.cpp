#include "core/base/error.h"

#include <gtest/gtest.h>

#include "core/base/utf8.h"

namespace media {
namespace {

TEST(Error, TitlesAreThoseOfRfc9110) {
    EXPECT_EQ(title_of(400), "Bad Request");
    EXPECT_EQ(title_of(410), "Gone");
    EXPECT_EQ(title_of(413), "Content Too Large");
    EXPECT_EQ(title_of(415), "Unsupported Media Type");
    EXPECT_EQ(title_of(422), "Unprocessable Content");
    EXPECT_EQ(title_of(504), "Gateway Timeout");
    EXPECT_EQ(title_of(299), "Error");
    for (const int status : {400, 401, 403, 404, 405, 409, 410, 413, 415, 422, 500, 502, 503, 504}) {
        EXPECT_NE(title_of(status), "Error") << status;
    }
}

TEST(Error, ProblemNamesTheParameterWhereThereIsOne) {
    EXPECT_EQ(problem_json({400, "expected 1-100", "q"}),
              R"({"status":400,"title":"Bad Request","detail":"expected 1-100","param":"q"})");
    EXPECT_EQ(problem_json({404, "no such original"}),
              R"({"status":404,"title":"Not Found","detail":"no such original"})");
}

TEST(Error, ProblemAlwaysHasADetail) {
    EXPECT_EQ(problem_json({502, ""}), R"({"status":502,"title":"Bad Gateway","detail":"Bad Gateway"})");
}

TEST(JsonString, EscapesAndRepairs) {
    const std::string replacement = "\xEF\xBF\xBD";
    const struct {
        std::string text;
        std::string json;
    } cases[] = {
        {"", R"("")"},
        {"a", R"("a")"},
        {"a\"b\\c/", R"("a\"b\\c/")"},
        {"\b\f\n\r\t", R"("\b\f\n\r\t")"},
        {std::string("\0\x1F", 2), R"("\u0000\u001f")"},
        {"\x7F", "\"\x7F\""},
        {"é€𝄞", "\"é€𝄞\""},
        {"\xFF", '"' + replacement + '"'},
        {"\x80x", '"' + replacement + "x\""},
        {"\xC3", '"' + replacement + '"'},
        {"\xE2\x82", '"' + replacement + '"'},                                  // cut short: one
        {"\xE2\x82\"", '"' + replacement + "\\\"\""},                           // the quote is not swallowed
        {"\xC0\xAF", '"' + replacement + replacement + '"'},                    // overlong
        {"\xE0\x80\x80", '"' + replacement + replacement + replacement + '"'},  // overlong
        {"\xED\xA0\x80", '"' + replacement + replacement + replacement + '"'},  // surrogate
        {"\xF4\x90\x80\x80", '"' + replacement + replacement + replacement + replacement + '"'},
        {"\xF0\x9D\x84 ", '"' + replacement + " \""},
    };
    for (const auto& [text, json] : cases) {
        EXPECT_EQ(json_string(text), json);
    }
}

TEST(Utf8, OnlyWellFormedTextPasses) {
    for (const std::string_view good : {"", "a", "\xC2\x80", "\xE0\xA0\x80", "\xED\x9F\xBF", "\xEE\x80\x80",
                                        "\xF0\x90\x80\x80", "\xF4\x8F\xBF\xBF"}) {
        EXPECT_TRUE(is_utf8(good));
    }
    for (const std::string_view bad : {"\x80", "\xC1\xBF", "\xE0\x9F\xBF", "\xED\xA0\x80", "\xF0\x8F\xBF\xBF",
                                       "\xF4\x90\x80\x80", "\xF5\x80\x80\x80", "a\xC3", "\xE2\x28\xA1"}) {
        EXPECT_FALSE(is_utf8(bad));
    }
}

}  // namespace
}  // namespace media
