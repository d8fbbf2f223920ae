// Bodies that are the file itself, and which Content-Type is taken for what.
#include "core/store/body.h"

#include <gtest/gtest.h>

#include "tests/core/body_fixture.h"

namespace media {
namespace {

using testing::expect_log;
using testing::parsed_whole;

TEST(Body, IsTheFileItself) {
    for (const std::string_view type : {"image/jpeg", "IMAGE/WebP", "application/octet-stream",
                                        "application/pdf", " image/png ; q=\"a;b\" ", "", "  "}) {
        expect_log(type, "GIF89a", "file(GIF89a) ");
        EXPECT_EQ(parsed_whole(type, "x", true), "file(x) ") << type;
        EXPECT_EQ(parsed_whole(type, ""), "400 the body is empty") << type;
    }
}

TEST(Body, IsRefusedByItsType) {
    struct Case {
        std::string_view type;
        bool put;
        std::string_view answer;
    };
    constexpr std::string_view post =
        "415 POST takes multipart/form-data, application/json, image/* or application/octet-stream";
    constexpr std::string_view put = "415 PUT takes the file itself: image/* or application/octet-stream";
    constexpr Case cases[] = {
        {"text/plain", false, post},
        {"application/x-www-form-urlencoded", false, post},
        {"multipart/mixed; boundary=x", false, post},
        {"application/jsonp", false, post},
        {"image", false, post},
        {"text/plain", true, put},
        {"application/json", true, put},
        {"multipart/form-data; boundary=x", true, put},
        {";", false, "415 the Content-Type is malformed"},
        {"image/png; a", false, "415 the Content-Type is malformed"},
        {"image/png; a=1; A=2", false, "415 the Content-Type is malformed"},
        {"image/png; a=\"1", false, "415 the Content-Type is malformed"},
        {"image/png; a=\"1\"x", false, "415 the Content-Type is malformed"},
        {"multipart/form-data", false, "400 multipart/form-data without a usable boundary"},
        {"multipart/form-data; boundary=", false, "400 multipart/form-data without a usable boundary"},
        {"multipart/form-data; boundary=\"a \"", false, "400 multipart/form-data without a usable boundary"},
        {"multipart/form-data; boundary=a\"b", false, "400 multipart/form-data without a usable boundary"},
        {"multipart/form-data; "
         "boundary=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
         false, "400 multipart/form-data without a usable boundary"},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(parsed_whole(c.type, "x", c.put), c.answer) << c.type;
    }
}

}  // namespace
}  // namespace media
