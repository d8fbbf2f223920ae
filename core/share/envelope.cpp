#include "core/share/envelope.h"

#include <openssl/evp.h>

#include <array>
#include <cstring>
#include <memory>
#include <stdexcept>

namespace media {

namespace {

// Layout, integers little-endian:
//   0  "NMED" and the version of the layout, 4 + 4
//   8  checksum, 16: the first half of SHA-256 over everything behind it and the key
//  24  valid, last modified, 8 + 8
//  40  lengths of facts, tag and body, 4 + 4 + 8
//  56  facts, tag, body
constexpr std::string_view magic = "NMED";
constexpr std::size_t checksum_at = 8;
constexpr std::size_t checksum_size = 16;
constexpr std::size_t covered_from = checksum_at + checksum_size;
constexpr std::size_t head_size = 56;

void put(std::string& out, std::uint64_t value, int bytes) {
    for (int i = 0; i < bytes; ++i) {
        out += static_cast<char>(value >> (8 * i) & 0xffU);
    }
}

std::uint64_t get(ByteView bytes, std::size_t at, int count) noexcept {
    std::uint64_t value = 0;
    for (int i = 0; i < count; ++i) {
        value |= std::uint64_t{bytes[at + static_cast<std::size_t>(i)]} << (8 * i);
    }
    return value;
}

// Fed in parts, so that neither side copies the body to hash it.
class Checksum {
  public:
    Checksum() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
        good_ = context_ != nullptr && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1;
    }
    void add(const void* data, std::size_t size) noexcept {
        good_ = good_ && EVP_DigestUpdate(context_.get(), data, size) == 1;
    }
    /// The digest; nothing where OpenSSL fails.
    std::optional<std::array<std::uint8_t, EVP_MAX_MD_SIZE>> end() noexcept {
        std::array<std::uint8_t, EVP_MAX_MD_SIZE> digest{};
        good_ = good_ && EVP_DigestFinal_ex(context_.get(), digest.data(), nullptr) == 1;
        return good_ ? std::optional{digest} : std::nullopt;
    }

  private:
    std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context_;
    bool good_ = false;
};

std::string_view text(ByteView bytes, std::size_t at, std::size_t size) noexcept {
    return {reinterpret_cast<const char*>(bytes.data()) + at, size};
}

}  // namespace

std::string seal(const Sealed& content, std::string_view key) {
    std::string out;
    out.reserve(head_size + content.facts.size() + content.etag.size() + content.body.size());
    out += magic;
    put(out, envelope_version, 4);
    out.append(checksum_size, '\0');
    put(out, static_cast<std::uint64_t>(content.valid), 8);
    put(out, static_cast<std::uint64_t>(content.last_modified), 8);
    put(out, content.facts.size(), 4);
    put(out, content.etag.size(), 4);
    put(out, content.body.size(), 8);
    out += content.facts;
    out += content.etag;
    out.append(reinterpret_cast<const char*>(content.body.data()), content.body.size());

    Checksum checksum;
    checksum.add(out.data() + covered_from, out.size() - covered_from);
    checksum.add(key.data(), key.size());
    const auto digest = checksum.end();
    if (!digest) {
        throw std::runtime_error{"SHA-256 is not available"};
    }
    std::memcpy(out.data() + checksum_at, digest->data(), checksum_size);
    return out;
}

std::optional<Sealed> unseal(ByteView bytes, std::string_view key) noexcept {
    if (bytes.size() < head_size || text(bytes, 0, magic.size()) != magic ||
        get(bytes, 4, 4) != envelope_version) {
        return std::nullopt;
    }
    const std::uint64_t facts = get(bytes, 40, 4);
    const std::uint64_t tag = get(bytes, 44, 4);
    const std::uint64_t body = get(bytes, 48, 8);
    const std::uint64_t rest = bytes.size() - head_size;
    if (facts > rest || tag > rest - facts || body != rest - facts - tag) {
        return std::nullopt;
    }
    Checksum checksum;
    checksum.add(bytes.data() + covered_from, bytes.size() - covered_from);
    checksum.add(key.data(), key.size());
    const auto digest = checksum.end();
    if (!digest || std::memcmp(digest->data(), bytes.data() + checksum_at, checksum_size) != 0) {
        return std::nullopt;
    }
    return Sealed{.facts = text(bytes, head_size, facts),
                  .etag = text(bytes, head_size + facts, tag),
                  .valid = static_cast<time_t>(get(bytes, 24, 8)),
                  .last_modified = static_cast<time_t>(get(bytes, 32, 8)),
                  .body = bytes.subspan(head_size + facts + tag)};
}

}  // namespace media
