#include "core/base/hash.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>

#include <algorithm>

namespace media {

Sha256 sha256(ByteView bytes) noexcept {
    Sha256 digest{};
    SHA256(bytes.data(), bytes.size(), digest.data());
    return digest;
}

Sha256 hmac_sha256(ByteView key, ByteView text) noexcept {
    Sha256 digest{};
    unsigned size = 0;
    HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), text.data(), text.size(), digest.data(),
         &size);
    return digest;
}

std::string hex(ByteView bytes, std::size_t count) {
    static constexpr char digits[] = "0123456789abcdef";
    std::string text;
    count = std::min(count, bytes.size());
    text.reserve(count * 2);
    for (const std::uint8_t byte : bytes.first(count)) {
        text.push_back(digits[byte >> 4U]);
        text.push_back(digits[byte & 15U]);
    }
    return text;
}

}  // namespace media
