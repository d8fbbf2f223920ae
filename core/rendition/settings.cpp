#include "core/rendition/settings.h"

#include "core/base/hash.h"

namespace media {

RenderSettings::RenderSettings() {
    for (const FormatInfo& row : formats()) {
        quality[static_cast<std::size_t>(row.format)] = row.quality;
        effort[static_cast<std::size_t>(row.format)] = row.effort;
    }
}

std::string RenderSettings::fingerprint() const {
    // The limits are in it although they change no pixel: they decide between a picture and a (kept) refusal,
    // and locations with different limits may share a zone.
    std::string text;
    const auto add = [&text](std::uint64_t value) {
        text += std::to_string(value);
        text += ',';
    };
    add(input.bits());
    add(max_source_pixels);
    for (const int value : {max_frames, max_width, max_height, static_cast<int>(fail_on)}) {
        add(static_cast<std::uint64_t>(value));
    }
    for (const int value : quality) {
        add(static_cast<std::uint64_t>(value));
    }
    for (const int value : effort) {
        add(static_cast<std::uint64_t>(value));
    }
    const ByteView bytes(reinterpret_cast<const std::uint8_t*>(text.data()), text.size());
    return hex(sha256(bytes), 8);
}

}  // namespace media
