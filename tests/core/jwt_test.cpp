// JSON Web Tokens: the RFCs' own vectors, and everything that a token may get wrong.
#include <gtest/gtest.h>
#include <openssl/err.h>

#include <random>
#include <string>
#include <vector>

#include "core/access/base64url.h"
#include "core/access/jwt.h"
#include "core/access/revoked.h"
#include "core/base/hash.h"

namespace media {
namespace {

constexpr std::int64_t now = 1'800'000'000;

// RFC 7515, appendix A: the same payload for all, which ends in 2011.
constexpr const char* joe =
    "eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ";

// RFC 7520, section 4: a payload that is no JSON.
constexpr const char* frodo =
    "SXTigJlzIGEgZGFuZ2Vyb3VzIGJ1c2luZXNzLCBGcm9kbywgZ29pbmcgb3V0IHlvdXIgZG9vci4gWW91IHN0ZXAgb250byB0aGUgcm9h"
    "ZCwgYW5kIGlmIHlvdSBkb24ndCBrZWVwIHlvdXIgZmVldCwgdGhlcmXigJlzIG5vIGtub3dpbmcgd2hlcmUgeW91IG1pZ2h0IGJlIHN3"
    "ZXB0IG9mZiB0by4";

struct Vector {
    const char* name;
    const char* key;
    const char* kid;
    JwtAlgorithm algorithm;
    const char* header;
    const char* payload;
    const char* signature;
};

const Vector vectors[] = {
    {"RFC 7515 A.1",
     R"({"kty":"oct","k":"AyM1SysPpbyDfgZld3umj1qzKObwVMkoqQ-EstJQLr_T-1qS0gZH75aKtMN3Yj0iPS4hcgUuTwjAzZr1Z9CAow"})",
     nullptr, JwtAlgorithm::hs256, "eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9", joe,
     "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"},
    {"RFC 7515 A.2",
     R"({"kty":"RSA","e":"AQAB","n":"ofgWCuLjybRlzo0tZWJjNiuSfb4p4fAkd_wWJcyQoTbji9k0l8W26mPddxHmfHQp-Vaw-4qPCJrcS2mJPMEzP1Pt0Bm4d4QlL-yRT-SFd2lZS-pCgNMsD1W_YpRPEwOWvG6b32690r2jZ47soMZo9wGzjb_7OMg0LOL-bSf63kpaSHSXndS5z5rexMdbBYUsLA9e-KXBdQOS-UTo7WTBEMa2R2CapHg665xsmtdVMTBQY4uDZlxvb3qCo5ZwKh9kG4LT6_I5IhlJH7aGhyxXFvUK-DWNmoudF8NAco9_h9iaGNj8q2ethFkMLs91kzk2PAcDTW9gb54h4FRWyuXpoQ"})",
     nullptr, JwtAlgorithm::rs256, "eyJhbGciOiJSUzI1NiJ9", joe,
     "cC4hiUPoj9Eetdgtv3hF80EGrhuB__dzERat0XF9g2VtQgr9PJbu3XOiZj5RZmh7AAuHIm4Bh-0Qc_lF5YKt_"
     "O8W2Fp5jujGbds9uJdbF9CUAr7t1dnZcAcQjbKBYNX4BAynRFdiuB--"
     "f_nZLgrnbyTyWzO75vRK5h6xBArLIARNPvkSjtQBMHlb1L07Qe7K0GarZRmB_eSN9383LcOLn6_dO--"
     "xi12jzDwusC-"
     "eOkHWEsqtFZESc6BfI7noOPqvhJ1phCnvWh6IeYI2w9QOYEUipUTI8np6LbgGY9Fs98rqVt5AXLIhWkWywlVmtVrBp0i"
     "gcN_IoypGlUPQGe77Rw"},
    {"RFC 7515 A.3",
     R"({"kty":"EC","crv":"P-256","x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"})",
     nullptr, JwtAlgorithm::es256, "eyJhbGciOiJFUzI1NiJ9", joe,
     "DtEhU3ljbEg8L38VWAfUAqOyKAM6-Xx-F4GawxaepmXFCgfTjDxw5djxLa8ISlSApmWQxfKTUJqPP3-Kg6NU1Q"},
    {"RFC 7520 4.1",
     R"({"kty":"RSA","kid":"bilbo.baggins@hobbiton.example","use":"sig","e":"AQAB","n":"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"})",
     "bilbo.baggins@hobbiton.example", JwtAlgorithm::rs256,
     "eyJhbGciOiJSUzI1NiIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9", frodo,
     "MRjdkly7_-"
     "oTPTS3AXP41iQIGKa80A0ZmTuV5MEaHoxnW2e5CZ5NlKtainoFmKZopdHM1O2U4mwzJdQx996ivp83xuglII7PNDi84wnB"
     "-BDkoBwA78185hX-Es4JIwmDLJK3lfWRa-XtL0RnltuYv746iYTh_"
     "qHRD68BNt1uSNCrUCTJDt5aAE6x8wW1Kt9eRo4QPocSadnHXFxnt8Is9UzpERV0ePPQdLuW3IS_"
     "de3xyIrDaLGdjluPxUAhb6L2aXic1U12podGU0KLUQSE_oI-ZnmKJ3F4uOZDnd6QZWJushZ41Axf_"
     "fcIe8u9ipH84ogoree7vjbU5y18kDquDg"},
    {"RFC 7520 4.2",
     R"({"kty":"RSA","kid":"bilbo.baggins@hobbiton.example","use":"sig","e":"AQAB","n":"n4EPtAOCc9AlkeQHPzHStgAbgs7bTZLwUBZdR8_KuKPEHLd4rHVTeT-O-XV2jRojdNhxJWTDvNd7nqQ0VEiZQHz_AJmSCpMaJMRBSFKrKb2wqVwGU_NsYOYL-QtiWN2lbzcEe6XC0dApr5ydQLrHqkHHig3RBordaZ6Aj-oBHqFEHYpPe7Tpe-OfVfHd1E6cS6M1FZcD1NNLYD5lFHpPI9bTwJlsde3uhGqC0ZCuEHg8lhzwOHrtIQbS0FVbb9k3-tVTU4fg_3L_vniUFAKwuCLqKnS2BYwdq_mzSnbLY7h_qixoR7jig3__kRhuaxwUkRz5iaiQkqgc5gHdrNP5zw"})",
     "bilbo.baggins@hobbiton.example", JwtAlgorithm::ps384,
     "eyJhbGciOiJQUzM4NCIsImtpZCI6ImJpbGJvLmJhZ2dpbnNAaG9iYml0b24uZXhhbXBsZSJ9", frodo,
     "cu22eBqkYDKgIlTpzDXGvaFfz6WGoz7fUDcfT0kkOy42miAh2qyBzk1xEsnk2IpN6-"
     "tPid6VrklHkqsGqDqHCdP6O8TTB5dDDItllVo6"
     "_1OLPpcbUrhiUSMxbbXUvdvWXzg-UD8biiReQFlfz28zGWVsdiNAUf8ZnyPEgVFn442ZdNqiVJRmBqrYRXe8P_"
     "ijQ7p8Vdz0TTrxUeT3lm8d9shnr2lfJT8ImUjvAA2Xez2Mlp8cBE5awDzT0qI0n6uiP1aCN_2_"
     "jLAeQTlqRHtfa64QQSUmFAAjVKPbByi7xho0uTOcbH510a6GYmJUAfmWjwZ6oD4ifKo8DYM-X72Eaw"},
    {"RFC 8037 A.4", R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})",
     nullptr, JwtAlgorithm::eddsa, "eyJhbGciOiJFZERTQSJ9", "RXhhbXBsZSBvZiBFZDI1NTE5IHNpZ25pbmc",
     "hgyY0il_MGCjP0JzlnLWG1PPOt7-09PGcvMg3AIbQR6dWbhijcNR4ki4iylGjg5BhVsPt9g7sVvpAr_MuM0KAg"},
};

std::string set_of(const std::string& keys) {
    return "{\"keys\":[" + keys + "]}";
}

std::optional<std::string_view> optional(const char* text) {
    return text == nullptr ? std::nullopt : std::optional<std::string_view>{text};
}

TEST(Jwks, VerifiesTheVectorsOfTheRfcs) {
    for (const Vector& vector : vectors) {
        SCOPED_TRACE(vector.name);
        const auto keys = KeySet::parse(set_of(vector.key));
        ASSERT_TRUE(keys) << keys.error().detail;
        ASSERT_EQ(keys->size(), 1U);
        const std::string text = std::string{vector.header} + '.' + vector.payload;
        std::vector<std::uint8_t> signature = *from_base64url(vector.signature);
        const auto verify = [&](const std::optional<std::string_view>& kid, JwtAlgorithm algorithm) {
            return keys->verify(kid, algorithm, text, signature);
        };
        EXPECT_TRUE(verify(optional(vector.kid), vector.algorithm));
        EXPECT_FALSE(verify("somebody else", vector.algorithm));
        EXPECT_FALSE(verify(vector.kid == nullptr ? optional("") : std::nullopt, vector.algorithm));
        for (int other = 0; other <= static_cast<int>(JwtAlgorithm::eddsa); ++other) {
            EXPECT_EQ(verify(optional(vector.kid), static_cast<JwtAlgorithm>(other)),
                      static_cast<JwtAlgorithm>(other) == vector.algorithm)
                << other;
        }
        for (std::size_t bit = 0; bit < signature.size() * 8; ++bit) {
            const auto mask = static_cast<std::uint8_t>(1U << bit % 8);
            signature[bit / 8] ^= mask;
            EXPECT_FALSE(verify(optional(vector.kid), vector.algorithm)) << bit;
            signature[bit / 8] ^= mask;
        }
        signature.pop_back();
        EXPECT_FALSE(verify(optional(vector.kid), vector.algorithm));
        signature.clear();
        EXPECT_FALSE(verify(optional(vector.kid), vector.algorithm));
    }
}

TEST(Jwks, LeavesNothingInTheQueueOfErrors) {
    ERR_clear_error();
    for (const Vector& vector : vectors) {
        const auto keys = KeySet::parse(set_of(vector.key));
        const std::vector<std::uint8_t> wrong(from_base64url(vector.signature)->size(), 0xFF);
        EXPECT_FALSE(keys->verify(optional(vector.kid), vector.algorithm, "text", wrong)) << vector.name;
    }
    EXPECT_FALSE(KeySet::parse(
        R"({"keys":[{"kty":"EC","crv":"P-256","x":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE","y":"AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAE"}]})"));
    EXPECT_EQ(ERR_peek_error(), 0U);
}

TEST(Jwks, ReadsWhatItKnowsAndPassesOverTheRest) {
    const std::string ed = vectors[5].key;
    const auto with = [&](const std::string& members) {
        return ed.substr(0, ed.size() - 1) + "," + members + "}";
    };
    const struct {
        std::string json;
        int size;  ///< -1: refused
    } cases[] = {
        {R"({"keys":[]})", 0},
        {R"({"keys":[],"more":1})", 0},
        {set_of(ed + "," + vectors[0].key), 2},
        {set_of(with(R"("use":"sig","key_ops":["verify"],"alg":"EdDSA","kid":"a")")), 1},
        {set_of(with(R"("use":"enc")")), 0},
        {set_of(with(R"("use":1)")), 0},
        {set_of(with(R"("key_ops":["sign"])")), 0},
        {set_of(with(R"("key_ops":"verify")")), 0},
        {set_of(with(R"("alg":"none")")), 0},
        {set_of(with(R"("alg":"ES512")")), 0},
        {set_of(R"({"kty":"AKP","alg":"ML-DSA-44"})"), 0},
        {set_of(R"({"kty":"EC","crv":"secp256k1"})"), 0},
        {set_of(R"({"kty":"OKP","crv":"X25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"})"), 0},
        {"", -1},
        {"[]", -1},
        {"{}", -1},
        {ed, -1},
        {R"({"keys":{}})", -1},
        {R"({"keys":[1]})", -1},
        {R"({"keys":[{}]})", -1},
        {R"({"keys":[],"keys":[]})", -1},
        {R"({"keys":[]} x)", -1},
        {set_of(with(R"("alg":"RS256")")), -1},
        {set_of(with(R"("kid":1)")), -1},
        {set_of(with(R"("d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A")")), -1},
        {set_of(R"({"kty":"OKP","crv":"Ed25519"})"), -1},
        {set_of(R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHUQ"})"), -1},
        {set_of(R"({"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo="})"), -1},
        {set_of(R"({"kty":"oct","k":"c2VjcmV0"})"), -1},
        {set_of(R"({"kty":"oct"})"), -1},
        {set_of(R"({"kty":"RSA","n":"AQAB","e":"AQAB"})"), -1},
        {set_of(R"({"kty":"EC","crv":"P-256","x":"AA","y":"AA"})"), -1},
    };
    for (const auto& each : cases) {
        const auto keys = KeySet::parse(each.json);
        EXPECT_EQ(keys ? static_cast<int>(keys->size()) : -1, each.size) << each.json;
    }
}

TEST(Jwks, RefusesAnRsaExponentOfOne) {
    std::string key = vectors[1].key;
    key.replace(key.find("AQAB"), 4, "AQ");
    EXPECT_FALSE(KeySet::parse(set_of(key)));
}

TEST(Jwks, ASecretIsAsLongAsTheDigest) {
    const std::vector<std::uint8_t> secret(48, 7);
    const auto keys = KeySet::parse(set_of(R"({"kty":"oct","k":")" + base64url(secret) + "\"}"));
    ASSERT_TRUE(keys);
    const Sha256 mac = hmac_sha256(secret, bytes_of("text"));
    EXPECT_TRUE(keys->verify(std::nullopt, JwtAlgorithm::hs256, "text", mac));
    EXPECT_FALSE(keys->verify(std::nullopt, JwtAlgorithm::hs512, "text", mac));
}

// Tokens of our own: what they say is the point here.

const std::vector<std::uint8_t> secret(32, 0x5A);

KeySet own_keys() {
    return *KeySet::parse(set_of(R"({"kty":"oct","kid":"own","k":")" + base64url(secret) + "\"}"));
}

std::string sign(std::string_view header, std::string_view payload) {
    const std::string text = base64url(bytes_of(header)) + '.' + base64url(bytes_of(payload));
    return text + '.' + base64url(hmac_sha256(secret, bytes_of(text)));
}

std::string token(std::string_view payload) {
    return sign(R"({"alg":"HS256","kid":"own"})", payload);
}

int verdict(const std::string& text, const JwtRules& rules = {}) {
    const auto verified = verify_jwt(text, own_keys(), rules, now);
    return verified ? 200 : verified.error().status;
}

TEST(Jwt, TellsWhatItSays) {
    const std::string payload =
        R"({"sub":"ann","jti":"7","iat":1799999990,"exp":1800000060,"role":"editor"})";
    const auto verified = verify_jwt(token(payload), own_keys(), {}, now);
    ASSERT_TRUE(verified) << verified.error().detail;
    EXPECT_EQ(verified->subject, "ann");
    EXPECT_EQ(verified->id, "7");
    EXPECT_EQ(verified->issued_at, 1799999990);
    EXPECT_EQ(verified->claims, payload);
}

TEST(Jwt, AnOldVectorHasExpired) {
    const auto keys = KeySet::parse(set_of(vectors[0].key));
    const std::string old = std::string{vectors[0].header} + '.' + joe + '.' + vectors[0].signature;
    EXPECT_EQ(verify_jwt(old, *keys, {}, now).error().detail, "the token has expired");
    const auto then = verify_jwt(old, *keys, {.issuer = "joe"}, 1300819380);
    ASSERT_TRUE(then);
    EXPECT_EQ(claim_text(then->claims, "http_example_com_is_root"), std::nullopt);
    EXPECT_EQ(claim_text(then->claims, "http___example_com_is_root"), "true");
}

TEST(Jwt, Headers) {
    const std::string payload = R"({"exp":1800000060})";
    const struct {
        const char* header;
        int status;
    } cases[] = {
        {R"({"alg":"HS256","kid":"own"})", 200},
        {R"({"alg":"HS256","kid":"own","typ":"JWT"})", 200},
        {R"({"alg":"HS256","kid":"own","typ":"application/at+jwt"})", 200},
        {R"({"kid":"\u006fwn","alg":"HS256"})", 200},
        {R"({"alg":"HS256","kid":"own","jku":"https://evil.example/","x5u":"https://evil.example/"})", 200},
        {R"({"alg":"HS256"})", 401},
        {R"({"alg":"HS256","kid":""})", 401},
        {R"({"alg":"HS256","kid":"other"})", 401},
        {R"({"alg":"HS256","kid":"../../dev/null"})", 401},
        {R"({"alg":"HS256","kid":["own"]})", 401},
        {R"({"alg":"HS256","kid":null})", 401},
        {R"({"alg":"HS256","kid":"own\u0000"})", 401},
        {R"({"alg":"none","kid":"own"})", 401},
        {R"({"alg":"None","kid":"own"})", 401},
        {R"({"alg":"hs256","kid":"own"})", 401},
        {R"({"alg":"HS512","kid":"own"})", 401},
        {R"({"alg":"RS256","kid":"own"})", 401},
        {R"({"alg":["HS256"],"kid":"own"})", 401},
        {R"({"kid":"own"})", 401},
        {R"({"alg":"HS256","alg":"HS256","kid":"own"})", 401},
        {R"({"alg":"HS256","\u0061lg":"none","kid":"own"})", 401},
        {R"({"alg":"HS256","kid":"own","crit":[]})", 401},
        {R"({"alg":"HS256","kid":"own","b64":false,"crit":["b64"]})", 401},
        {R"({"alg":"HS256","kid":"own","typ":"logout+jwt"})", 401},
        {R"({"alg":"HS256","kid":"own","typ":1})", 401},
        {R"({"alg":"HS256","kid":"own"} )", 200},
        {R"({"alg":"HS256","kid":"own"}x)", 401},
        {R"(["alg","HS256"])", 401},
        {R"("alg")", 401},
        {"", 401},
    };
    for (const auto& each : cases) {
        EXPECT_EQ(verdict(sign(each.header, payload)), each.status) << each.header;
    }
}

TEST(Jwt, AKeyInsideTheTokenIsNotTrusted) {
    const std::string payload = base64url(bytes_of(R"({"exp":1800000060})"));
    const std::vector<std::uint8_t> theirs(32, 1);
    const std::string jwk = R"({"kty":"oct","kid":"own","k":")" + base64url(theirs) + "\"}";
    const std::string text =
        base64url(bytes_of(R"({"alg":"HS256","kid":"own","jwk":)" + jwk + "}")) + '.' + payload;
    EXPECT_EQ(verdict(text + '.' + base64url(hmac_sha256(theirs, bytes_of(text)))), 401);
}

TEST(Jwt, APublicKeyIsNoSecret) {
    for (const int at : {1, 2, 5}) {
        const auto keys = KeySet::parse(set_of(vectors[at].key));
        const std::string text =
            base64url(bytes_of(R"({"alg":"HS256"})")) + '.' + base64url(bytes_of(R"({"exp":1800000060})"));
        for (const std::string& guess : {std::string{vectors[at].key}, std::string{}}) {
            const std::string forged = text + '.' + base64url(hmac_sha256(bytes_of(guess), bytes_of(text)));
            EXPECT_FALSE(verify_jwt(forged, *keys, {}, now));
        }
    }
}

TEST(Jwt, Claims) {
    const JwtRules rules{.issuer = "https://issuer.example",
                         .audience = "media",
                         .scopes = {"upload", "read"},
                         .oldest = 3600};
    const std::string good =
        R"("iss":"https://issuer.example","aud":"media","scope":"read upload","iat":1799999999)";
    const struct {
        std::string payload;
        int status;
    } cases[] = {
        {"{" + good + R"(,"exp":1800000060})", 200},
        {"{" + good + R"(,"exp":1800000000.5})", 200},
        {"{" + good + R"(,"exp":1.80000006e9})", 200},
        {"{" + good + R"(,"exp":1799999971})", 200},  // within the leeway
        {"{" + good + R"(,"exp":1799999970})", 401},
        {"{" + good + R"(,"exp":-1})", 401},
        {"{" + good + "}", 401},
        {"{" + good + R"(,"exp":"1800000060"})", 401},
        {"{" + good + R"(,"exp":null})", 401},
        {"{" + good + R"(,"exp":true})", 401},
        {"{" + good + R"(,"exp":[1800000060]})", 401},
        {"{" + good + R"(,"exp":1e999})", 401},
        {"{" + good + R"(,"exp":1,"exp":1800000060})", 401},
        {"{" + good + R"(,"exp":1800000060,"nbf":1800000030})", 200},
        {"{" + good + R"(,"exp":1800000060,"nbf":1800000031})", 401},
        {"{" + good + R"(,"exp":1800000060,"nbf":"1"})", 401},
        {"{" + good + R"(,"exp":1800000060,"sub":7})", 401},
        {"{" + good + R"(,"exp":1800000060,"sub":"a\r\nX-Evil: 1"})", 401},
        {"{" + good + R"(,"exp":1800000060,"jti":7})", 401},
        {R"({"exp":1800000060,"aud":"media","scope":"read upload","iat":1799999999})", 401},
        {R"({"exp":1800000060,"iss":"https://issuer.example/","aud":"media","scope":"read upload","iat":1799999999})",
         401},
        {R"({"exp":1800000060,"iss":["https://issuer.example"],"aud":"media","scope":"read upload","iat":1799999999})",
         401},
        {R"({"exp":1800000060,"iss":"https://issuer.example","scope":"read upload","iat":1799999999})", 401},
        {R"({"exp":1800000060,"iss":"https://issuer.example","aud":"med","scope":"read upload","iat":1799999999})",
         401},
        {R"({"exp":1800000060,"iss":"https://issuer.example","aud":["x","media"],"scp":["upload","read"],"iat":1799999999})",
         200},
        {R"({"exp":1800000060,"iss":"https://issuer.example","aud":[["media"]],"scope":"read upload","iat":1799999999})",
         401},
        {R"({"exp":1800000060,"iss":"https://issuer.example","aud":"media","scope":"read uploads","iat":1799999999})",
         403},
        {R"({"exp":1800000060,"iss":"https://issuer.example","aud":"media","scope":"upload","iat":1799999999})",
         403},
        {R"({"exp":1800000060,"iss":"https://issuer.example","aud":"media","iat":1799999999})", 403},
        {R"({"exp":1800000060,"iss":"https://issuer.example","aud":"media","scope":"read upload"})", 401},
        {R"({"exp":1800000060,"iss":"https://issuer.example","aud":"media","scope":"read upload","iat":1799996370})",
         200},
        {R"({"exp":1800000060,"iss":"https://issuer.example","aud":"media","scope":"read upload","iat":1799996369})",
         401},
        {R"({"exp":1800000060,"iss":"https://issuer.example","aud":"media","scope":"read upload","iat":1800000031})",
         401},
        {R"([])", 401},
        {R"("text")", 401},
        {"", 401},
        {"{", 401},
    };
    for (const auto& each : cases) {
        EXPECT_EQ(verdict(token(each.payload), rules), each.status) << each.payload;
    }
}

TEST(Jwt, NoBitCanBeChanged) {
    const std::string good = token(R"({"exp":1800000060,"sub":"ann"})");
    ASSERT_EQ(verdict(good), 200);
    for (std::size_t bit = 0; bit < good.size() * 8; ++bit) {
        std::string bent = good;
        bent[bit / 8] = static_cast<char>(bent[bit / 8] ^ (1 << bit % 8));
        EXPECT_EQ(verdict(bent), 401) << bit;
    }
    for (std::size_t length = 0; length < good.size(); ++length) {
        EXPECT_EQ(verdict(good.substr(0, length)), 401) << length;
    }
    for (const char* more : {".", "=", "A", " ", "\n", ".x", "%"}) {
        EXPECT_EQ(verdict(good + more), 401) << more;
        EXPECT_EQ(verdict(more + good), 401) << more;
    }
}

TEST(Jwt, HugeOnesAreRefused) {
    EXPECT_EQ(verdict(token(R"({"exp":1800000060,"x":")" + std::string(10'000, 'x') + "\"}")), 200);
    EXPECT_EQ(verdict(token(R"({"exp":1800000060,"x":")" + std::string(20'000, 'x') + "\"}")), 401);
    EXPECT_EQ(verdict(token(std::string(6'000, '['))), 401);
    EXPECT_EQ(verdict(std::string(1'000'000, '.')), 401);
}

TEST(Jwt, FuzzedTokensAreRefused) {
    std::mt19937 random{7};
    const std::string good = token(R"({"exp":1800000060,"sub":"ann"})");
    for (int i = 0; i < 20'000; ++i) {
        std::string bent = good;
        for (unsigned change = random() % 4 + 1; change > 0; --change) {
            const std::size_t at = random() % bent.size();
            switch (random() % 3) {
                case 0:
                    bent[at] = static_cast<char>(random());
                    break;
                case 1:
                    bent.erase(at, random() % 8 + 1);
                    break;
                default:
                    bent.insert(at, 1, static_cast<char>(random()));
            }
            if (bent.empty()) {
                break;
            }
        }
        EXPECT_TRUE(bent == good || verdict(bent) == 401) << bent;
    }
}

TEST(Jwt, TextsOfClaims) {
    const std::string claims =
        R"({"a":"x","A":"y","tenantId":"t","is-root":true,"n":1.5,"list":[1,"2"],"o":{"b":1,"a":2},)"
        R"("null":null,"evil":"a\nb","del":"\u007f","empty":"","x_y":1,"x-y":2,"sp ace":"s"})";
    const struct {
        const char* name;
        std::optional<std::string> text;
    } cases[] = {
        {"a", "x"},
        {"A", "y"},
        {"tenantid", "t"},
        {"tenantId", "t"},
        {"is_root", "true"},
        {"n", "1.5"},
        {"list", R"([1,"2"])"},
        {"o", R"({"a":2,"b":1})"},
        {"null", "null"},
        {"evil", std::nullopt},
        {"del", std::nullopt},
        {"empty", ""},
        {"x_y", "1"},
        {"x_Y", std::nullopt},  // two could be meant
        {"sp_ace", "s"},
        {"none", std::nullopt},
        {"", std::nullopt},
    };
    for (const auto& each : cases) {
        EXPECT_EQ(claim_text(claims, each.name), each.text) << each.name;
    }
    EXPECT_EQ(claim_text("", "a"), std::nullopt);
    EXPECT_EQ(claim_text("[1]", "a"), std::nullopt);
}

// Revocation

TEST(Revoked, Lists) {
    const auto revoked = RevokedTokens::parse(
        "# the lost laptop\njti 7\r\njti with blanks # in it\n\n"
        "  sub ann 1800000000\nsub bob smith\t1700000000\nsub bob smith 1600000000\n");
    ASSERT_TRUE(revoked) << revoked.error().detail;
    const auto covers = [&](const char* subject, const char* id, std::optional<double> issued) {
        return revoked->covers({subject, id, issued, {}});
    };
    EXPECT_TRUE(covers("x", "7", 1.9e9));
    EXPECT_TRUE(covers("", "7", std::nullopt));
    EXPECT_TRUE(covers("x", "with blanks # in it", 1.9e9));
    EXPECT_FALSE(covers("x", "8", std::nullopt));
    EXPECT_FALSE(covers("", "", std::nullopt));
    EXPECT_TRUE(covers("ann", "8", 1799999999.9));
    EXPECT_TRUE(covers("ann", "8", std::nullopt));
    EXPECT_FALSE(covers("ann", "8", 1800000000));
    EXPECT_FALSE(covers("Ann", "8", 1));
    EXPECT_TRUE(covers("bob smith", "", 1699999999));
    EXPECT_FALSE(covers("bob smith", "", 1700000000));
}

TEST(Revoked, Mistakes) {
    for (const char* text : {"jti", "jti ", "sub", "sub ann", "sub ann soon", "sub ann 1.5", "sub 1700000000",
                             "sub ann 99999999999999999999", "7", "JTI 7", "jti7", "\nsub ann 1 x\n"}) {
        EXPECT_FALSE(RevokedTokens::parse(text)) << text;
    }
    EXPECT_EQ(RevokedTokens::parse("\njti 1\nsecret stuff").error().detail,
              "line 3 is neither \"jti ID\" nor \"sub ID UNIXTIME\"");
    EXPECT_TRUE(RevokedTokens::parse(""));
}

}  // namespace
}  // namespace media
