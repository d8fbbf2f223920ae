// What happens to originals, as others are told it.
#pragma once

#include <ctime>
#include <string>
#include <string_view>

#include "core/base/bytes.h"

namespace media {

/// The names of events; the first three are about an original, the last about its renditions.
namespace event_name {
inline constexpr std::string_view created = "original.created";
inline constexpr std::string_view deleted = "original.deleted";
inline constexpr std::string_view rejected = "original.rejected";
inline constexpr std::string_view rendition_failed = "rendition.failed";
}  // namespace event_name

struct Event {
    std::string id;       ///< told apart from all others; whoever gets an event twice knows it by this
    std::string time;     ///< RFC 3339, UTC
    std::string name;     ///< one of event_name
    std::string key;      ///< of the original
    std::string record;   ///< a JSON object, or empty
    std::string subject;  ///< whose token it was, or empty

    /// {"id", "time", "event", "key", "record", "subject"}; what is empty is null.
    std::string to_json() const;
};

/// The name of the event that a body of to_json() is about; empty where it is none.
std::string event_in(std::string_view body);

/// The X-Media-Signature of a body that is sent at `time`: "t=TIME,v1=HEX", where HEX is HMAC-SHA-256 of
/// TIME, a full stop and the body.
std::string sign_event(ByteView key, std::time_t time, std::string_view body);

}  // namespace media
