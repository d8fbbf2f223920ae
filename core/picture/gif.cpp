#include "core/picture/gif.h"

#include <cstddef>
#include <cstdint>

namespace media {

namespace {

// GIF89a specification, sections 17 to 26.
constexpr std::size_t header_size = 6, screen_size = 7, frame_size = 9;
constexpr std::uint8_t extension = 0x21, frame = 0x2C;

class Blocks {
  public:
    explicit Blocks(ByteView file) : file_(file) {}

    bool whole() {
        at_ = header_size;
        if (!has(screen_size)) {
            return false;
        }
        const std::uint8_t screen = file_[at_ + 4];
        at_ += screen_size;
        if (!skip(palette(screen))) {
            return false;
        }
        while (has(1)) {
            const std::uint8_t kind = file_[at_++];
            if (kind == frame) {
                if (!has(frame_size)) {
                    return false;
                }
                const std::uint8_t flags = file_[at_ + 8];
                // The byte after the palette is the size of the codes.
                if (!skip(frame_size + palette(flags) + 1) || !skip_data()) {
                    return false;
                }
            } else if (kind == extension) {
                if (!skip(1) || !skip_data()) {
                    return false;
                }
            } else {
                return true;  // the trailer, or what no decoder would read
            }
        }
        return true;
    }

  private:
    static std::size_t palette(std::uint8_t flags) {
        return (flags & 0x80U) == 0 ? 0 : std::size_t{3} << ((flags & 7U) + 1U);
    }

    bool has(std::size_t count) const { return count <= file_.size() && at_ <= file_.size() - count; }

    bool skip(std::size_t count) {
        if (!has(count)) {
            return false;
        }
        at_ += count;
        return true;
    }

    // Sub-blocks up to the empty one.
    bool skip_data() {
        while (has(1)) {
            const std::size_t length = file_[at_++];
            if (length == 0) {
                return true;
            }
            if (!skip(length)) {
                return false;
            }
        }
        return false;
    }

    ByteView file_;
    std::size_t at_ = 0;
};

}  // namespace

bool gif_is_whole(ByteView file) noexcept {
    return Blocks(file).whole();
}

}  // namespace media
