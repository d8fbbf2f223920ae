// Signed URLs. The expected values were computed with Python's hmac and base64.
#include <gtest/gtest.h>

#include <fstream>
#include <string>
#include <vector>

#include "core/access/signature.h"

namespace media {
namespace {

const SigningKey key(16, 0x11);
const SigningKey other(32, 0x22);

std::string text(std::string_view path, std::string_view query) {
    const auto result = signed_text(path, query);
    return result ? *result : "error " + std::to_string(result.error().status);
}

int verdict(std::string_view query, bool required = true, std::vector<SigningKey> keys = {key}) {
    const Status status = check_signature(keys, "/img/a.jpg", query, required);
    return status ? 200 : status.error().status;
}

std::string signature(const SigningKey& with, std::string_view query) {
    return *sign_url(with, "/img/a.jpg", query);
}

TEST(Signature, TextIsCanonical) {
    EXPECT_EQ(text("/img/a.jpg", "w=400&h=300"), "/img/a.jpg?h=300&w=400");
    EXPECT_EQ(text("/img/a.jpg", "&&w=400&s=abc&"), "/img/a.jpg?w=400");
    EXPECT_EQ(text("/img/a.jpg", ""), "/img/a.jpg?");
    EXPECT_EQ(text("/img/%61%20b.jpg", "crop=0,0,50%25,50%25&w=%34"),
              "/img/a b.jpg?crop=0%2C0%2C50%25%2C50%25&w=4");
    EXPECT_EQ(text("/a", "p=x,y&exp=1"), "/a?exp=1&p=x%2Cy");
    EXPECT_EQ(text("/a", "w=%4"), "error 400");
    EXPECT_EQ(text("/a%zz", "w=4"), "error 400");
}

TEST(Signature, Vectors) {
    EXPECT_EQ(signature(key, "w=400&h=300"), "hbmKSO3535SVhUhFrQ6t0Qs1FaPux4lhS2n3vJDM8Fk");
    EXPECT_EQ(signature(other, "p=card&exp=1900000000"), "OpIXRor-kYqzCZNWPDG0QrscBkHo_IGPnt7sYHL-_rA");
}

TEST(Signature, OrderAndSpellingDoNotMatter) {
    const std::string s = signature(key, "w=400&h=300");
    EXPECT_EQ(verdict("h=300&s=" + s + "&%77=40%30"), 200);
}

TEST(Signature, WrongOnesAreRefused) {
    const std::string s = signature(key, "w=400");
    EXPECT_EQ(verdict("w=400&s=" + s), 200);
    EXPECT_EQ(verdict("w=401&s=" + s), 403);
    EXPECT_EQ(verdict("w=400&h=1&s=" + s), 403);
    EXPECT_EQ(verdict("w=400"), 403);
    EXPECT_EQ(verdict("w=400", false), 200);
    EXPECT_EQ(verdict("w=400&s=", false), 403);
    EXPECT_EQ(verdict("w=400&s=" + s + "="), 403);
    EXPECT_EQ(verdict("w=400&s=" + s + "A"), 403);
    EXPECT_EQ(verdict("w=400&s=" + signature(other, "w=400")), 403);
    for (std::size_t i = 0; i < s.size(); ++i) {
        std::string bent = s;
        bent[i] = bent[i] == 'A' ? 'B' : 'A';
        EXPECT_EQ(verdict("w=400&s=" + bent), 403) << i;
    }
}

TEST(Signature, MayBeCutToSixteenBytes) {
    const std::string s = signature(key, "w=400");
    // 22 characters are 16 bytes and 4 bits, which must be 0: cut at 24, which are 18 bytes.
    EXPECT_EQ(verdict("w=400&s=" + s.substr(0, 24)), 200);
    EXPECT_EQ(verdict("w=400&s=" + s.substr(0, 20)), 403);
}

TEST(Signature, AnyKeyWillDo) {
    EXPECT_EQ(verdict("w=400&s=" + signature(other, "w=400"), true, {key, other}), 200);
    EXPECT_EQ(verdict("w=400&s=" + signature(key, "w=400"), true, {key, other}), 200);
}

TEST(Signature, Keys) {
    EXPECT_TRUE(read_signing_key("00112233445566778899aAbBcCdDeEfF"));
    EXPECT_FALSE(read_signing_key("00112233445566778899aabbccddee"));
    EXPECT_FALSE(read_signing_key("00112233445566778899aabbccddeef"));
    EXPECT_FALSE(read_signing_key("00112233445566778899aabbccddeefg"));
    EXPECT_FALSE(read_signing_key(""));
    EXPECT_FALSE(read_signing_key("file:/nonexistent"));
    const std::string path = ::testing::TempDir() + "/signing.key";
    std::ofstream(path) << "00112233445566778899aabbccddeeff\r\nmore\n";
    ASSERT_TRUE(read_signing_key("file:" + path));
    EXPECT_EQ(read_signing_key("file:" + path)->size(), 16U);
}

}  // namespace
}  // namespace media
