#include "core/store/picture_text.h"

#include <algorithm>

#include "core/store/header_value.h"

namespace media::detail {
namespace {

constexpr std::string_view scheme = "data:";
constexpr std::size_t longest_media_type = 1024;

constexpr const char* not_base64 = "a file is not base 64";
constexpr const char* bad_escape = "a data URI has a malformed percent escape";

}  // namespace

bool PictureText::feed(std::string_view text, std::vector<std::uint8_t>& out) {
    if (at_ == At::scheme) {
        const std::size_t taken = std::min(text.size(), scheme.size() - head_.size());
        head_ += text.substr(0, taken);
        text.remove_prefix(taken);
        if (head_.size() < scheme.size()) {
            return true;
        }
        if (lower_case(head_) == scheme) {
            at_ = At::media_type;
            is_uri_ = true;
            head_.clear();
        } else {
            at_ = At::content;
            if (!plain(head_, out)) {
                return false;
            }
        }
    }
    if (at_ == At::media_type) {
        const std::size_t comma = text.find(',');
        head_ += text.substr(0, comma);
        if (head_.size() > longest_media_type) {
            return refuse("a data URI has too long a media type");
        }
        if (comma == text.npos) {
            return true;
        }
        text.remove_prefix(comma + 1);
        is_base64_ = lower_case(head_).ends_with(";base64");
        at_ = At::content;
    }
    return is_uri_ ? escaped(text, out) : plain(text, out);
}

bool PictureText::finish(std::vector<std::uint8_t>& out) {
    if (at_ == At::media_type) {
        return refuse("a data URI has no comma");
    }
    if (at_ == At::scheme && !plain(head_, out)) {
        return false;
    }
    if (missing_ > 0) {
        return refuse(bad_escape);
    }
    return !is_base64_ || base64_.finish() || refuse(not_base64);
}

bool PictureText::escaped(std::string_view text, std::vector<std::uint8_t>& out) {
    while (!text.empty()) {
        if (missing_ == 0) {
            const std::size_t run = std::min(text.find('%'), text.size());
            if (!plain(text.substr(0, run), out)) {
                return false;
            }
            text.remove_prefix(run);
            if (!text.empty()) {
                text.remove_prefix(1);
                missing_ = 2;
                byte_ = 0;
            }
            continue;
        }
        const char c = text.front();
        const char lower = static_cast<char>(c | 0x20);
        text.remove_prefix(1);
        const bool digit = c >= '0' && c <= '9';
        if (!digit && !(lower >= 'a' && lower <= 'f')) {
            return refuse(bad_escape);
        }
        byte_ = byte_ * 16 + static_cast<unsigned>(digit ? c - '0' : lower - 'a' + 10);
        const char byte = static_cast<char>(byte_);
        if (--missing_ == 0 && !plain({&byte, 1}, out)) {
            return false;
        }
    }
    return true;
}

bool PictureText::plain(std::string_view text, std::vector<std::uint8_t>& out) {
    if (!is_base64_) {
        out.insert(out.end(), text.begin(), text.end());
        return true;
    }
    return base64_.feed(text, out) || refuse(not_base64);
}

bool PictureText::refuse(const char* why) noexcept {
    why_ = why;
    return false;
}

}  // namespace media::detail
