#include "core/picture/jpeg_scans.h"

#include <algorithm>
#include <cstddef>
#include <cstring>

namespace media {

namespace {

// T.81, table B.1.
constexpr std::uint8_t end_of_image = 0xD9;
constexpr std::uint8_t start_of_scan = 0xDA;

bool goes_on(std::uint8_t code) {
    return code == 0 || (code >= 0xD0 && code <= 0xD7);  // a stuffed byte, a restart
}

// Where the next marker begins that ends a scan; the end where there is none.
std::size_t next_marker(ByteView bytes, std::size_t at) {
    while (at < bytes.size()) {
        const void* found = std::memchr(bytes.data() + at, 0xFF, bytes.size() - at);
        if (found == nullptr) {
            break;
        }
        at = static_cast<std::size_t>(static_cast<const std::uint8_t*>(found) - bytes.data());
        std::size_t code = at + 1;
        while (code < bytes.size() && bytes[code] == 0xFF) {
            ++code;  // fill bytes
        }
        if (code < bytes.size() && !goes_on(bytes[code])) {
            return code - 1;
        }
        at = code + 1;
    }
    return bytes.size();
}

// Whether a scan's header (behind its marker) speaks of coefficients beyond the first of `id`, and of nothing
// else.
bool is_detail_of(ByteView header, std::uint8_t id) {
    return header.size() == 8 && header[2] == 1 && header[3] == id && header[5] > 0;
}

}  // namespace

std::vector<ByteView> scans_without_detail(ByteView rest, std::uint8_t id) {
    std::vector<ByteView> pieces;
    std::size_t from = 0;  // of what is kept and not yet among the pieces
    std::size_t at = next_marker(rest, 0);
    while (at + 4 <= rest.size()) {
        const std::uint8_t code = rest[at + 1];
        if (code == end_of_image) {
            break;
        }
        const std::size_t length = std::size_t{rest[at + 2]} << 8U | rest[at + 3];
        const std::size_t behind = at + 2 + length;
        if (length < 2 || behind > rest.size()) {
            return {};
        }
        const bool scan = code == start_of_scan;
        const std::size_t next = next_marker(rest, behind);
        if (scan && is_detail_of(rest.subspan(at + 2, length), id)) {
            pieces.push_back(rest.subspan(from, at - from));
            from = next;
        } else if (!scan && next != behind) {
            return {};  // something between two markers
        }
        at = next;
    }
    if (at + 2 > rest.size() || rest[at + 1] != end_of_image) {
        return {};
    }
    pieces.push_back(rest.subspan(from));
    std::erase_if(pieces, [](ByteView piece) { return piece.empty(); });
    return pieces;
}

}  // namespace media
