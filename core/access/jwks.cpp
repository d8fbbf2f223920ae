#include "core/access/jwks.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/ec.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/param_build.h>
#include <openssl/rsa.h>

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/access/base64url.h"
#include "core/access/json_text.h"
#include "core/rendition/guard.h"

namespace media {

namespace {

enum class Kind : std::uint8_t { secret, rsa, p256, p384, edwards };

struct AlgorithmInfo {
    std::string_view name;
    JwtAlgorithm algorithm;
    Kind kind;
    const EVP_MD* (*digest)();
    std::size_t digest_size;
    bool pss = false;
};

// The table of algorithms: nothing else is ever verified.
constexpr std::array<AlgorithmInfo, 12> algorithms{{
    {"HS256", JwtAlgorithm::hs256, Kind::secret, EVP_sha256, 32},
    {"HS384", JwtAlgorithm::hs384, Kind::secret, EVP_sha384, 48},
    {"HS512", JwtAlgorithm::hs512, Kind::secret, EVP_sha512, 64},
    {"RS256", JwtAlgorithm::rs256, Kind::rsa, EVP_sha256, 32},
    {"RS384", JwtAlgorithm::rs384, Kind::rsa, EVP_sha384, 48},
    {"RS512", JwtAlgorithm::rs512, Kind::rsa, EVP_sha512, 64},
    {"PS256", JwtAlgorithm::ps256, Kind::rsa, EVP_sha256, 32, true},
    {"PS384", JwtAlgorithm::ps384, Kind::rsa, EVP_sha384, 48, true},
    {"PS512", JwtAlgorithm::ps512, Kind::rsa, EVP_sha512, 64, true},
    {"ES256", JwtAlgorithm::es256, Kind::p256, EVP_sha256, 32},
    {"ES384", JwtAlgorithm::es384, Kind::p384, EVP_sha384, 48},
    {"EdDSA", JwtAlgorithm::eddsa, Kind::edwards, nullptr, 0},
}};

const AlgorithmInfo& info(JwtAlgorithm algorithm) noexcept {
    return algorithms[static_cast<std::size_t>(algorithm)];
}

constexpr std::size_t shortest_secret = 32;
constexpr int fewest_rsa_bits = 2048;
constexpr int most_rsa_bits = 16384;

template <auto Free>
struct Freed {
    template <class T>
    void operator()(T* object) const noexcept {
        Free(object);
    }
};
using Key = std::unique_ptr<EVP_PKEY, Freed<EVP_PKEY_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, Freed<EVP_PKEY_CTX_free>>;
using DigestContext = std::unique_ptr<EVP_MD_CTX, Freed<EVP_MD_CTX_free>>;
using Number = std::unique_ptr<BIGNUM, Freed<BN_free>>;
using Builder = std::unique_ptr<OSSL_PARAM_BLD, Freed<OSSL_PARAM_BLD_free>>;
using Parameters = std::unique_ptr<OSSL_PARAM, Freed<OSSL_PARAM_free>>;
using EcdsaSignature = std::unique_ptr<ECDSA_SIG, Freed<ECDSA_SIG_free>>;

Number number(ByteView bytes) noexcept {
    return Number{BN_bin2bn(bytes.data(), static_cast<int>(bytes.size()), nullptr)};
}

Key build(const char* type, OSSL_PARAM_BLD* builder) noexcept {
    const Parameters parameters{OSSL_PARAM_BLD_to_param(builder)};
    const KeyContext context{EVP_PKEY_CTX_new_from_name(nullptr, type, nullptr)};
    EVP_PKEY* key = nullptr;
    if (parameters == nullptr || context == nullptr || EVP_PKEY_fromdata_init(context.get()) != 1 ||
        EVP_PKEY_fromdata(context.get(), &key, EVP_PKEY_PUBLIC_KEY, parameters.get()) != 1) {
        return nullptr;
    }
    return Key{key};
}

/// Takes along what OpenSSL puts into its queue of errors meanwhile: nginx would blame the next TLS
/// connection.
class OwnErrors {
  public:
    OwnErrors() noexcept { ERR_set_mark(); }
    OwnErrors(const OwnErrors&) = delete;
    OwnErrors& operator=(const OwnErrors&) = delete;
    ~OwnErrors() { ERR_pop_to_mark(); }
};

// r and s, one behind the other (RFC 7518, section 3.4), as OpenSSL wants them. Empty where that fails.
std::vector<std::uint8_t> der(ByteView signature) {
    const std::size_t half = signature.size() / 2;
    Number r = number(signature.first(half));
    Number s = number(signature.subspan(half));
    const EcdsaSignature pair{ECDSA_SIG_new()};
    if (r == nullptr || s == nullptr || pair == nullptr) {
        return {};
    }
    ECDSA_SIG_set0(pair.get(), r.release(), s.release());
    const int size = i2d_ECDSA_SIG(pair.get(), nullptr);
    std::vector<std::uint8_t> bytes(size > 0 ? static_cast<std::size_t>(size) : 0);
    unsigned char* end = bytes.data();
    if (bytes.empty() || i2d_ECDSA_SIG(pair.get(), &end) != size) {
        return {};
    }
    return bytes;
}

}  // namespace

class VerificationKey {
  public:
    std::optional<std::string> kid;
    std::optional<JwtAlgorithm> only;  ///< its "alg"
    Kind kind = Kind::secret;
    std::vector<std::uint8_t> secret;
    Key key;

    VerificationKey() = default;
    VerificationKey(const VerificationKey&) = delete;
    VerificationKey& operator=(const VerificationKey&) = delete;
    ~VerificationKey() { OPENSSL_cleanse(secret.data(), secret.size()); }

    // A secret is at least as long as the digest (RFC 7518, section 3.2).
    bool fits(const AlgorithmInfo& algorithm) const noexcept {
        return kind == algorithm.kind && (!only || *only == algorithm.algorithm) &&
               (kind != Kind::secret || secret.size() >= algorithm.digest_size);
    }

    bool verify(const AlgorithmInfo& algorithm, ByteView text, ByteView signature) const {
        switch (kind) {
            case Kind::secret:
                return verify_secret(algorithm, text, signature);
            case Kind::p256:
                return signature.size() == 64 && verify_public(algorithm, text, der(signature));
            case Kind::p384:
                return signature.size() == 96 && verify_public(algorithm, text, der(signature));
            case Kind::rsa:
            case Kind::edwards:
                return verify_public(algorithm, text, signature);
        }
        return false;
    }

  private:
    bool verify_secret(const AlgorithmInfo& algorithm, ByteView text, ByteView signature) const noexcept {
        std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
        unsigned size = 0;
        return HMAC(algorithm.digest(), secret.data(), static_cast<int>(secret.size()), text.data(),
                    text.size(), digest.data(), &size) != nullptr &&
               signature.size() == size && CRYPTO_memcmp(digest.data(), signature.data(), size) == 0;
    }

    bool verify_public(const AlgorithmInfo& algorithm, ByteView text, ByteView signature) const noexcept {
        const DigestContext context{EVP_MD_CTX_new()};
        const EVP_MD* digest = algorithm.digest == nullptr ? nullptr : algorithm.digest();
        EVP_PKEY_CTX* options = nullptr;
        if (context == nullptr || signature.empty() ||
            EVP_DigestVerifyInit(context.get(), &options, digest, nullptr, key.get()) != 1) {
            return false;
        }
        // The salt is as long as the digest (RFC 7518, section 3.5).
        if (algorithm.pss && (EVP_PKEY_CTX_set_rsa_padding(options, RSA_PKCS1_PSS_PADDING) != 1 ||
                              EVP_PKEY_CTX_set_rsa_pss_saltlen(options, RSA_PSS_SALTLEN_DIGEST) != 1)) {
            return false;
        }
        return EVP_DigestVerify(context.get(), signature.data(), signature.size(), text.data(),
                                text.size()) == 1;
    }
};

namespace {

using Bytes8 = std::vector<std::uint8_t>;

std::optional<Bytes8> member(const json_t* object, const char* name) {
    const auto text = detail::string_member(object, name);
    return text.present && text.valid ? from_base64url(text.text) : std::nullopt;
}

Key rsa_key(const json_t* jwk, std::string& wrong) {
    const auto modulus = member(jwk, "n");
    const auto exponent = member(jwk, "e");
    if (!modulus || !exponent || modulus->size() > most_rsa_bits / 8 || exponent->size() > 32) {
        wrong = "has no RSA modulus and exponent";
        return nullptr;
    }
    const Number n = number(*modulus);
    const Number e = number(*exponent);
    if (n == nullptr || e == nullptr || BN_num_bits(n.get()) < fewest_rsa_bits) {
        wrong = "is an RSA key of less than 2048 bits";
        return nullptr;
    }
    // An exponent of 1 would make every message its own signature.
    if (BN_is_odd(n.get()) == 0 || BN_is_odd(e.get()) == 0 || BN_is_one(e.get()) == 1) {
        wrong = "is no RSA key";
        return nullptr;
    }
    const Builder builder{OSSL_PARAM_BLD_new()};
    if (builder == nullptr || OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_N, n.get()) != 1 ||
        OSSL_PARAM_BLD_push_BN(builder.get(), OSSL_PKEY_PARAM_RSA_E, e.get()) != 1) {
        return nullptr;
    }
    return build("RSA", builder.get());
}

// OpenSSL refuses a point that is not on the curve.
Key curve_key(const json_t* jwk, const char* curve, std::size_t size, std::string& wrong) {
    const auto x = member(jwk, "x");
    const auto y = member(jwk, "y");
    wrong = "is no point of its curve";
    if (!x || !y || x->size() != size || y->size() != size) {
        return nullptr;
    }
    Bytes8 point{POINT_CONVERSION_UNCOMPRESSED};
    point.insert(point.end(), x->begin(), x->end());
    point.insert(point.end(), y->begin(), y->end());
    const Builder builder{OSSL_PARAM_BLD_new()};
    if (builder == nullptr ||
        OSSL_PARAM_BLD_push_utf8_string(builder.get(), OSSL_PKEY_PARAM_GROUP_NAME, curve, 0) != 1 ||
        OSSL_PARAM_BLD_push_octet_string(builder.get(), OSSL_PKEY_PARAM_PUB_KEY, point.data(),
                                         point.size()) != 1) {
        return nullptr;
    }
    return build("EC", builder.get());
}

Key edwards_key(const json_t* jwk, std::string& wrong) {
    const auto x = member(jwk, "x");
    wrong = "is no Ed25519 key";
    if (!x || x->size() != 32) {
        return nullptr;
    }
    return Key{EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, x->data(), x->size())};
}

// Whether the key says that it is for verifying; what does not say anything is.
bool for_signatures(const json_t* jwk) noexcept {
    if (const auto use = detail::string_member(jwk, "use"); use.present && use.text != "sig") {
        return false;
    }
    const json_t* operations = json_object_get(jwk, "key_ops");
    if (operations == nullptr) {
        return true;
    }
    std::size_t at = 0;
    const json_t* operation = nullptr;
    json_array_foreach(operations, at, operation) {
        if (json_is_string(operation) && detail::text_of(operation) == "verify") {
            return true;
        }
    }
    return false;
}

// A key; null without a reason where it is of no use here, null with one where it is wrong.
std::shared_ptr<VerificationKey> read_key(const json_t* jwk, std::string& wrong) {
    const auto type = detail::string_member(jwk, "kty");
    const auto kid = detail::string_member(jwk, "kid");
    const auto algorithm = detail::string_member(jwk, "alg");
    if (!json_is_object(jwk) || !type.present || !type.valid || !kid.valid || !algorithm.valid) {
        wrong = "is no JSON Web Key";
        return nullptr;
    }
    auto key = std::make_shared<VerificationKey>();
    if (kid.present) {
        key->kid = kid.text;
    }
    if (algorithm.present) {
        key->only = jwt_algorithm(algorithm.text);
    }
    const std::string_view curve = detail::string_member(jwk, "crv").text;
    if (!for_signatures(jwk) || (algorithm.present && !key->only)) {
        return nullptr;
    }
    if (type.text == "oct") {
        key->kind = Kind::secret;
    } else if (type.text == "RSA") {
        key->kind = Kind::rsa;
    } else if (type.text == "EC" && (curve == "P-256" || curve == "P-384")) {
        key->kind = curve == "P-256" ? Kind::p256 : Kind::p384;
    } else if (type.text == "OKP" && curve == "Ed25519") {
        key->kind = Kind::edwards;
    } else {
        return nullptr;
    }
    if (key->kind != Kind::secret && json_object_get(jwk, "d") != nullptr) {
        wrong = "is a private key, which has no business here";
        return nullptr;
    }
    switch (key->kind) {
        case Kind::secret: {
            auto secret = member(jwk, "k");
            if (!secret || secret->size() < shortest_secret) {
                wrong = "is a secret of less than 32 bytes";
                return nullptr;
            }
            key->secret = std::move(*secret);
            break;
        }
        case Kind::rsa:
            key->key = rsa_key(jwk, wrong);
            break;
        case Kind::p256:
            key->key = curve_key(jwk, "P-256", 32, wrong);
            break;
        case Kind::p384:
            key->key = curve_key(jwk, "P-384", 48, wrong);
            break;
        case Kind::edwards:
            key->key = edwards_key(jwk, wrong);
            break;
    }
    if (key->kind != Kind::secret && key->key == nullptr) {
        wrong = wrong.empty() ? "cannot be used" : wrong;
        return nullptr;
    }
    wrong.clear();
    if (key->only && !key->fits(info(*key->only))) {
        wrong = "does not fit its \"alg\"";
        return nullptr;
    }
    return key;
}

}  // namespace

std::optional<JwtAlgorithm> jwt_algorithm(std::string_view name) noexcept {
    for (const AlgorithmInfo& row : algorithms) {
        if (row.name == name) {
            return row.algorithm;
        }
    }
    return std::nullopt;
}

Result<KeySet> KeySet::parse(std::string_view json) noexcept {
    return detail::guarded([&]() -> Result<KeySet> {
        const detail::Json document = detail::read_object(json);
        const json_t* keys = json_object_get(document.get(), "keys");
        if (!json_is_array(keys)) {
            return Error{500, "it is no JSON Web Key Set"};
        }
        const OwnErrors errors;
        KeySet set;
        std::size_t at = 0;
        const json_t* jwk = nullptr;
        json_array_foreach(keys, at, jwk) {
            std::string wrong;
            auto key = read_key(jwk, wrong);
            if (!wrong.empty()) {
                return Error{500, "key " + std::to_string(at + 1) + " " + wrong};
            }
            if (key != nullptr) {
                set.keys_.push_back(std::move(key));
            }
        }
        return set;
    });
}

bool KeySet::verify(const std::optional<std::string_view>& kid, JwtAlgorithm algorithm, std::string_view text,
                    ByteView signature) const noexcept {
    const OwnErrors errors;
    try {
        return std::any_of(keys_.begin(), keys_.end(), [&](const auto& key) {
            return key->kid == kid && key->fits(info(algorithm)) &&
                   key->verify(info(algorithm), bytes_of(text), signature);
        });
    } catch (...) {
        return false;
    }
}

}  // namespace media
