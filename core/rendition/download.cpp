#include "core/rendition/download.h"

#include "core/rendition/query.h"

namespace media {

std::string attachment(std::string_view name) {
    std::string plain;
    bool same = true;
    for (const char c : name) {
        const auto byte = static_cast<unsigned char>(c);
        if (byte >= 0xC0 || c == '%') {
            plain += '_';  // one for each character: some clients take %41 in a quoted string for an A
        } else if (byte < 0x80) {
            plain += c;
        }
        same = same && byte < 0x80 && c != '%';
    }
    std::string value = "attachment; filename=\"" + plain + '"';
    if (!same) {
        value += "; filename*=UTF-8''";
        detail::append_encoded(value, name);
    }
    return value;
}

}  // namespace media
