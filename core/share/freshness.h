// What an origin says about the life of its answer: RFC 9111 (HTTP caching) and RFC 5861 (stale answers).
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>

namespace media {

/// The header fields of an answer that speak of its life; several of one name are joined by commas. Empty
/// where there is none.
struct AnswerFields {
    std::string_view cache_control{};
    std::string_view expires{};
    std::string_view date{};
    std::string_view age{};
};

/// How long an answer may be used by a shared cache. Plain data: it is kept beside what it speaks of.
struct Lifetimes {
    static constexpr std::int32_t unstated = -1;

    std::int32_t fresh = unstated;       ///< seconds; unstated: up to the cache
    std::uint32_t while_revalidate = 0;  ///< seconds beyond, in which it may be used while it is refreshed
    std::uint32_t if_error = 0;          ///< seconds beyond, in which it may be used if the origin fails
    bool keep = true;                    ///< may be stored at all
    bool must_revalidate = false;        ///< may never be used unasked once it is stale

    bool states() const noexcept { return fresh != unstated; }
};

/// Lifetimes of an answer that came at `now` (Unix time). `s-maxage` counts before `max-age`, both before
/// `Expires`; what the answer's `Age` says has passed is taken off. Nonsense is stale at once (RFC 9111,
/// section 4.2.1). What is given no time to live is never used unasked.
Lifetimes lifetimes(const AnswerFields& fields, time_t now) noexcept;

/// How many seconds old an answer was when it came, by its `Age`; 0 where that says nothing.
std::uint32_t age_of(std::string_view age) noexcept;

/// The Unix time of an HTTP date in any of its three forms (RFC 9110, section 5.6.7).
std::optional<time_t> http_date(std::string_view text) noexcept;

/// The `Cache-Control` of an answer that is to be kept for `most` seconds at most, by a cache that gets it
/// `age` seconds after the origin made it and is not told so. Whatever it says beside lifetimes stays.
std::string shortened(std::string_view cache_control, std::uint32_t most, std::uint32_t age);

/// Whether a `Vary` still allows one answer to serve all clients, who are told apart by none of the fields
/// that it names: those that never reach the origin, and Origin, which changes header fields only.
bool shareable(std::string_view vary) noexcept;

/// Whether an entity tag is a strong one, quotes included.
bool strong_tag(std::string_view etag) noexcept;

}  // namespace media
