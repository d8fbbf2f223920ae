// What is drawn of a text that anybody may have written.
#include "core/base/plain_text.h"

#include <gtest/gtest.h>

#include "core/base/utf8.h"

namespace media {
namespace {

using namespace std::string_view_literals;

TEST(PlainText, EveryByteBecomesSomethingThatCanBeDrawn) {
    struct Case {
        std::string_view text, shown;
    };
    constexpr Case cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"<b>&amp;</b>", "<b>&amp;</b>"},
        {"Größe 漢字 😀", "Größe 漢字 😀"},
        {"שלום", "שלום"},
        {"a\tb\0c\x7F"
         "d"sv,
         "a b c d"},
        {"a\xC2\x85z", "a z"},
        {"a\nb\rc\r\nd\n\ne", "a\nb\nc\nd\n\ne"},
        {"  \t\n a b \r\n ", "a b"},
        {" \t\n", ""},
        {"\xFF", "\xEF\xBF\xBD"},
        {"a\xC3", "a\xEF\xBF\xBD"},
        {"\xE2\x82z", "\xEF\xBF\xBDz"},
        {"\xED\xA0\x80", "\xEF\xBF\xBD\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"\xC0\xAF", "\xEF\xBF\xBD\xEF\xBF\xBD"},
        {"a\u202Eb\u202Cc\u2066d\u2069", "abcd"},
        {"\u202E", ""},
        {"\u200Fa\u200E", "\u200Fa\u200E"},
        {"\U0010FFFF", "\U0010FFFF"},
    };
    for (const Case& c : cases) {
        EXPECT_EQ(plain_text(c.text, 200), c.shown) << c.text;
    }
}

TEST(PlainText, IsCutAtACharacter) {
    EXPECT_EQ(plain_text("abcd", 4), "abcd");
    EXPECT_EQ(plain_text("abcde", 4), "abc…");
    EXPECT_EQ(plain_text("äöüßé", 4), "äöü…");
    EXPECT_EQ(plain_text("ab  e", 4), "ab …");
    EXPECT_EQ(plain_text("abcd\u202E", 4), "abcd") << "what is dropped does not count";
    EXPECT_EQ(plain_text("\xFF\xFF\xFF", 2), "\xEF\xBF\xBD…");
    const std::string cut = plain_text(std::string(8192, 'x'), 200);
    EXPECT_EQ(cut, std::string(199, 'x') + "…");
    std::string bytes;
    for (int i = 0; i < 4096; ++i) {
        bytes += static_cast<char>(i * 7919 >> 3);
        EXPECT_TRUE(is_utf8(plain_text(bytes, 50)));
    }
}

}  // namespace
}  // namespace media
