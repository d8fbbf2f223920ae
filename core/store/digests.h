// What a sender says that the digest of a file is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/store/incoming.h"

namespace media {

/// Collects digests from the fields of a request, then holds a file against all of them. A field may come
/// several times. Errors of add functions: 400 where a field is malformed.
class ExpectedDigests {
  public:
    /// Content-MD5 (RFC 1864).
    Status add_content_md5(std::string_view value) noexcept;

    /// Digest (RFC 3230): md5, sha-256 and sha-512; algorithms that are not known are passed over.
    Status add_digest(std::string_view value) noexcept;

    /// Repr-Digest (RFC 9530): sha-256 and sha-512; others are passed over, md5 too, which it calls insecure.
    Status add_repr_digest(std::string_view value) noexcept;

    bool empty() const noexcept { return expected_.empty(); }

    /// Whether `file`, which is finished, is what was sent: 422 otherwise. SHA-512 takes another look at the
    /// file, so this waits for the disk.
    Status check(const Incoming& file) const noexcept;

  private:
    enum class Algorithm : std::uint8_t { md5, sha256, sha512 };
    struct Expected {
        Algorithm algorithm;
        std::string hex;  ///< lower case
    };
    void add(std::string_view field, Algorithm algorithm, std::string_view base64);

    std::vector<Expected> expected_;
};

}  // namespace media
