#include "core/access/bearer.h"

#include <openssl/rand.h>

#include <algorithm>
#include <optional>
#include <string>

#include "core/access/lines.h"
#include "core/rendition/guard.h"

namespace media {

namespace {

std::optional<unsigned> digit(char c) noexcept {
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'a' && c <= 'f') {
        return c - 'a' + 10;
    }
    return std::nullopt;
}

std::optional<Sha256> read_hash(std::string_view text) noexcept {
    Sha256 hash{};
    if (text.size() != 2 * hash.size()) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < hash.size(); ++i) {
        const auto high = digit(text[2 * i]);
        const auto low = digit(text[2 * i + 1]);
        if (!high || !low) {
            return std::nullopt;
        }
        hash[i] = static_cast<std::uint8_t>(*high << 4U | *low);
    }
    return hash;
}

}  // namespace

Result<BearerTokens> BearerTokens::parse(std::string_view text) noexcept {
    return detail::guarded([&]() -> Result<BearerTokens> {
        BearerTokens tokens;
        if (RAND_bytes(tokens.key_.data(), static_cast<int>(tokens.key_.size())) != 1) {
            return Error{500, "there is no randomness"};
        }
        std::size_t number = 0;
        while (const auto line = detail::next_line(text)) {
            ++number;
            const std::string_view word = detail::stripped(line->substr(0, line->find('#')));
            if (word.empty()) {
                continue;
            }
            const auto hash = read_hash(word);
            if (!hash) {
                return Error{500, "line " + std::to_string(number) + " is no SHA-256 in lower-case hex"};
            }
            tokens.blinded_.push_back(hmac_sha256(tokens.key_, *hash));
        }
        std::sort(tokens.blinded_.begin(), tokens.blinded_.end());
        return tokens;
    });
}

bool BearerTokens::holds(std::string_view token) const noexcept {
    const Sha256 hash = sha256(bytes_of(token));
    return std::binary_search(blinded_.begin(), blinded_.end(), hmac_sha256(key_, hash));
}

}  // namespace media
