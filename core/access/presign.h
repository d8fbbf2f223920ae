// Links that let their holder upload once, without a token.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "core/access/signature.h"
#include "core/base/result.h"
#include "core/rendition/format.h"

namespace media {

/// What a link allows. It carries all of this itself: nothing is kept of a link that was not used.
struct PresignTerms {
    std::string id{};  ///< 32 lower-case hex digits: no other link has them
    std::uint64_t max_bytes = 0;
    FormatSet types{};
    std::int64_t expires = 0;  ///< Unix time: the link has ended then
    std::string claims{};      ///< a JSON object for the record, or empty
    std::string subject{};     ///< its "sub"
};

/// What links may allow at most.
struct PresignLimits {
    std::uint64_t max_bytes = 0;
    FormatSet types{};
    std::int64_t max_age = 600;  ///< seconds
};

/// Claims are a part of the link: this many bytes of JSON at most.
inline constexpr std::size_t longest_presign_claims = 1024;

/// Whether a text is the id of a link.
bool is_presign_id(std::string_view text) noexcept;

/// The terms that a JSON object asks for, with an id of their own; what it leaves out, and an empty text, is
/// as the limits say. 400, naming the member, where it is malformed, asks for more, or has a member that is
/// not known.
Result<PresignTerms> read_presign_request(std::string_view json, const PresignLimits& limits,
                                          std::int64_t now) noexcept;

/// The query of the link with these terms. `path` is where it leads, decoded: the link holds there only.
std::string presign_query(const PresignTerms& terms, const SigningKey& key, std::string_view path);

/// The terms of a link at `path`, decoded, whose last part is `id`. 403 where not one of `keys` has signed
/// exactly this. Whether its time is over is not looked at.
Result<PresignTerms> check_presigned(std::span<const SigningKey> keys, std::string_view path,
                                     std::string_view id, std::string_view query) noexcept;

/// The answer to who asked for a link, as JSON.
std::string presign_json(const PresignTerms& terms, std::string_view url);

}  // namespace media
