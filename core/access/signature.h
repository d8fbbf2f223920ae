// Signed URLs: who knows the key decides what may be asked for.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace media {

/// A secret of 16 bytes or more.
using SigningKey = std::vector<std::uint8_t>;

/// A key from what the configuration says: hex, or `file:PATH` naming a file whose first line is that hex.
/// Errors are for the operator.
Result<SigningKey> read_signing_key(std::string_view text) noexcept;

/// What is signed: the path, decoded once, `?`, and the query without `s`, its names sorted by bytes and
/// everything but unreserved characters (RFC 3986, section 2.3) percent-encoded in upper case. `path` and
/// `query` are as a client sends them, still encoded. 400 where an escape is malformed.
Result<std::string> signed_text(std::string_view path, std::string_view query) noexcept;

/// The `s` of a URL: unpadded base64url (RFC 4648, section 5) of HMAC-SHA-256 (RFC 2104) over signed_text().
Result<std::string> sign_url(const SigningKey& key, std::string_view path, std::string_view query) noexcept;

/// Whether `s` of the query was made with one of `keys`: in constant time for signatures of one length, cut
/// off to at least 16 bytes. 403 where it is wrong, malformed, or missing although `required`; fine where it
/// is missing and may be.
Status check_signature(std::span<const SigningKey> keys, std::string_view path, std::string_view query,
                       bool required) noexcept;

}  // namespace media
