// JSON Web Tokens: who comes, and whether somebody we trust has said so.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/access/jwks.h"
#include "core/base/result.h"

namespace media {

/// What a token must say beside being signed. Empty: it need not.
struct JwtRules {
    std::string issuer{};
    std::string audience{};
    std::vector<std::string> scopes{};     ///< all of them
    std::int64_t leeway = 30;              ///< seconds that clocks may differ
    std::optional<std::int64_t> oldest{};  ///< seconds: the greatest age of an "iat"
};

/// What a token that was verified says.
struct VerifiedToken {
    std::string subject;              ///< "sub", or empty
    std::string id;                   ///< "jti", or empty
    std::optional<double> issued_at;  ///< "iat", Unix time
    std::string claims;               ///< all of them: the payload, a JSON object
};

/// Verifies a JWS in compact form (RFC 7515, 7519) at the Unix time `now`. Only `keys` are trusted: "jwk",
/// "jku", "x5c" and "x5u" of the header mean nothing. 401 where it is malformed, not signed with a key that
/// fits its "kid" and "alg", outside of its times, of another issuer or for another audience; 403 where only
/// a scope is missing. Error details are ASCII without quotes, and hold nothing of the token.
Result<VerifiedToken> verify_jwt(std::string_view token, const KeySet& keys, const JwtRules& rules,
                                 std::int64_t now) noexcept;

/// The text of a claim: a string as it is, anything else as JSON. `name` is met exactly, or else by the one
/// claim that differs from it only in case and in what is no letter or digit standing for `_`, since
/// variables of nginx are named so. Nothing where there is none, or where its text has control characters,
/// which must not get into header fields.
std::optional<std::string> claim_text(std::string_view claims, std::string_view name) noexcept;

/// Those of the claims that have one of `names`, exactly, as a JSON object; empty where there are none.
std::string chosen_claims(std::string_view claims, std::span<const std::string> names) noexcept;

/// Whether text has control characters (C0 and DEL).
bool has_controls(std::string_view text) noexcept;

}  // namespace media
