#include "core/store/layout.h"

#include <algorithm>
#include <array>

namespace media {
namespace {

constexpr std::array private_folders{store_folder::incoming, store_folder::events, store_folder::sources,
                                     store_folder::rejected, store_folder::links};
constexpr std::size_t key_length = 64;
constexpr std::string_view record_ending = ".json";

char lower(char c) noexcept {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool is_hex(char c) noexcept {
    return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f');
}

// File systems that fold case are not to give away what others keep.
bool same_folded(std::string_view a, std::string_view b) noexcept {
    return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                      [](char x, char y) { return lower(x) == lower(y); });
}

bool is_private_name(std::string_view name) noexcept {
    static_assert(std::all_of(private_folders.begin(), private_folders.end(),
                              [](std::string_view folder) { return folder.starts_with('.'); }));
    if (name.starts_with('.') &&
        std::any_of(private_folders.begin(), private_folders.end(),
                    [name](std::string_view folder) { return same_folded(name, folder); })) {
        return true;
    }
    return name.size() == key_length + record_ending.size() &&
           same_folded(name.substr(key_length), record_ending) &&
           std::all_of(name.begin(), name.begin() + key_length, [](char c) { return is_hex(lower(c)); });
}

}  // namespace

bool is_private(std::string_view path_below_root) noexcept {
    while (!path_below_root.empty()) {
        const std::size_t end = std::min(path_below_root.find('/'), path_below_root.size());
        if (is_private_name(path_below_root.substr(0, end))) {
            return true;
        }
        path_below_root.remove_prefix(std::min(end + 1, path_below_root.size()));
    }
    return false;
}

bool is_key(std::string_view text) noexcept {
    return text.size() == key_length && std::all_of(text.begin(), text.end(), is_hex);
}

std::string folder_of(std::string_view key) {
    return below(key.substr(0, 2), key.substr(2, 2));
}

std::string below(std::string_view folder, std::string_view name) {
    std::string path;
    path.reserve(folder.size() + 1 + name.size());
    path.append(folder).append(1, '/').append(name);
    return path;
}

}  // namespace media
