// What an origin says about the life of its answer.
#pragma once

#include <ctime>
#include <optional>
#include <string_view>

namespace media {

/// Seconds that an answer stays fresh for a shared cache (RFC 9111, section 4.2.1): 0 where it must not be
/// kept or reused unasked, nothing where neither header says. `now` is the wall clock.
std::optional<time_t> stated_lifetime(std::string_view cache_control, std::string_view expires,
                                      time_t now) noexcept;

/// Whether a `Vary` still allows one answer to serve all clients, who are told apart by none of the fields
/// that it names: those that never reach the origin, and Origin, which changes header fields only.
bool shareable(std::string_view vary) noexcept;

}  // namespace media
