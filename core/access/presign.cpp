#include "core/access/presign.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "core/access/base64url.h"
#include "core/access/json_text.h"
#include "core/access/jwt.h"
#include "core/base/hash.h"
#include "core/rendition/guard.h"
#include "core/rendition/query.h"

namespace media {

namespace {

constexpr std::size_t id_bytes = 16;

// What is signed begins so: a key that signs URLs too signs nothing that could be taken for this.
constexpr std::string_view purpose = "presigned upload 1\n";

/// What the query of a link says, as it is written there.
struct Written {
    std::optional<std::string> max_bytes, types, expires, claims, signature;
};

std::string names_of(FormatSet types) {
    std::string text;
    for (const FormatInfo& format : formats()) {
        if (types.has(format.format)) {
            text += text.empty() ? "" : ",";
            text += format.mime;
        }
    }
    return text;
}

// No field but the last can hold a line break, so no two links have one text.
std::string text_of(std::string_view path, const Written& written) {
    std::string text{purpose};
    for (const auto* field : {&written.max_bytes, &written.types, &written.expires, &written.claims}) {
        text += field->value_or("");
        text += '\n';
    }
    return text += path;
}

Written write(const PresignTerms& terms) {
    return {.max_bytes = std::to_string(terms.max_bytes),
            .types = names_of(terms.types),
            .expires = std::to_string(terms.expires),
            .claims = terms.claims.empty() ? std::nullopt : std::optional{base64url(bytes_of(terms.claims))},
            .signature = std::nullopt};
}

// Nothing where a name is unknown, stands twice, or holds a line break, or where an escape is malformed.
std::optional<Written> read(std::string_view query) {
    Written written;
    std::string one;
    std::string other;
    while (const auto pair = detail::next_pair(query)) {
        const auto name = detail::percent_decode(pair->name, one);
        const auto value = detail::percent_decode(pair->value, other);
        std::optional<std::string>* field = !name                  ? nullptr
                                            : *name == "max_bytes" ? &written.max_bytes
                                            : *name == "types"     ? &written.types
                                            : *name == "expires"   ? &written.expires
                                            : *name == "claims"    ? &written.claims
                                            : *name == "s"         ? &written.signature
                                                                   : nullptr;
        if (field == nullptr || *field || !value || has_controls(*value)) {
            return std::nullopt;
        }
        *field = *value;
    }
    return written;
}

template <class Number>
bool read_number(std::string_view text, Number& number) noexcept {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size();
}

// "sub" of claims; nothing where it is there, but unfit.
std::optional<std::string> subject_of(const json_t* claims) {
    const auto subject = detail::string_member(claims, "sub");
    if (!subject.valid || has_controls(subject.text)) {
        return std::nullopt;
    }
    return std::string{subject.text};
}

Result<FormatSet> read_types(const json_t* list, FormatSet allowed) {
    const Error wrong{400, "expected a list of media types that are taken here", "types"};
    FormatSet types;
    std::size_t at = 0;
    const json_t* item = nullptr;
    json_array_foreach(list, at, item) {
        const auto format = json_is_string(item) ? format_by_mime(detail::text_of(item)) : std::nullopt;
        if (!format || !allowed.has(*format)) {
            return wrong;
        }
        types.add(*format);
    }
    return types.empty() ? Result<FormatSet>{wrong} : types;
}

// A number of JSON within limits; a real one is none, however whole.
bool read_integer(const json_t* value, std::int64_t most, std::int64_t& number) noexcept {
    number = json_is_integer(value) ? json_integer_value(value) : 0;
    return number >= 1 && number <= most;
}

Status read_member(PresignTerms& terms, std::string_view name, json_t* value, const PresignLimits& limits,
                   std::int64_t now) {
    std::int64_t number = 0;
    if (name == "max_bytes") {
        if (!read_integer(value, static_cast<std::int64_t>(limits.max_bytes), number)) {
            return Error{400, "expected a number from 1 to " + std::to_string(limits.max_bytes), "max_bytes"};
        }
        terms.max_bytes = static_cast<std::uint64_t>(number);
    } else if (name == "expires") {
        if (!read_integer(value, limits.max_age, number)) {
            return Error{400, "expected seconds from 1 to " + std::to_string(limits.max_age), "expires"};
        }
        terms.expires = now + number;
    } else if (name == "types") {
        auto types = read_types(value, limits.types);
        if (!types) {
            return std::move(types).error();
        }
        terms.types = *types;
    } else if (name == "claims") {
        const std::unique_ptr<char, decltype(&free)> text{
            json_is_object(value) ? json_dumps(value, JSON_COMPACT) : nullptr, &free};
        auto subject = subject_of(value);
        if (text == nullptr || !subject) {
            return Error{400, "expected an object, with a plain string as its sub", "claims"};
        }
        terms.claims = text.get();
        terms.subject = std::move(*subject);
        if (terms.claims.size() > longest_presign_claims) {
            return Error{400, "more than 1024 bytes of claims", "claims"};
        }
    } else {
        return Error{400, "an unknown member", std::string{name.substr(0, 64)}};
    }
    return Nothing{};
}

// The terms of a link that is known to be ours.
std::optional<PresignTerms> take(const Written& written, std::string_view id) {
    PresignTerms terms{.id = std::string{id}, .types = {}};
    if (!read_number(written.max_bytes.value_or(""), terms.max_bytes) ||
        !read_number(written.expires.value_or(""), terms.expires)) {
        return std::nullopt;
    }
    std::string_view types = written.types ? *written.types : std::string_view{};
    while (!types.empty()) {
        const std::size_t end = std::min(types.find(','), types.size());
        if (const auto format = format_by_mime(types.substr(0, end))) {
            terms.types.add(*format);
        }
        types.remove_prefix(std::min(end + 1, types.size()));
    }
    if (written.claims) {
        const auto claims = from_base64url(*written.claims);
        if (!claims) {
            return std::nullopt;
        }
        terms.claims.assign(claims->begin(), claims->end());
        const detail::Json object = detail::read_object(terms.claims);
        auto subject = subject_of(object.get());
        if (object == nullptr || !subject) {
            return std::nullopt;
        }
        terms.subject = std::move(*subject);
    }
    return terms;
}

}  // namespace

bool is_presign_id(std::string_view text) noexcept {
    return text.size() == 2 * id_bytes &&
           text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

Result<PresignTerms> read_presign_request(std::string_view json, const PresignLimits& limits,
                                          std::int64_t now) noexcept {
    return detail::guarded([&]() -> Result<PresignTerms> {
        PresignTerms terms{
            .max_bytes = limits.max_bytes, .types = limits.types, .expires = now + limits.max_age};
        const detail::Json object = detail::read_object(json.empty() ? "{}" : json);
        if (object == nullptr) {
            return Error{400, "expected a JSON object"};
        }
        const char* name = nullptr;
        json_t* value = nullptr;
        json_object_foreach(object.get(), name, value) {
            if (Status status = read_member(terms, name, value, limits, now); !status) {
                return std::move(status).error();
            }
        }
        std::array<std::uint8_t, id_bytes> id{};
        if (RAND_bytes(id.data(), static_cast<int>(id.size())) != 1) {
            return Error{500, "there is no randomness"};
        }
        terms.id = hex(id);
        return terms;
    });
}

std::string presign_query(const PresignTerms& terms, const SigningKey& key, std::string_view path) {
    const Written written = write(terms);
    std::string query =
        "max_bytes=" + *written.max_bytes + "&types=" + *written.types + "&expires=" + *written.expires;
    if (written.claims) {
        query += "&claims=" + *written.claims;
    }
    return query + "&s=" + base64url(hmac_sha256(key, bytes_of(text_of(path, written))));
}

Result<PresignTerms> check_presigned(std::span<const SigningKey> keys, std::string_view path,
                                     std::string_view id, std::string_view query) noexcept {
    return detail::guarded([&]() -> Result<PresignTerms> {
        const Error altered{403, "the link is not as it was given out"};
        const auto written = read(query);
        const auto signature =
            written && written->signature ? from_base64url(*written->signature) : std::nullopt;
        if (!is_presign_id(id) || !path.ends_with(id) || !signature || signature->size() != Sha256{}.size()) {
            return altered;
        }
        // All keys, whichever fits: how long it takes says nothing.
        const std::string text = text_of(path, *written);
        bool good = false;
        for (const SigningKey& key : keys) {
            const Sha256 digest = hmac_sha256(key, bytes_of(text));
            good |= CRYPTO_memcmp(digest.data(), signature->data(), digest.size()) == 0;
        }
        auto terms = good ? take(*written, id) : std::nullopt;
        return terms ? Result<PresignTerms>{std::move(*terms)} : altered;
    });
}

std::string presign_json(const PresignTerms& terms, std::string_view url) {
    std::string types;
    for (const FormatInfo& format : formats()) {
        if (terms.types.has(format.format)) {
            types += types.empty() ? "" : ",";
            types += json_string(format.mime);
        }
    }
    return "{\"url\":" + json_string(url) +
           ",\"method\":\"PUT\",\"expires\":" + std::to_string(terms.expires) +
           ",\"max_bytes\":" + std::to_string(terms.max_bytes) + ",\"types\":[" + types + "]}";
}

}  // namespace media
