#include "core/access/jwt.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/access/base64url.h"
#include "core/access/json_text.h"
#include "core/rendition/guard.h"
#include "core/rendition/header_text.h"

namespace media {

namespace {

// More than header fields of nginx usually hold; what is longer is no token.
constexpr std::size_t longest_token = std::size_t{16} << 10U;

// One sentence for all that is wrong before the signature is known to be right: nobody learns more.
constexpr const char* not_ours = "the token is malformed or not signed with a key for it";

struct Parts {
    std::string_view header, payload, signature;
    std::string_view signed_text;
};

std::optional<Parts> take_apart(std::string_view token) noexcept {
    const std::size_t first = token.find('.');
    const std::size_t second = token.find('.', first == std::string_view::npos ? first : first + 1);
    if (token.size() > longest_token || first == std::string_view::npos || second == std::string_view::npos ||
        token.find('.', second + 1) != std::string_view::npos) {
        return std::nullopt;
    }
    return Parts{token.substr(0, first), token.substr(first + 1, second - first - 1),
                 token.substr(second + 1), token.substr(0, second)};
}

std::optional<std::string> decoded(std::string_view part) {
    const auto bytes = from_base64url(part);
    if (!bytes) {
        return std::nullopt;
    }
    return std::string(bytes->begin(), bytes->end());
}

// Types that are access tokens (RFC 7519, section 5.1; RFC 9068, section 2.1): a token made for another
// purpose is none (RFC 8725, section 3.11).
bool right_type(const detail::StringMember& type) noexcept {
    if (!type.present) {
        return true;
    }
    std::string_view name = type.text;
    constexpr std::string_view prefix = "application/";
    if (detail::same_word(name.substr(0, prefix.size()), prefix)) {
        name.remove_prefix(prefix.size());
    }
    return type.valid && (detail::same_word(name, "jwt") || detail::same_word(name, "at+jwt"));
}

/// A NumericDate (RFC 7519, section 2).
struct Time {
    bool valid = true;  ///< absent, or a number
    std::optional<double> value;
};

Time time_member(const json_t* claims, const char* name) noexcept {
    const json_t* value = json_object_get(claims, name);
    if (value == nullptr) {
        return {};
    }
    if (!json_is_number(value)) {
        return {false, std::nullopt};
    }
    return {true, json_number_value(value)};
}

// A text, or a list of texts that holds it.
bool names(const json_t* value, std::string_view wanted) noexcept {
    if (json_is_string(value)) {
        return detail::text_of(value) == wanted;
    }
    std::size_t at = 0;
    const json_t* item = nullptr;
    json_array_foreach(value, at, item) {
        if (json_is_string(item) && detail::text_of(item) == wanted) {
            return true;
        }
    }
    return false;
}

// "scope" is words with spaces between (RFC 8693, section 4.2); some issuers make a list of it, or call it
// "scp".
bool has_scope(const json_t* claims, std::string_view wanted) noexcept {
    const json_t* scope = json_object_get(claims, "scope");
    if (scope == nullptr) {
        scope = json_object_get(claims, "scp");
    }
    if (!json_is_string(scope)) {
        return names(scope, wanted);
    }
    std::string_view words = detail::text_of(scope);
    while (!words.empty()) {
        const std::size_t end = std::min(words.find(' '), words.size());
        if (words.substr(0, end) == wanted) {
            return true;
        }
        words.remove_prefix(std::min(end + 1, words.size()));
    }
    return false;
}

Status check_times(const json_t* claims, const JwtRules& rules, double now) {
    const Time exp = time_member(claims, "exp");
    const Time nbf = time_member(claims, "nbf");
    const Time iat = time_member(claims, "iat");
    const auto leeway = static_cast<double>(rules.leeway);
    if (!exp.valid || !nbf.valid || !iat.valid) {
        return Error{401, "a time of the token is not a number"};
    }
    if (!exp.value) {
        return Error{401, "the token has no end"};
    }
    if (now >= *exp.value + leeway) {
        return Error{401, "the token has expired"};
    }
    if ((nbf.value && now < *nbf.value - leeway) || (iat.value && now < *iat.value - leeway)) {
        return Error{401, "the token is not valid yet"};
    }
    if (rules.oldest && (!iat.value || now > *iat.value + static_cast<double>(*rules.oldest) + leeway)) {
        return Error{401, "the token is too old"};
    }
    return Nothing{};
}

Result<VerifiedToken> check_claims(const json_t* claims, const JwtRules& rules, double now) {
    if (const Status status = check_times(claims, rules, now); !status) {
        return status.error();
    }
    const auto subject = detail::string_member(claims, "sub");
    const auto id = detail::string_member(claims, "jti");
    const auto issuer = detail::string_member(claims, "iss");
    if (!subject.valid || !id.valid || !issuer.valid) {
        return Error{401, "a claim of the token is not a string"};
    }
    if (has_controls(subject.text)) {
        return Error{401, "the subject of the token has control characters"};
    }
    if (!rules.issuer.empty() && issuer.text != rules.issuer) {
        return Error{401, "the token is not of an issuer that counts here"};
    }
    if (!rules.audience.empty() && !names(json_object_get(claims, "aud"), rules.audience)) {
        return Error{401, "the token is not meant for this audience"};
    }
    for (const std::string& scope : rules.scopes) {
        if (!has_scope(claims, scope)) {
            return Error{403, "the token does not allow this"};
        }
    }
    return VerifiedToken{
        std::string{subject.text}, std::string{id.text}, time_member(claims, "iat").value, {}};
}

std::string folded(std::string_view name) {
    std::string text{name};
    for (char& c : text) {
        if (c >= 'A' && c <= 'Z') {
            c = static_cast<char>(c - 'A' + 'a');
        } else if ((c < 'a' || c > 'z') && (c < '0' || c > '9')) {
            c = '_';
        }
    }
    return text;
}

json_t* find_claim(json_t* claims, std::string_view name) {
    if (json_t* exact = json_object_get(claims, std::string{name}.c_str())) {
        return exact;
    }
    const std::string wanted = folded(name);
    json_t* found = nullptr;
    const char* key = nullptr;
    json_t* value = nullptr;
    json_object_foreach(claims, key, value) {
        if (folded(key) == wanted) {
            if (found != nullptr) {
                return nullptr;  // two could be meant
            }
            found = value;
        }
    }
    return found;
}

}  // namespace

bool has_controls(std::string_view text) noexcept {
    return std::any_of(text.begin(), text.end(),
                       [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7F; });
}

Result<VerifiedToken> verify_jwt(std::string_view token, const KeySet& keys, const JwtRules& rules,
                                 std::int64_t now) noexcept {
    return detail::guarded([&]() -> Result<VerifiedToken> {
        const auto parts = take_apart(token);
        const auto head = parts ? decoded(parts->header) : std::nullopt;
        const auto signature = head ? from_base64url(parts->signature) : std::nullopt;
        if (!signature) {
            return Error{401, not_ours};
        }
        const detail::Json header = detail::read_object(*head);
        const auto name = detail::string_member(header.get(), "alg");
        const auto kid = detail::string_member(header.get(), "kid");
        const auto algorithm = name.present && name.valid ? jwt_algorithm(name.text) : std::nullopt;
        // Extensions that must be understood ("crit") are not.
        if (!algorithm || !kid.valid || !right_type(detail::string_member(header.get(), "typ")) ||
            json_object_get(header.get(), "crit") != nullptr ||
            !keys.verify(kid.present ? std::optional{kid.text} : std::nullopt, *algorithm, parts->signed_text,
                         *signature)) {
            return Error{401, not_ours};
        }
        auto payload = decoded(parts->payload);
        const detail::Json claims = payload ? detail::read_object(*payload) : nullptr;
        if (claims == nullptr) {
            return Error{401, not_ours};
        }
        auto verified = check_claims(claims.get(), rules, static_cast<double>(now));
        if (verified) {
            verified->claims = std::move(*payload);
        }
        return verified;
    });
}

std::string chosen_claims(std::string_view claims, std::span<const std::string> names) noexcept {
    try {
        const detail::Json object = detail::read_object(claims);
        const detail::Json chosen{json_object()};
        for (const std::string& name : names) {
            if (json_t* value = json_object_get(object.get(), name.c_str())) {
                json_object_set(chosen.get(), name.c_str(), value);
            }
        }
        if (json_object_size(chosen.get()) == 0) {
            return {};
        }
        const std::unique_ptr<char, decltype(&free)> text{json_dumps(chosen.get(), JSON_COMPACT), &free};
        return text == nullptr ? "" : text.get();
    } catch (...) {
        return {};
    }
}

std::optional<std::string> claim_text(std::string_view claims, std::string_view name) noexcept {
    try {
        const detail::Json object = detail::read_object(claims);
        const json_t* value = find_claim(object.get(), name);
        if (value == nullptr) {
            return std::nullopt;
        }
        std::string text;
        if (json_is_string(value)) {
            text = detail::text_of(value);
        } else {
            const std::unique_ptr<char, decltype(&free)> dumped{
                json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_SORT_KEYS), &free};
            text = dumped == nullptr ? "" : dumped.get();
        }
        if (has_controls(text)) {
            return std::nullopt;
        }
        return text;
    } catch (...) {
        return std::nullopt;
    }
}

}  // namespace media
