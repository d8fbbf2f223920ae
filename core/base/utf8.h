// The one thing we need to know about UTF-8: whether a sequence is well-formed.
#pragma once

#include <cstddef>
#include <string_view>

namespace media {

/// A sequence at the start of a text: how many bytes belong together, and whether they are a character.
struct Utf8Step {
    std::size_t length;  ///< of the character; of the maximal wrong part otherwise (Unicode 15, section 3.9)
    bool valid;
};

/// Looks at the start of `text`, which is not empty. Overlong forms and surrogates are not valid.
constexpr Utf8Step utf8_step(std::string_view text) noexcept {
    const auto byte = [&](std::size_t at) { return static_cast<unsigned char>(text[at]); };
    const unsigned char lead = byte(0);
    if (lead < 0x80) {
        return {1, true};
    }
    if (lead < 0xC2 || lead > 0xF4) {
        return {1, false};
    }
    const std::size_t length = lead < 0xE0 ? 2 : lead < 0xF0 ? 3 : 4;
    // The second byte has a narrower range where the lead alone does not rule out wrong forms.
    const unsigned char low = lead == 0xE0 ? 0xA0 : lead == 0xF0 ? 0x90 : 0x80;
    const unsigned char high = lead == 0xED ? 0x9F : lead == 0xF4 ? 0x8F : 0xBF;
    for (std::size_t i = 1; i < length; ++i) {
        if (i >= text.size() || byte(i) < (i == 1 ? low : 0x80) || byte(i) > (i == 1 ? high : 0xBF)) {
            return {i, false};
        }
    }
    return {length, true};
}

constexpr bool is_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const Utf8Step step = utf8_step(text);
        if (!step.valid) {
            return false;
        }
        text.remove_prefix(step.length);
    }
    return true;
}

}  // namespace media
