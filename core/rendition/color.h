// Colours as URLs and directives write them.
#pragma once

#include <optional>
#include <string_view>

#include "core/rendition/rendition.h"

namespace media {

/// `rgb`, `rgba`, `rrggbb` or `rrggbbaa` in hexadecimal digits of either case; nothing for anything else.
std::optional<Color> parse_color(std::string_view text) noexcept;

}  // namespace media
