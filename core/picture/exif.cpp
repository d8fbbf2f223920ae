#include "core/picture/exif.h"

#include <algorithm>
#include <cstring>

namespace media {

namespace {

constexpr std::uint32_t orientation_tag = 0x0112, exif_tag = 0x8769, gps_tag = 0x8825,
                        maker_note_tag = 0x927c, thumbnail_offset_tag = 0x0201, thumbnail_length_tag = 0x0202;

constexpr std::size_t entry_size = 12;

class Editor {
  public:
    Editor(std::uint8_t* data, std::size_t size) : data_(data), size_(size) {}

    bool edit(bool gps) {
        if (size_ < 8 || (std::memcmp(data_, "II", 2) != 0 && std::memcmp(data_, "MM", 2) != 0)) {
            return false;
        }
        big_ = data_[0] == 'M';
        const std::size_t main = get(4, 4);
        if (get(2, 2) != 42 || !is_directory(main)) {
            return false;
        }
        cut_thumbnail(main);
        for (std::size_t entry = first(main); entry < end(main);) {
            const std::uint32_t tag = get(entry, 2);
            if (tag == orientation_tag) {
                set(entry + 8, 2, 1);
            }
            if (tag == gps_tag && gps) {
                wipe_directory(get(entry + 8, 4));
                if (!remove(main, entry)) {
                    return false;
                }
                continue;
            }
            if (tag == exif_tag && gps && (!remove_maker_note(get(entry + 8, 4)) || !is_directory(main))) {
                return false;
            }
            entry += entry_size;
        }
        return true;
    }

  private:
    std::uint32_t get(std::size_t at, int bytes) const {
        std::uint32_t value = 0;
        for (int i = 0; i < bytes; ++i) {
            const auto shift = static_cast<unsigned>(8 * (big_ ? bytes - 1 - i : i));
            value |= std::uint32_t{data_[at + static_cast<std::size_t>(i)]} << shift;
        }
        return value;
    }

    void set(std::size_t at, int bytes, std::uint32_t value) {
        for (int i = 0; i < bytes; ++i) {
            const auto shift = static_cast<unsigned>(8 * (big_ ? bytes - 1 - i : i));
            data_[at + static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(value >> shift);
        }
    }

    // Whether a whole directory, with the offset of the next one, lies there.
    bool is_directory(std::size_t at) const {
        return at >= 8 && at <= size_ - 2 && get(at, 2) * entry_size + 6 <= size_ - at;
    }

    std::size_t first(std::size_t directory) const { return directory + 2; }
    std::size_t end(std::size_t directory) const { return first(directory) + get(directory, 2) * entry_size; }

    void wipe(std::size_t at, std::size_t count) {
        if (at < size_) {
            std::memset(data_ + at, 0, std::min(count, size_ - at));
        }
    }

    // The bytes of an entry's value, where they do not lie in the entry itself.
    void wipe_value(std::size_t entry) {
        static constexpr std::size_t sizes[] = {1, 1, 1, 2, 4, 8, 1, 1, 2, 4, 8, 4, 8};
        const std::uint32_t type = get(entry + 2, 2);
        const std::size_t count = get(entry + 4, 4);
        const std::size_t bytes = count * (type < std::size(sizes) ? sizes[type] : 1);
        if (bytes > 4) {
            wipe(get(entry + 8, 4), bytes);
        }
    }

    void wipe_directory(std::size_t directory) {
        if (!is_directory(directory)) {
            return;
        }
        for (std::size_t entry = first(directory); entry < end(directory); entry += entry_size) {
            wipe_value(entry);
        }
        wipe(first(directory), end(directory) - first(directory));
        set(directory, 2, 0);
    }

    // Moves what follows up, the offset of the next directory included. Directories that overlap others may
    // have been spoilt by what was done to those.
    bool remove(std::size_t directory, std::size_t entry) {
        if (!is_directory(directory) || entry >= end(directory)) {
            return false;
        }
        const std::size_t tail = end(directory) + 4;
        std::memmove(data_ + entry, data_ + entry + entry_size, tail - entry - entry_size);
        wipe(tail - entry_size, entry_size);
        set(directory, 2, get(directory, 2) - 1);
        return true;
    }

    bool remove_maker_note(std::size_t directory) {
        if (!is_directory(directory)) {
            return false;
        }
        for (std::size_t entry = first(directory); entry < end(directory);) {
            if (get(entry, 2) != maker_note_tag) {
                entry += entry_size;
                continue;
            }
            wipe_value(entry);
            if (!remove(directory, entry)) {
                return false;
            }
        }
        return true;
    }

    void cut_thumbnail(std::size_t main) {
        const std::size_t next = get(end(main), 4);
        set(end(main), 4, 0);
        if (next == 0 || !is_directory(next)) {
            return;
        }
        std::size_t offset = 0;
        std::size_t length = 0;
        for (std::size_t entry = first(next); entry < end(next); entry += entry_size) {
            if (get(entry, 2) == thumbnail_offset_tag) {
                offset = get(entry + 8, 4);
            }
            if (get(entry, 2) == thumbnail_length_tag) {
                length = get(entry + 8, 4);
            }
        }
        // It lies behind the directories; anything else would be a trick to have them wiped.
        if (offset >= std::max(end(main), end(next)) + 4) {
            wipe(offset, length);
        }
    }

    std::uint8_t* data_;
    std::size_t size_;
    bool big_ = false;
};

}  // namespace

bool edit_exif(std::vector<std::uint8_t>& block, bool gps) noexcept {
    static constexpr std::uint8_t prefix[] = {'E', 'x', 'i', 'f', 0, 0};
    const std::size_t skip =
        block.size() >= sizeof prefix && std::equal(prefix, prefix + sizeof prefix, block.begin())
            ? sizeof prefix
            : 0;
    return Editor(block.data() + skip, block.size() - skip).edit(gps);
}

}  // namespace media
