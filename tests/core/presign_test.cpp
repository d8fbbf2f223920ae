// Presigned links: what they carry, and that nobody alters it.
#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "core/access/presign.h"

namespace media {
namespace {

const SigningKey key(32, 0x11);
const SigningKey other(16, 0x22);
constexpr std::int64_t now = 1'800'000'000;
const PresignLimits limits{.max_bytes = 1000, .types = {Format::jpeg, Format::png}, .max_age = 600};
const std::string id = "0123456789abcdef0123456789abcdef";
const std::string path = "/upload/" + id;

Result<PresignTerms> ask(std::string_view json) {
    return read_presign_request(json, limits, now);
}

PresignTerms terms() {
    return {.id = id, .max_bytes = 1000, .types = {Format::jpeg, Format::png}, .expires = now + 60};
}

int verdict(std::string_view query, std::string_view where = path,
            const std::vector<SigningKey>& keys = {key}) {
    const auto checked =
        check_presigned(keys, where, where.substr(where.size() - std::min(where.size(), id.size())), query);
    return checked ? 200 : checked.error().status;
}

TEST(Presign, WhatIsNotSaidIsAsTheLimits) {
    for (const char* json : {"", "{}", " {} "}) {
        const auto asked = ask(json);
        ASSERT_TRUE(asked) << json;
        EXPECT_TRUE(is_presign_id(asked->id)) << asked->id;
        EXPECT_EQ(asked->max_bytes, 1000U);
        EXPECT_EQ(asked->types, limits.types);
        EXPECT_EQ(asked->expires, now + 600);
        EXPECT_EQ(asked->claims, "");
    }
    EXPECT_NE(ask("")->id, ask("")->id);
}

TEST(Presign, WhatIsAskedFor) {
    const auto asked =
        ask(R"({"max_bytes":7,"types":["image/png"],"expires":1,"claims":{"sub":"ann","n":[1,{"x":"ü"}]}})");
    ASSERT_TRUE(asked);
    EXPECT_EQ(asked->max_bytes, 7U);
    EXPECT_EQ(asked->types, FormatSet{Format::png});
    EXPECT_EQ(asked->expires, now + 1);
    EXPECT_EQ(asked->claims, R"({"sub":"ann","n":[1,{"x":"ü"}]})");
    EXPECT_EQ(asked->subject, "ann");
}

TEST(Presign, MoreIsRefused) {
    const struct {
        std::string json;
        const char* parameter;
    } cases[] = {
        {R"({"max_bytes":1001})", "max_bytes"},
        {R"({"max_bytes":0})", "max_bytes"},
        {R"({"max_bytes":-1})", "max_bytes"},
        {R"({"max_bytes":1.0})", "max_bytes"},
        {R"({"max_bytes":"7"})", "max_bytes"},
        {R"({"max_bytes":null})", "max_bytes"},
        {R"({"max_bytes":18446744073709551617})", ""},
        {R"({"expires":601})", "expires"},
        {R"({"expires":0})", "expires"},
        {R"({"expires":9223372036854775807})", "expires"},
        {R"({"types":[]})", "types"},
        {R"({"types":"image/png"})", "types"},
        {R"({"types":["image/webp"]})", "types"},
        {R"({"types":["image/png","text/html"]})", "types"},
        {R"({"types":["png"]})", "types"},
        {R"({"types":[1]})", "types"},
        {R"({"claims":[]})", "claims"},
        {R"({"claims":"x"})", "claims"},
        {R"({"claims":{"sub":7}})", "claims"},
        {R"({"claims":{"sub":"a\nb"}})", "claims"},
        {R"({"claims":{"x":")" + std::string(1024, 'x') + "\"}}", "claims"},
        {R"({"claims":{"x":1,"x":2}})", ""},
        {R"({"max_bytes":1,"max_bytes":2})", ""},
        {R"({"size":1})", "size"},
        {"[]", ""},
        {"1", ""},
        {"{} {}", ""},
        {"{", ""},
    };
    for (const auto& each : cases) {
        const auto asked = ask(each.json);
        ASSERT_FALSE(asked) << each.json;
        EXPECT_EQ(asked.error().status, 400) << each.json;
        EXPECT_EQ(asked.error().parameter, each.parameter) << each.json;
    }
}

// Computed with Python's hmac and base64.
TEST(Presign, Vector) {
    EXPECT_EQ(presign_query(terms(), key, path),
              "max_bytes=1000&types=image/jpeg,image/png&expires=1800000060"
              "&s=4EmU2LA5nWcv6vikE43BoOQW6Q_eFSZQm8fNwyqoneI");
}

TEST(Presign, TermsTravelInTheLink) {
    PresignTerms sent = terms();
    sent.claims = R"({"sub":"ann","team":"a&b=c"})";
    const auto got = check_presigned(std::vector<SigningKey>{other, key}, path, id, presign_query(sent, key, path));
    ASSERT_TRUE(got);
    EXPECT_EQ(got->id, id);
    EXPECT_EQ(got->max_bytes, 1000U);
    EXPECT_EQ(got->types, sent.types);
    EXPECT_EQ(got->expires, now + 60);
    EXPECT_EQ(got->claims, sent.claims);
    EXPECT_EQ(got->subject, "ann");
}

TEST(Presign, SpellingAndOrderDoNotMatter) {
    const std::string query = presign_query(terms(), key, path);
    const std::string s = query.substr(query.find("&s="));
    EXPECT_EQ(verdict(s + "&expires=1800000060&types=image%2Fjpeg%2cimage%2Fpng&max_byte%73=1000"), 200);
}

TEST(Presign, NothingCanBeChanged) {
    PresignTerms sent = terms();
    sent.claims = R"({"team":7})";
    const std::string query = presign_query(sent, key, path);
    ASSERT_EQ(verdict(query), 200);
    for (std::size_t at = 0; at < query.size(); ++at) {
        for (const char c : {'0', 'A', '&', '=', '%', '\n'}) {
            std::string bent = query;
            if (bent[at] != c) {
                bent[at] = c;
                EXPECT_EQ(verdict(bent), 403) << bent;
            }
        }
        EXPECT_EQ(verdict(query.substr(0, at)), 403) << at;
        EXPECT_EQ(verdict(query.substr(at)), at == 0 ? 200 : 403) << at;
    }
    for (const char* more :
         {"&x=1", "&max_bytes=1000", "&max_bytes=2000", "&s=", "&types=", "&claims=e30", "&%zz=1"}) {
        EXPECT_EQ(verdict(query + more), 403) << more;
    }
    const std::string bare = presign_query(terms(), key, path);
    for (const char* more : {"&claims=", "&claims=e30"}) {
        EXPECT_EQ(verdict(bare + more), 403) << more;
    }
}

TEST(Presign, HoldsWhereItLeadsOnly) {
    const std::string query = presign_query(terms(), key, path);
    EXPECT_EQ(verdict(query, "/upload/" + id), 200);
    EXPECT_EQ(verdict(query, "/other/" + id), 403);
    EXPECT_EQ(verdict(query, "/upload/" + std::string(32, '0')), 403);
    EXPECT_EQ(verdict(query, id), 403);
    EXPECT_EQ(verdict(query, path, {other}), 403);
    EXPECT_EQ(verdict(query, path, {}), 403);
    EXPECT_FALSE(check_presigned(std::vector<SigningKey>{key}, path, std::string(64, 'a'), query));
}

TEST(Presign, FieldsCannotRunIntoOneAnother) {
    // A path that looks like the fields before it.
    PresignTerms sent = terms();
    const std::string strange = "/upload/\n1000\n\n9999999999\n\n/" + id;
    EXPECT_EQ(verdict(presign_query(sent, key, strange), strange), 200);
    EXPECT_EQ(verdict(presign_query(sent, key, strange)), 403);
}

TEST(Presign, ASignatureOfUrlsIsNoLink) {
    const std::string query = "max_bytes=1000&types=image/jpeg,image/png&expires=1800000060";
    EXPECT_EQ(verdict(query + "&s=" + *sign_url(key, path, query)), 403);
}

TEST(Presign, Ids) {
    EXPECT_TRUE(is_presign_id(id));
    for (const std::string& wrong :
         {std::string{}, id.substr(1), id + "0", std::string(32, 'A'), std::string(32, 'g')}) {
        EXPECT_FALSE(is_presign_id(wrong)) << wrong;
    }
}

TEST(Presign, Answer) {
    EXPECT_EQ(presign_json(terms(), "/upload/x?a=b"),
              R"({"url":"/upload/x?a=b","method":"PUT","expires":1800000060,"max_bytes":1000,)"
              R"("types":["image/jpeg","image/png"]})");
}

}  // namespace
}  // namespace media
