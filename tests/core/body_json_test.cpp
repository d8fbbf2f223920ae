// JSON bodies.
#include <gtest/gtest.h>

#include <string>

#include "core/store/body.h"
#include "tests/core/body_fixture.h"

namespace media {
namespace {

using namespace std::string_view_literals;
using testing::expect_log;
using testing::parsed_whole;

TEST(JsonBody, CarriesFilesAndUrls) {
    struct Case {
        std::string_view body, log;
    };
    constexpr Case cases[] = {
        {R"({"data":{"image":"aGVsbG8="}})", "file(hello) "},
        {" {\t\"data\" :\r\n { \"image\" : \"aGVsbG8\" } } \n", "file(hello) "},
        {R"({"data":[{"image":"YQ=="},{"image":"YWI="},{"image":"YWJj"}]})", "file(a) file(ab) file(abc) "},
        {R"({"data":{"image":""}})", "file() "},
        {R"({"data":{"image":"PDw_Pz8-"}})", "file(<<?\?\?>) "},
        {R"({"data":{"image":"PDw\/Pz8+"}})", "file(<<?\?\?>) "},
        {R"({"\u0064ata":{"im\u0061ge":"\u0059WJj"}})", "file(abc) "},
        {R"({"data":{"image":"data:image/png;base64,YWJj"}})", "file(abc) "},
        {R"({"data":{"image":"DATA:;BASE64,YWJj"}})", "file(abc) "},
        {R"({"data":{"image":"data:image/svg+xml;charset=utf-8;base64,YWJj"}})", "file(abc) "},
        {R"({"data":{"image":"data:;base64,YW%4aj%3D"}})", "fail(400 a file is not base 64) "},
        {R"({"data":{"image":"data:;base64,YWI%3d"}})", "file(ab) "},
        {R"({"data":{"image":"data:,a%20b+c"}})", "file(a b+c) "},
        {R"({"data":{"image":"data:image/svg+xml,%3Csvg/%3E"}})", "file(<svg/>) "},
        {R"({"data":{"image":"data:,"}})", "file() "},
        {R"({"urls":["https://a.example/b.jpg"]})", "url(https://a.example/b.jpg) "},
        {R"({"urls":["https:\/\/a\/b","","x"],"refetch":true})", "url(https://a/b) url() url(x) refetch(1) "},
        {R"({"refetch":false,"urls":["a"]})", "refetch(0) url(a) "},
        {R"({"urls":["\u00e4\u20AC\ud83d\ude00\u0000\b\f\n\r\t\\\""]})",
         "url(\u00e4\u20AC\U0001F600\0\b\f\n\r\t\\\") "sv},
        {"{\"urls\":[\"gr\u00fc\u00df\U0001F600\"]}", "url(gr\u00fc\u00df\U0001F600) "},
    };
    for (const Case& c : cases) {
        expect_log("application/json", c.body, c.log);
    }
    EXPECT_EQ(parsed_whole("Application/JSON; charset=utf-8", R"({"urls":["a"]})"), "url(a) ");
}

TEST(JsonBody, FilesFailAlone) {
    struct Case {
        std::string_view image, log;
    };
    constexpr std::string_view no_base64 = "fail(400 a file is not base 64) ";
    constexpr Case cases[] = {
        {"a", no_base64},
        {"YWJjZ", no_base64},
        {"YQ=", no_base64},
        {"YQ===", no_base64},
        {"YWI==", no_base64},
        {"YWJj=", no_base64},
        {"====", no_base64},
        {"YQ==YQ==", no_base64},
        {"YR==", no_base64},
        {"YWJ=", no_base64},
        {"YWJj\\n", no_base64},
        {"YW Jj", no_base64},
        {"not base 64!", no_base64},
        {"\xC3\xA4", no_base64},
        {"data", "file(u\xABZ) "},
        {"dat", no_base64},
        {"data:", "fail(400 a data URI has no comma) "},
        {"data:image/png;base64", "fail(400 a data URI has no comma) "},
        {"data:;base64,Y", no_base64},
        {"data:;base64,a b=", no_base64},
        {"data:;base64,YQ=%3", "fail(400 a data URI has a malformed percent escape) "},
        {"data:,%4", "fail(400 a data URI has a malformed percent escape) "},
        {"data:,%4x", "fail(400 a data URI has a malformed percent escape) "},
        {"http://a/b.jpg", no_base64},
    };
    for (const Case& c : cases) {
        const std::string body =
            R"({"data":[{"image":"YQ=="},{"image":")" + std::string{c.image} + R"("},{"image":"Yg=="}]})";
        expect_log("application/json", body, "file(a) " + std::string{c.log} + "file(b) ");
    }
    const std::string long_type = "data:" + std::string(1100, 'x') + ",a";
    EXPECT_EQ(parsed_whole("application/json", R"({"data":{"image":")" + long_type + R"("}})"),
              "fail(400 a data URI has too long a media type) ");
}

TEST(JsonBody, IsRefused) {
    struct Case {
        std::string_view body, log;
    };
    constexpr Case cases[] = {
        {"", "400 the body is not JSON: it ends too early"},
        {" ", "400 the body is not JSON: it ends too early"},
        {"{", "400 the body is not JSON: it ends too early"},
        {"x", "400 the body is not JSON"},
        {"\xEF\xBB\xBF{}", "400 the body is not JSON"},
        {"[]", "400 the body is not a JSON object"},
        {"\"a\"", "400 the body is not a JSON object"},
        {"1", "400 the body is not a JSON object"},
        {"null", "400 the body is not a JSON object"},
        {"true", "400 the body is not a JSON object"},
        {"{}", "400 neither \"data\" nor \"urls\" is given"},
        {"{,}", "400 the body is not JSON"},
        {"{\"urls\"}", "400 the body is not JSON"},
        {"{\"urls\":}", "400 the body is not JSON"},
        {"{\"urls\":[\"a\"],}", "url(a) 400 the body is not JSON"},
        {"{\"urls\":[\"a\",]}", "url(a) 400 the body is not JSON"},
        {"{\"urls\":[,\"a\"]}", "400 the body is not JSON"},
        {"{\"urls\":[\"a\" \"b\"]}", "url(a) 400 the body is not JSON"},
        {"{\"urls\":[\"a\"}", "url(a) 400 the body is not JSON"},
        {"{\"urls\":[\"a\"]", "url(a) 400 the body is not JSON: it ends too early"},
        {"{\"urls\":[\"a\"]} x", "url(a) 400 the body is not JSON: something follows it"},
        {"{\"urls\":[\"a\"]}{}", "url(a) 400 the body is not JSON: something follows it"},
        {"{'urls':[]}", "400 the body is not JSON"},
        {"{\"urls\":[]}", "400 \"urls\" is an empty list"},
        {"{\"urls\":\"a\"}", "400 \"urls\" is not a list"},
        {"{\"urls\":{}}", "400 \"urls\" is not a list"},
        {"{\"urls\":null}", "400 \"urls\" is not a list"},
        {"{\"urls\":[1]}", "400 \"urls\" holds something that is not a string"},
        {"{\"urls\":[[\"a\"]]}", "400 \"urls\" holds something that is not a string"},
        {"{\"urls\":[{}]}", "400 \"urls\" holds something that is not a string"},
        {"{\"urls\":[false]}", "400 \"urls\" holds something that is not a string"},
        {"{\"urls\":[\"a\"],\"urls\":[\"b\"]}", "url(a) 400 more than one of \"data\" and \"urls\" is given"},
        {"{\"urls\":[\"a\"],\"data\":[]}", "url(a) 400 more than one of \"data\" and \"urls\" is given"},
        {"{\"urls\":[\"a\"],\"refetch\":1}", "url(a) 400 \"refetch\" is neither true nor false"},
        {"{\"urls\":[\"a\"],\"refetch\":\"true\"}", "url(a) 400 \"refetch\" is neither true nor false"},
        {"{\"urls\":[\"a\"],\"refetch\":true,\"refetch\":true}",
         "url(a) refetch(1) 400 \"refetch\" is given twice"},
        {"{\"urls\":[\"a\"],\"refetch\":tru}", "url(a) 400 the body is not JSON"},
        {"{\"urls\":[\"a\"],\"refetch\":falsee}", "url(a) refetch(0) 400 the body is not JSON"},
        {"{\"refetch\":true}", "refetch(1) 400 neither \"data\" nor \"urls\" is given"},
        {"{\"refetch\":true,\"data\":{\"image\":\"YQ==\"}}",
         "refetch(1) file(a) 400 \"refetch\" goes with \"urls\" only"},
        {"{\"urls\":[\"a\"],\"uri\":1}", "url(a) 400 unknown member \"uri\""},
        {"{\"Data\":{}}", "400 unknown member \"Data\""},
        {"{\"image\":\"YQ==\"}", "400 unknown member \"image\""},
        {"{\"data\":{}}", "400 \"image\" is missing in \"data\""},
        {"{\"data\":[]}", "400 \"data\" is an empty list"},
        {"{\"data\":[{}]}", "400 \"image\" is missing in \"data\""},
        {"{\"data\":[{\"image\":\"YQ==\"},{}]}", "file(a) 400 \"image\" is missing in \"data\""},
        {"{\"data\":\"YQ==\"}", "400 \"data\" is neither an object nor a list"},
        {"{\"data\":true}", "400 \"data\" is neither an object nor a list"},
        {"{\"data\":[\"YQ==\"]}", "400 \"data\" holds something that is not an object"},
        {"{\"data\":[[]]}", "400 \"data\" holds something that is not an object"},
        {"{\"data\":{\"image\":null}}", "400 \"image\" is not a string"},
        {"{\"data\":{\"image\":[\"YQ==\"]}}", "400 \"image\" is not a string"},
        {"{\"data\":{\"image\":{}}}", "400 \"image\" is not a string"},
        {"{\"data\":{\"image\":true}}", "400 \"image\" is not a string"},
        {"{\"data\":{\"image\":-1}}", "400 \"image\" is not a string"},
        {"{\"data\":{\"image\":\"YQ==\",\"image\":\"YQ==\"}}", "file(a) 400 \"image\" is given twice"},
        {"{\"data\":{\"image\":\"YQ==\",\"name\":\"a\"}}", "file(a) 400 unknown member \"name\""},
        {"{\"data\":{\"image\":\"YWJj",
         "fail(400 the body is not JSON: it ends too early) "
         "400 the body is not JSON: it ends too early"},
        {"{\"data\":{\"image\":\"YWJj\n\"}}", "fail(400 the body is not JSON) 400 the body is not JSON"},
        {"{\"urls\":[\"\\x\"]}", "400 the body is not JSON"},
        {"{\"urls\":[\"\\u12\"]}", "400 the body is not JSON"},
        {"{\"urls\":[\"\\uD83D\"]}", "400 the body is not JSON"},
        {"{\"urls\":[\"\\uD83Dx\"]}", "400 the body is not JSON"},
        {"{\"urls\":[\"\\uD83D\\n\"]}", "400 the body is not JSON"},
        {"{\"urls\":[\"\\uD83D\\u0041\"]}", "400 the body is not JSON"},
        {"{\"urls\":[\"\\uDE00\"]}", "400 the body is not JSON"},
        {"{\"urls\":[\"\xFF\"]}", "400 a URL is not UTF-8"},
    };
    for (const Case& c : cases) {
        expect_log("application/json", c.body, c.log);
    }
}

TEST(JsonBody, IsBounded) {
    const auto list = [](std::size_t count) {
        std::string body = R"({"urls":["a")";
        for (std::size_t i = 1; i < count; ++i) {
            body += R"(,"a")";
        }
        return body + "]}";
    };
    EXPECT_TRUE(parsed_whole("application/json", list(max_body_items)).ends_with("url(a) "));
    EXPECT_TRUE(parsed_whole("application/json", list(max_body_items + 1))
                    .ends_with("400 more than 1000 files or URLs in one body"));

    const auto address = [](std::size_t length) {
        return R"({"urls":[")" + std::string(length, 'a') + R"("]})";
    };
    EXPECT_TRUE(parsed_whole("application/json", address(max_body_url)).starts_with("url(aaa"));
    EXPECT_EQ(parsed_whole("application/json", address(max_body_url + 1)),
              "400 a URL has more than 8192 bytes");
    EXPECT_EQ(parsed_whole("application/json", "{\"" + std::string(1000, 'n') + "\":1}"),
              "400 unknown member \"" + std::string(64, 'n') + "\"");
    EXPECT_EQ(parsed_whole("application/json", std::string(100000, '[')),
              "400 the body is not a JSON object");
}

}  // namespace
}  // namespace media
