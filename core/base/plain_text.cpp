#include "core/base/plain_text.h"

#include <cstdint>

#include "core/base/utf8.h"

namespace media {

namespace {

constexpr std::string_view replacement = "\xEF\xBF\xBD";
constexpr std::string_view ellipsis = "\xE2\x80\xA6";
constexpr std::string_view blanks = " \n";

// The code point of a well-formed sequence.
std::uint32_t code_point(std::string_view sequence) noexcept {
    const auto byte = [&](std::size_t at) { return static_cast<std::uint32_t>(sequence[at]) & 0xFFU; };
    if (sequence.size() == 1) {
        return byte(0);
    }
    std::uint32_t code = byte(0) & (0x7FU >> sequence.size());
    for (std::size_t i = 1; i < sequence.size(); ++i) {
        code = code << 6U | (byte(i) & 0x3FU);
    }
    return code;
}

constexpr bool turns_order(std::uint32_t code) noexcept {
    return (code >= 0x202A && code <= 0x202E) || (code >= 0x2066 && code <= 0x2069);
}

constexpr bool control(std::uint32_t code) noexcept {
    return code < 0x20 || (code >= 0x7F && code < 0xA0);
}

// What is shown in the place of the sequence at the start of `text`.
std::string_view shown(std::string_view text, Utf8Step step) noexcept {
    if (!step.valid) {
        return replacement;
    }
    const std::string_view sequence = text.substr(0, step.length);
    const std::uint32_t code = code_point(sequence);
    if (turns_order(code)) {
        return {};
    }
    if (code == '\r') {
        return text.substr(1, 1) == "\n" ? "" : "\n";
    }
    return control(code) && code != '\n' ? " " : sequence;
}

}  // namespace

std::string plain_text(std::string_view text, std::size_t most) {
    std::string out;
    std::size_t count = 0;
    std::size_t last = 0;  // where the last character begins
    while (!text.empty()) {
        const Utf8Step step = utf8_step(text);
        const std::string_view next = shown(text, step);
        text.remove_prefix(step.length);
        if (next.empty() || (out.empty() && blanks.find(next) != std::string_view::npos)) {
            continue;
        }
        if (count == most) {
            out.resize(last);
            out += ellipsis;
            break;
        }
        last = out.size();
        out += next;
        ++count;
    }
    out.resize(out.find_last_not_of(blanks) + 1);
    return out;
}

}  // namespace media
