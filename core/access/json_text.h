// JSON from people who cannot be trusted, as jansson reads it.
#pragma once

#include <jansson.h>

#include <memory>
#include <optional>
#include <string_view>

namespace media::detail {

struct FreeJson {
    void operator()(json_t* value) const noexcept { json_decref(value); }
};
using Json = std::unique_ptr<json_t, FreeJson>;

/// A JSON object; null where the text is something else or not well-formed, has a member twice, U+0000 in a
/// string, a number beyond what a double holds, or anything behind its end.
inline Json read_object(std::string_view text) noexcept {
    Json value{json_loadb(text.data(), text.size(), JSON_REJECT_DUPLICATES, nullptr)};
    return json_is_object(value.get()) ? std::move(value) : nullptr;
}

inline std::string_view text_of(const json_t* string) noexcept {
    return {json_string_value(string), json_string_length(string)};
}

/// A member that may be absent, but is a string where it is there.
struct StringMember {
    bool present = false;
    bool valid = true;  ///< absent, or a string
    std::string_view text;
};

inline StringMember string_member(const json_t* object, const char* name) noexcept {
    const json_t* value = json_object_get(object, name);
    if (value == nullptr) {
        return {};
    }
    if (!json_is_string(value)) {
        return {true, false, {}};
    }
    return {true, true, text_of(value)};
}

}  // namespace media::detail
