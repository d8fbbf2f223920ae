// Lists of bearer tokens.
#include <gtest/gtest.h>

#include <string>

#include "core/access/bearer.h"

namespace media {
namespace {

// Of Python's hashlib.
constexpr const char* hash_of_secret = "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b";
constexpr const char* hash_of_token = "3c469e9d6c5875d37a43f353d4f88e61fcf812c66eee3457465a40b0da4153e0";

TEST(Bearer, HoldsTheTokensWhoseHashesAreListed) {
    const auto tokens =
        BearerTokens::parse(std::string{"# ours\n\n  "} + hash_of_secret + " # ann\r\n" + hash_of_token);
    ASSERT_TRUE(tokens) << tokens.error().detail;
    EXPECT_EQ(tokens->size(), 2U);
    EXPECT_TRUE(tokens->holds("secret"));
    EXPECT_TRUE(tokens->holds("token"));
    for (const char* wrong : {"", "Secret", "secret ", "secre", hash_of_secret, "toke"}) {
        EXPECT_FALSE(tokens->holds(wrong)) << wrong;
    }
}

TEST(Bearer, AnEmptyListHoldsNothing) {
    for (const char* text : {"", "\n", "# nothing\n"}) {
        const auto tokens = BearerTokens::parse(text);
        ASSERT_TRUE(tokens);
        EXPECT_FALSE(tokens->holds(""));
    }
}

TEST(Bearer, MistakesAreNamedWithoutTheirText) {
    const std::string good = hash_of_secret;
    std::string upper = good;
    upper[1] = 'B';
    for (const std::string& wrong :
         {std::string{"secret"}, upper, good + "0", good.substr(1), good + " " + good, "sha256:" + good}) {
        const auto tokens = BearerTokens::parse(good + "\n" + wrong + "\n");
        ASSERT_FALSE(tokens) << wrong;
        EXPECT_EQ(tokens.error().detail, "line 2 is no SHA-256 in lower-case hex");
    }
}

}  // namespace
}  // namespace media
