#include "core/store/digests.h"

#include <gtest/gtest.h>
#include <openssl/sha.h>

#include <random>

#include "core/base/base64.h"
#include "tests/core/store_fixture.h"

namespace media {
namespace {

enum class Field { content_md5, digest, repr_digest };

Status add(ExpectedDigests& digests, Field field, std::string_view value) {
    switch (field) {
        case Field::content_md5:
            return digests.add_content_md5(value);
        case Field::digest:
            return digests.add_digest(value);
        case Field::repr_digest:
            break;
    }
    return digests.add_repr_digest(value);
}

class DigestsTest : public StoreTest {
  protected:
    Incoming file_of(std::string_view text) const {
        auto file = store().begin(1 << 20);
        EXPECT_TRUE(file && file->write(bytes_of(text)) && file->finish());
        return std::move(*file);
    }

    /// 0 where the file is what the field says, else the error's status.
    int judge(Field field, std::string_view value, std::string_view text = "abc") const {
        ExpectedDigests digests;
        if (const Status added = add(digests, field, value); !added) {
            return added.error().status;
        }
        const Status checked = digests.check(file_of(text));
        return checked ? 0 : checked.error().status;
    }
};

// Of "abc": RFC 1321, A.5; FIPS 180-4's examples.
const std::string md5 = "kAFQmDzST7DWlj99KOF/cg==";
const std::string sha256_text = "ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=";
const std::string sha512_text =
    "3a81oZNherrMQXNJriBBMRLm+k6JqX6iCp7u5ktV05ohkpkqJ0/BqDa6PCOj/uu9RU1EI2Q86A4qmslPpUyknw==";

TEST_F(DigestsTest, TakesWhatIsTrue) {
    const std::string sha256_url = "ungWv48Bz-pBQUDeXa4iI7ADYaOWF3qctBD_YfIAFa0";
    const std::pair<Field, std::string> cases[] = {
        {Field::content_md5, md5},
        {Field::content_md5, " " + md5 + "\t"},
        {Field::digest, "md5=" + md5},
        {Field::digest, "MD5=" + md5 + ",SHA-256=" + sha256_text},
        {Field::digest, "sha-256=" + sha256_text},
        {Field::digest, "Sha-256=" + sha256_url},
        {Field::digest, "sha-512=" + sha512_text},
        {Field::digest, " , unixsum=30637 ,, sha-256=" + sha256_text + " , sha=wrong"},
        {Field::digest, ""},
        {Field::digest, "unknown="},
        {Field::repr_digest, "sha-256=:" + sha256_text + ":"},
        {Field::repr_digest, "sha-512=:" + sha512_text + ":, sha-256=:" + sha256_text + ":"},
        {Field::repr_digest, "sha-256=:" + sha256_text + ":;a=1;b"},
        {Field::repr_digest, R"(x="a,\"b", flag, md5=:AAAA:, sha-256=:)" + sha256_text + ":"},
        {Field::repr_digest, "  "},
    };
    for (const auto& [field, value] : cases) {
        EXPECT_EQ(judge(field, value), 0) << value;
    }
}

TEST_F(DigestsTest, RefusesWhatIsNotTrue) {
    const std::string nothing = "47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=";
    const std::pair<Field, std::string> cases[] = {
        {Field::content_md5, "1B2M2Y8AsgTpgAmY7PhCfg=="},
        {Field::digest, "sha-256=" + nothing},
        {Field::digest, "sha-256=" + sha256_text + ",sha-256=" + nothing},
        {Field::digest, "sha-256=" + sha256_text + ",md5=1B2M2Y8AsgTpgAmY7PhCfg=="},
        {Field::digest, "sha-512=" + std::string(86, 'A') + "=="},
        {Field::repr_digest, "sha-256=:" + nothing + ":"},
        {Field::repr_digest, "sha-256=:" + sha256_text + ":, sha-512=:" + std::string(86, 'A') + "==:"},
    };
    for (const auto& [field, value] : cases) {
        EXPECT_EQ(judge(field, value), 422) << value;
    }
}

TEST_F(DigestsTest, RefusesWhatIsMalformed) {
    const std::pair<Field, std::string> cases[] = {
        {Field::content_md5, ""},
        {Field::content_md5, "abc"},
        {Field::content_md5, md5 + "="},
        {Field::content_md5, md5.substr(0, 10) + ' ' + md5.substr(10)},
        {Field::content_md5, "900150983cd24fb0d6963f7d28e17f72"},
        {Field::content_md5, sha256_text},
        {Field::digest, "sha-256"},
        {Field::digest, "sha-256="},
        {Field::digest, "sha-256=" + md5},
        {Field::digest, "sha-256=:" + sha256_text + ":"},
        {Field::digest, "sha-256=\"" + sha256_text + '"'},
        {Field::repr_digest, "sha-256=" + sha256_text},
        {Field::repr_digest, "sha-256=:" + sha256_text},
        {Field::repr_digest, "sha-256=:" + sha256_text + ":x"},
        {Field::repr_digest, "sha-256=::"},
        {Field::repr_digest, "sha-256=:"},
        {Field::repr_digest, "sha-256"},
        {Field::repr_digest, "sha-256=:" + md5 + ":"},
        {Field::repr_digest, "SHA-256=:" + sha256_text + ":"},
        {Field::repr_digest, "sha-256=:" + sha256_text + ":,,a"},
        {Field::repr_digest, "=:" + sha256_text + ":"},
    };
    for (const auto& [field, value] : cases) {
        EXPECT_EQ(judge(field, value), 400) << value;
    }
}

TEST_F(DigestsTest, LooksAtLargeFilesWhole) {
    std::string text(700'001, 'x');
    text.back() = 'y';
    unsigned char digest[SHA512_DIGEST_LENGTH];
    SHA512(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
    EXPECT_EQ(judge(Field::digest, "sha-512=" + base64(digest), text), 0);
    text.back() = 'x';
    EXPECT_EQ(judge(Field::digest, "sha-512=" + base64(digest), text), 422);
}

TEST_F(DigestsTest, FuzzDamageIsNoCrash) {
    std::mt19937 random(3);
    const std::string good = "sha-256=:" + sha256_text + ":;a=\"b\\\"\", sha-512=:" + sha512_text + ':';
    for (int i = 0; i < 20000; ++i) {
        std::string text = good;
        for (std::size_t edits = random() % 4 + 1; edits > 0; --edits) {
            text[random() % text.size()] = static_cast<char>(random());
        }
        text.resize(random() % text.size() + 1);
        for (const Field field : {Field::content_md5, Field::digest, Field::repr_digest}) {
            ExpectedDigests digests;
            const Status added = add(digests, field, text);
            EXPECT_TRUE(added || added.error().status == 400);
        }
    }
}

}  // namespace
}  // namespace media
