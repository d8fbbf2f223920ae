// Tokens that do not count any more, though they are signed and their time is not over.
#pragma once

#include <string>
#include <string_view>
#include <unordered_map>
#include <unordered_set>

#include "core/access/jwt.h"
#include "core/base/result.h"

namespace media {

/// Immutable.
class RevokedTokens {
  public:
    /// Lines of `jti ID` (that one token) and `sub ID UNIXTIME` (tokens of that subject which were issued
    /// before that time, or do not say when). A line that begins with `#` is a comment. An ID may hold blanks
    /// and `#`. Errors are for the operator, and name a line.
    static Result<RevokedTokens> parse(std::string_view text) noexcept;

    bool covers(const VerifiedToken& token) const noexcept;

  private:
    std::unordered_set<std::string> ids_;
    std::unordered_map<std::string, double> oldest_;  ///< by subject
};

}  // namespace media
