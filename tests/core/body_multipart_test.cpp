// multipart/form-data.
#include <gtest/gtest.h>

#include <string>

#include "core/store/body.h"
#include "tests/core/body_fixture.h"

namespace media {
namespace {

using testing::expect_log;
using testing::parsed_whole;

constexpr std::string_view form = "multipart/form-data; boundary=b";

constexpr std::string_view file = "Content-Disposition: form-data; name=\"f\"; filename=\"a.jpg\"\r\n";

std::string part(std::string_view headers, std::string_view content) {
    return "--b\r\n" + std::string{headers} + "\r\n" + std::string{content} + "\r\n";
}

TEST(MultipartBody, CarriesFiles) {
    struct Case {
        std::string body;
        std::string_view log;
    };
    const Case cases[] = {
        {part(file, "hello") + "--b--\r\n", "file(hello) "},
        {part(file, "hello") + "--b--", "file(hello) "},
        {part(file, "hello") + "--b--anything --b\r\n--b\r\n", "file(hello) "},
        {"preamble\r\n" + part(file, "hello") + "--b--\r\nepilogue\r\n--b\r\n", "file(hello) "},
        {"\r\n" + part(file, "x") + part(file, "y") + "--b--\r\n", "file(x) file(y) "},
        {part(file, "") + "--b--\r\n", "file() "},
        {"--b \t \r\n" + std::string{file} + "\r\nx\r\n--b \r\n" + std::string{file} + "\r\ny\r\n--b--",
         "file(x) file(y) "},
        // A part without content may end with the empty line of its headers.
        {"--b\r\n" + std::string{file} + "\r\n--b--", "file() "},
        // What only looks like a delimiter.
        {part(file, "\r\n-\r\n--\r\n--a\r\r\n\n--b\n\r--b") + "--b--",
         "file(\r\n-\r\n--\r\n--a\r\r\n\n--b\n\r--b) "},
        {part(file, "\r\r\r\n\r\n-") + "--b--", "file(\r\r\r\n\r\n-) "},
        {"--a\r\n -b\r\n\r\n--\r\n" + part(file, "x") + "--b--", "file(x) "},
        // Fields are passed over; a file that nobody chose as well.
        {part("Content-Disposition: form-data; name=f\r\n", "1") + part(file, "x") + "--b--", "file(x) "},
        {part("Content-Disposition: form-data; name=\"f\"; filename=\"\"\r\n"
              "Content-Type: application/octet-stream\r\n",
              "") +
             part(file, "x") + "--b--",
         "file(x) "},
        {part("Content-Disposition: form-data; filename=\"\"\r\n", "x") + "--b--", "file(x) "},
        // Headers as they come.
        {part(
             "content-disposition:FORM-DATA;FileName=a b.jpg ;name=f;\r\nX: y\r\nContent-Type: image/png\r\n",
             "x") +
             "--b--",
         "file(x) "},
        {part("Content-Disposition: form-data;\r\n\tname=f;\r\n filename=\"a\\\";.jpg\"\r\n", "x") + "--b--",
         "file(x) "},
        {part("Content-Disposition: form-data; name=f; filename*=UTF-8''%e4.jpg\r\n", "x") + "--b--",
         "file(x) "},
        {part("Content-Disposition: form-data; filename=\"\xC3\xA4\xFF.jpg\"\r\n", "x") + "--b--",
         "file(x) "},
        {part(std::string{file} + "Content-Transfer-Encoding: Binary\r\n", "x") + "--b--", "file(x) "},
        // Fails alone.
        {part(std::string{file} + "Content-Transfer-Encoding: base64\r\n", "eA==") + part(file, "x") +
             "--b--",
         "fail(400 a part has a Content-Transfer-Encoding other than binary, 8bit and 7bit) file(x) "},
    };
    for (const Case& c : cases) {
        expect_log(form, c.body, c.log);
    }
}

TEST(MultipartBody, TakesEveryBoundaryThatTheStandardAllows) {
    for (const std::string_view boundary :
         {"----WebKitFormBoundary7MA4YWxkTrZu0gW", "-", "--",
          "0123456789012345678901234567890123456789012345678901234567890123456789", "'()+_,-./:=?", "a b"}) {
        const std::string quoted = "multipart/form-data; boundary=\"" + std::string{boundary} + "\"";
        const std::string plain = "Multipart/Form-Data;Boundary=" + std::string{boundary} + "; charset=utf-8";
        const std::string line = "--" + std::string{boundary};
        const std::string body = line + "\r\n" + std::string{file} + "\r\nx\r\n--\r\n\r\n" + line + "--\r\n";
        expect_log(quoted, body, "file(x\r\n--\r\n) ");
        EXPECT_EQ(parsed_whole(plain, body), "file(x\r\n--\r\n) ");
    }
}

TEST(MultipartBody, IsRefused) {
    struct Case {
        std::string body;
        std::string_view log;
    };
    constexpr std::string_view trailing = "400 a boundary is followed by something else on its line";
    constexpr std::string_view short_of = "400 the body ends before its last boundary";
    constexpr std::string_view cut =
        "fail(400 the body ends before its last boundary) 400 the body ends before its last boundary";
    constexpr std::string_view lines = "400 a part's headers hold a line that does not end with CRLF";
    constexpr std::string_view lacks = "400 a part lacks the header Content-Disposition: form-data";
    constexpr std::string_view header = "400 a part has a malformed header";
    constexpr std::string_view disposition = "400 a part's Content-Disposition is malformed";
    const Case cases[] = {
        {"", "400 the boundary of the Content-Type does not occur in the body"},
        {"\r\n--a--\r\n", "400 the boundary of the Content-Type does not occur in the body"},
        {"x--b--", "400 the boundary of the Content-Type does not occur in the body"},
        {"--b--\r\n", "400 no part of the body is a file: none has a file name"},
        {part("Content-Disposition: form-data; name=f\r\n", "1") + "--b--",
         "400 no part of the body is a file: none has a file name"},
        {part("Content-Disposition: form-data; filename=\"\"\r\n", "") + "--b--",
         "400 no part of the body is a file: none has a file name"},
        {"--bc\r\n", trailing},
        {"--b-\r\n", trailing},
        {"--b -\r\n", trailing},
        {"--b\n", trailing},
        {"--b\r\r\n", trailing},
        {"--b" + std::string(2000, ' '), trailing},
        {part(file, "x") + "--bc\r\n", "file(x) 400 a boundary is followed by something else on its line"},
        {"--b", short_of},
        {"--b-", short_of},
        {"--b\r\n", short_of},
        {"--b\r\n" + std::string{file}, short_of},
        {part(file, "x"), cut},
        {part(file, "x") + "--b", "file(x) 400 the body ends before its last boundary"},
        {part(file, "x") + "-", cut},
        {"--b\r\n\r\nx\r\n--b--", lacks},
        {part("Content-Type: image/png\r\n", "x") + "--b--", lacks},
        {part("Content-Disposition: attachment; filename=a\r\n", "x") + "--b--", lacks},
        {part("Content-Disposition: form-data; filename=\"a\r\n", "x") + "--b--", disposition},
        {part("Content-Disposition: form-data; filename=a; filename=b\r\n", "x") + "--b--", disposition},
        {part("Content-Disposition: form-data; filename\r\n", "x") + "--b--", disposition},
        {part("Content-Disposition: \r\n", "x") + "--b--", disposition},
        {part(std::string{file} + std::string{file}, "x") + "--b--",
         "400 a part has two headers Content-Disposition"},
        {part(std::string{file} + "Content-Type: ;\r\n", "x") + "--b--",
         "400 a part's Content-Type is malformed"},
        {part(std::string{file} + "Content-Type: multipart/mixed; boundary=c\r\n", "x") + "--b--",
         "400 a part is a multipart of its own"},
        {part(" folded: x\r\n", "x") + "--b--", header},
        {part("no colon\r\n", "x") + "--b--", header},
        {part(": x\r\n", "x") + "--b--", header},
        {part("Content-Disposition : form-data\r\n", "x") + "--b--", header},
        {part("A: b\nC: d\r\n", "x") + "--b--", lines},
        {part("A: b\rC: d\r\n", "x") + "--b--", lines},
        {part(std::string{"A: \0\r\n", 6}, "x") + "--b--", lines},
        {"--b\r\nA: " + std::string(16384, 'x'), "400 the headers of a part have more than 16384 bytes"},
        {"--b\r\n" + std::string{file} + "\n\nx\r\n--b--", short_of},
    };
    for (const Case& c : cases) {
        expect_log(form, c.body, c.log);
    }
}

TEST(MultipartBody, IsBounded) {
    std::string body;
    for (std::size_t i = 0; i < max_body_items; ++i) {
        body += part(file, "x");
    }
    EXPECT_TRUE(parsed_whole(form, body + "--b--").ends_with("file(x) "));
    EXPECT_TRUE(parsed_whole(form, body + part(file, "x") + "--b--")
                    .ends_with("file(x) 400 more than 1000 files or URLs in one body"));
}

}  // namespace
}  // namespace media
