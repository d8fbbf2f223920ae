#include "core/access/signature.h"

#include <openssl/crypto.h>

#include <algorithm>
#include <fstream>
#include <optional>
#include <utility>

#include "core/access/base64url.h"
#include "core/base/hash.h"
#include "core/rendition/guard.h"
#include "core/rendition/query.h"

namespace media {

namespace {

constexpr std::size_t shortest_signature = 16;
constexpr std::size_t shortest_key = 16;

int digit(char c) {
    return c >= '0' && c <= '9'   ? c - '0'
           : c >= 'a' && c <= 'f' ? c - 'a' + 10
           : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                  : -1;
}

Result<SigningKey> from_hex(std::string_view text) {
    if (text.size() % 2 != 0) {
        return Error{400, "a key has two hex digits a byte"};
    }
    SigningKey key;
    for (std::size_t i = 0; i < text.size(); i += 2) {
        const int high = digit(text[i]);
        const int low = digit(text[i + 1]);
        if (high < 0 || low < 0) {
            return Error{400, "a key is written in hex"};
        }
        key.push_back(static_cast<std::uint8_t>(high * 16 + low));
    }
    if (key.size() < shortest_key) {
        return Error{400, "a key has at least 16 bytes"};
    }
    return key;
}

struct SignedUrl {
    std::string text;
    std::optional<std::string> signature;
};

Result<SignedUrl> take_apart(std::string_view path, std::string_view query) {
    std::string scratch;
    const auto decoded = detail::percent_decode(path, scratch);
    if (!decoded) {
        return Error{400, "the path has a malformed escape"};
    }
    SignedUrl url{std::string(*decoded) + '?', std::nullopt};
    std::vector<std::pair<std::string, std::string>> pairs;
    while (const auto pair = detail::next_pair(query)) {
        std::string other;
        const auto name = detail::percent_decode(pair->name, scratch);
        const auto value = detail::percent_decode(pair->value, other);
        if (!name || !value) {
            return Error{400, "malformed escape", std::string(pair->name.substr(0, 64))};
        }
        if (*name == "s") {
            url.signature = *value;
        } else {
            pairs.emplace_back(*name, *value);
        }
    }
    std::sort(pairs.begin(), pairs.end());
    std::string_view between;
    for (const auto& [name, value] : pairs) {
        url.text += between;
        detail::append_encoded(url.text, name);
        url.text += '=';
        detail::append_encoded(url.text, value);
        between = "&";
    }
    return url;
}

}  // namespace

Result<SigningKey> read_signing_key(std::string_view text) noexcept {
    return detail::guarded([&]() -> Result<SigningKey> {
        constexpr std::string_view prefix = "file:";
        if (!text.starts_with(prefix)) {
            return from_hex(text);
        }
        std::ifstream file{std::string(text.substr(prefix.size()))};
        std::string line;
        if (!file || !std::getline(file, line)) {
            return Error{400, "the key's file cannot be read"};
        }
        while (!line.empty() && (line.back() == '\r' || line.back() == ' ')) {
            line.pop_back();
        }
        return from_hex(line);
    });
}

Result<std::string> signed_text(std::string_view path, std::string_view query) noexcept {
    return detail::guarded([&]() -> Result<std::string> {
        auto url = take_apart(path, query);
        if (!url) {
            return std::move(url).error();
        }
        return std::move(url->text);
    });
}

Result<std::string> sign_url(const SigningKey& key, std::string_view path, std::string_view query) noexcept {
    return detail::guarded([&]() -> Result<std::string> {
        auto url = take_apart(path, query);
        if (!url) {
            return std::move(url).error();
        }
        return base64url(hmac_sha256(key, bytes_of(url->text)));
    });
}

Status check_signature(std::span<const SigningKey> keys, std::string_view path, std::string_view query,
                       bool required) noexcept {
    return detail::guarded([&]() -> Status {
        const auto url = take_apart(path, query);
        if (!url) {
            return url.error();
        }
        if (!url->signature) {
            return required ? Status{Error{403, "this location wants a signed URL", "s"}} : Status{Nothing{}};
        }
        const auto given = from_base64url(*url->signature);
        if (!given || given->size() < shortest_signature || given->size() > sizeof(Sha256)) {
            return Error{403, "the signature is malformed", "s"};
        }
        // All keys, whichever fits: how long it takes says nothing.
        bool good = false;
        for (const SigningKey& key : keys) {
            const Sha256 digest = hmac_sha256(key, bytes_of(url->text));
            good |= CRYPTO_memcmp(digest.data(), given->data(), given->size()) == 0;
        }
        return good ? Status{Nothing{}} : Status{Error{403, "the signature is wrong", "s"}};
    });
}

}  // namespace media
