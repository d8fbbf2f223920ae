// Bodies that nobody would send, in pieces of every size.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "core/base/base64.h"
#include "core/store/body.h"
#include "tests/core/body_fixture.h"

namespace media {
namespace {

using testing::parsed;
using testing::parsed_whole;

struct Sample {
    std::string_view type, body;
};

constexpr Sample samples[] = {
    {"image/png", "\x89PNG\r\n\x1A\n and more"},
    {"multipart/form-data; boundary=xx",
     "preamble\r\n--xx\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nfield\r\n--xx \r\n"
     "Content-Disposition: form-data; name=\"f\"; filename=\"a.jpg\"\r\nContent-Type: image/jpeg\r\n\r\n"
     "\r\n--x\r\n-xx\r\r\n\r\n--xx\r\nContent-Disposition: form-data; "
     "filename=\"\"\r\n\r\n\r\n--xx--\r\nepilogue"},
    {"application/json",
     R"({"data":[{"image":"aGVsbG8="},{"image":"data:image/png;base64,YW%4Aj"},{"image":"\u0059Q=="}]})"},
    {"application/json", R"({ "urls" : ["https:\/\/a.example\/\ud83d\ude00", "b"], "refetch": true })"},
};

TEST(Body, FuzzedPiecesAndBytesGiveTheSame) {
    constexpr std::string_view tricky = "\r\n-xb{}[]\",:\\u%=;d4 \t";
    for (unsigned seed = 0; seed < 4000; ++seed) {
        std::mt19937 random{seed};
        const Sample& sample = samples[random() % std::size(samples)];
        std::string body{sample.body};
        for (unsigned changes = random() % 4; changes > 0 && !body.empty(); --changes) {
            const std::size_t at = random() % body.size();
            const char byte =
                random() % 2 == 0 ? tricky[random() % tricky.size()] : static_cast<char>(random());
            switch (random() % 4) {
                case 0:
                    body[at] = byte;
                    break;
                case 1:
                    body.insert(at, 1 + random() % 3, byte);
                    break;
                case 2:
                    body.erase(at, 1 + random() % 4);
                    break;
                default:  // a piece of it once more, or the rest cut off
                    random() % 4 == 0
                        ? body.resize(at)
                        : void(body.insert(random() % body.size(), body.substr(at, random() % 40)));
            }
        }
        const std::string whole = parsed_whole(sample.type, body);
        const std::size_t most = 1 + random() % 9;
        EXPECT_EQ(parsed(sample.type, body, [&] { return 1 + random() % most; }), whole) << "seed " << seed;
        if (::testing::Test::HasFailure()) {
            return;
        }
    }
}

TEST(Body, FuzzedFilesComeOutAsTheyWentIn) {
    for (unsigned seed = 0; seed < 200; ++seed) {
        std::mt19937 random{seed};
        std::string content(random() % 70000, '\0');
        const bool lines = seed % 2 == 0;  // half of them nothing but beginnings of delimiters
        for (char& c : content) {
            c = lines ? "\r\n-x"[random() % 4] : static_cast<char>(random());
        }
        const auto size = [&] { return 1 + random() % 9000; };
        const std::string log = "file(" + content + ") ";
        const std::string form =
            "--xx1\r\nContent-Disposition: form-data; filename=\"a\"\r\n\r\n" + content + "\r\n--xx1--\r\n";
        EXPECT_TRUE(parsed("multipart/form-data; boundary=xx1", form, size) == log) << seed;
        const std::string text = base64(bytes_of(content));
        EXPECT_EQ(parsed("application/json", R"({"data":{"image":")" + text + R"("}})", size), log) << seed;
        EXPECT_EQ(
            parsed("application/json", R"({"data":{"image":"data:;base64,)" + text + R"("}})", size),
            log)
            << seed;
    }
}

}  // namespace
}  // namespace media
