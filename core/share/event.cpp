#include "core/share/event.h"

#include <jansson.h>

#include <memory>

#include "core/base/error.h"
#include "core/base/hash.h"

namespace media {

namespace {

std::string text_or_null(std::string_view text) {
    return text.empty() ? "null" : json_string(text);
}

}  // namespace

std::string Event::to_json() const {
    return "{\"id\": " + json_string(id) + ", \"time\": " + json_string(time) +
           ", \"event\": " + json_string(name) + ", \"key\": " + json_string(key) +
           ", \"record\": " + (record.empty() ? "null" : record) + ", \"subject\": " + text_or_null(subject) +
           "}";
}

std::string event_in(std::string_view body) {
    struct Release {
        void operator()(json_t* value) const noexcept { json_decref(value); }
    };
    const std::unique_ptr<json_t, Release> event{
        json_loadb(body.data(), body.size(), JSON_REJECT_DUPLICATES, nullptr)};
    const json_t* name = json_object_get(event.get(), "event");
    return json_is_string(name) ? json_string_value(name) : "";
}

std::string sign_event(ByteView key, std::time_t time, std::string_view body) {
    const std::string stamp = std::to_string(time);
    const Sha256 digest = hmac_sha256(key, bytes_of(stamp + '.' + std::string(body)));
    return "t=" + stamp + ",v1=" + hex(digest);
}

}  // namespace media
