// File names for clients that save what they get.
#pragma once

#include <string>
#include <string_view>

namespace media {

/// The value of a `Content-Disposition` (RFC 6266) for a name as `dl` takes it: UTF-8, no quotes, no
/// backslashes, no control characters. A name that a quoted string cannot say alike to all clients stands
/// there a second time, encoded (RFC 8187).
std::string attachment(std::string_view name);

}  // namespace media
