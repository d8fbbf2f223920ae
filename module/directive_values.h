// Reading the values that several directives share.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "core/picture/watermark.h"
#include "module/ngx.h"

namespace media {

/// The whole content of a small file (64 MiB at most), or null with a reason.
std::shared_ptr<const Bytes> read_file(const char* path, std::string& reason);

/// A number of pixels: digits with k, m or g for powers of 1000. -1 when malformed.
off_t parse_pixels(std::string_view text) noexcept;

/// One of `position=P size=N% opacity=F margin=N% tile`; false with a reason.
bool read_overlay_option(std::string_view option, WatermarkSpec& spec, std::string& reason);

/// What makes one overlay differ from another, but for the text of one, as a short string.
std::string overlay_fingerprint(const WatermarkSpec& spec);

}  // namespace media
