// Text from anywhere, made fit to be drawn.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace media {

/// `text` as well-formed UTF-8 of at most `most` characters (code points), the last of which is an ellipsis
/// where more were there. What is no UTF-8 becomes U+FFFD, CR LF and CR one line break, other control
/// characters a space; marks that would turn the order of what surrounds them (Unicode 15, section 23.2, the
/// embeddings, overrides and isolates) are dropped, and blanks at both ends. Reads no further than it has to.
std::string plain_text(std::string_view text, std::size_t most);

}  // namespace media
