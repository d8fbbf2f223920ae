#include "module/directive_values.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cstring>
#include <utility>

#include "core/base/hash.h"
#include "module/descriptor.h"

namespace media {

namespace {

constexpr off_t largest_file = 64 << 20;

bool read_share(std::string_view text, double low, double high, double& share) noexcept {
    if (!text.ends_with('%')) {
        return false;
    }
    text.remove_suffix(1);
    double number = 0;
    const auto [end, error] =
        std::from_chars(text.data(), text.data() + text.size(), number, std::chars_format::fixed);
    if (error != std::errc{} || end != text.data() + text.size() || !(number >= low && number <= high)) {
        return false;
    }
    share = number / 100;
    return true;
}

constexpr std::array<std::pair<std::string_view, Gravity>, 9> positions{{{"center", Gravity::center},
                                                                         {"n", Gravity::n},
                                                                         {"ne", Gravity::ne},
                                                                         {"e", Gravity::e},
                                                                         {"se", Gravity::se},
                                                                         {"s", Gravity::s},
                                                                         {"sw", Gravity::sw},
                                                                         {"w", Gravity::w},
                                                                         {"nw", Gravity::nw}}};

}  // namespace

std::shared_ptr<const Bytes> read_file(const char* path, std::string& reason) {
    const Descriptor file{open(path, O_RDONLY | O_CLOEXEC)};
    struct stat about {};
    if (!file || fstat(file.get(), &about) != 0) {
        reason = std::strerror(errno);
        return nullptr;
    }
    if (!S_ISREG(about.st_mode) || about.st_size > largest_file) {
        reason = S_ISREG(about.st_mode) ? "it is too large" : "it is not a file";
        return nullptr;
    }
    auto bytes = std::make_shared<Bytes>(Bytes::allocate(static_cast<std::size_t>(about.st_size)));
    if (!file.read_at(bytes->data(), bytes->size(), 0)) {
        reason = "it could not be read to its end";
        return nullptr;
    }
    return bytes;
}

off_t parse_pixels(std::string_view text) noexcept {
    off_t unit = 1;
    if (!text.empty()) {
        switch (text.back()) {
            case 'k':
            case 'K':
                unit = 1'000;
                break;
            case 'm':
            case 'M':
                unit = 1'000'000;
                break;
            case 'g':
            case 'G':
                unit = 1'000'000'000;
                break;
            default:
                break;
        }
    }
    if (unit != 1) {
        text.remove_suffix(1);
    }
    off_t number = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    if (error != std::errc{} || end != text.data() + text.size() || number < 0 ||
        number > (off_t{1} << 52) / unit) {
        return -1;
    }
    return number * unit;
}

bool read_overlay_option(std::string_view option, WatermarkSpec& spec, std::string& reason) {
    if (option == "tile") {
        spec.placement.tile = true;
        return true;
    }
    const std::size_t equals = option.find('=');
    const std::string_view name = option.substr(0, equals);
    const std::string_view value = equals == std::string_view::npos ? "" : option.substr(equals + 1);
    if (name == "position") {
        for (const auto& [known, gravity] : positions) {
            if (value == known) {
                spec.placement.position = gravity;
                return true;
            }
        }
        reason = ", a position is one of center n ne e se s sw w nw";
    } else if (name == "size") {
        if (read_share(value, 0.1, 100, spec.placement.size)) {
            return true;
        }
        reason = ", a size is from 0.1% to 100%";
    } else if (name == "margin") {
        if (read_share(value, 0, 50, spec.placement.margin)) {
            return true;
        }
        reason = ", a margin is from 0% to 50%";
    } else if (name == "opacity") {
        double number = 0;
        const auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), number);
        if (error == std::errc{} && end == value.data() + value.size() && number > 0 && number <= 1) {
            spec.opacity = number;
            return true;
        }
        reason = ", an opacity is more than 0 and at most 1";
    }
    return false;
}

std::string overlay_fingerprint(const WatermarkSpec& spec) {
    const auto digest = [](ByteView content) { return hex(sha256(content)); };
    std::string text = spec.file == nullptr ? "text" : digest(spec.file->view());
    text += ' ' + std::to_string(static_cast<int>(spec.placement.position)) + ' ' +
            std::to_string(spec.placement.size) + ' ' + std::to_string(spec.placement.margin) + ' ' +
            std::to_string(spec.opacity) + (spec.placement.tile ? " tile" : "");
    if (spec.text) {
        const Color color = spec.text->color;
        text += ' ' + hex(std::array{color.r, color.g, color.b, color.a}) + ' ' +
                (spec.text->font_file == nullptr ? spec.text->font : digest(spec.text->font_file->view()));
    }
    return hex(sha256(bytes_of(text)), 8);
}

}  // namespace media
