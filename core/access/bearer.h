// Access tokens that are known one by one.
#pragma once

#include <string_view>
#include <vector>

#include "core/base/hash.h"
#include "core/base/result.h"

namespace media {

/// SHA-256 hashes of tokens: whoever reads their file cannot use them. Immutable.
class BearerTokens {
  public:
    /// One lower-case hex SHA-256 a line; `#` begins a comment, blank lines do not count. Errors are for the
    /// operator: they name a line, and hold nothing of it.
    static Result<BearerTokens> parse(std::string_view text) noexcept;

    /// Whether the token is one of them. How long that takes tells nothing about the hashes: they are kept
    /// and compared under a key of this process that nobody knows.
    bool holds(std::string_view token) const noexcept;

    std::size_t size() const noexcept { return blinded_.size(); }

  private:
    Sha256 key_{};
    std::vector<Sha256> blinded_;  ///< sorted
};

}  // namespace media
