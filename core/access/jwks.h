// The keys that tokens are signed with.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace media {

/// What a token may be signed with (RFC 7518, section 3.1; RFC 8037, section 3.1). There is no "none".
enum class JwtAlgorithm : std::uint8_t {
    hs256,
    hs384,
    hs512,
    rs256,
    rs384,
    rs512,
    ps256,
    ps384,
    ps512,
    es256,
    es384,
    eddsa
};

/// By its name, to the letter; nothing for any other.
std::optional<JwtAlgorithm> jwt_algorithm(std::string_view name) noexcept;

class VerificationKey;

/// A JSON Web Key Set (RFC 7517). Immutable.
class KeySet {
  public:
    /// Keys of kinds, curves, uses or algorithms that are not known here are passed over, as section 5 of the
    /// RFC asks. A key of a known kind that is malformed, too weak (RSA of less than 2048 bits, a secret of
    /// less than 256), or private, makes the whole set wrong. Errors are for the operator: they hold nothing
    /// of a key but its place in the set, from 1.
    static Result<KeySet> parse(std::string_view json) noexcept;

    /// Whether one of the keys that bear `kid` (that bear none, where it is empty) and are made for
    /// `algorithm` has signed `text`. Keys of another kind are not tried, whatever the token says.
    bool verify(const std::optional<std::string_view>& kid, JwtAlgorithm algorithm, std::string_view text,
                ByteView signature) const noexcept;

    std::size_t size() const noexcept { return keys_.size(); }

  private:
    std::vector<std::shared_ptr<const VerificationKey>> keys_;
};

}  // namespace media
