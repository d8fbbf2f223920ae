#include "core/store/walk.h"

#include <algorithm>
#include <vector>

#include "core/store/disk.h"
#include "core/store/layout.h"

namespace media {
namespace {

constexpr std::size_t key_length = 64;

bool is_two_hex(std::string_view name) {
    return name.size() == 2 && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_record_name(std::string_view name) {
    return name.size() > key_length && is_key(name.substr(0, key_length)) &&
           name.substr(key_length) == ".json";
}

// Names in a folder that may have gone meanwhile, from `first` on.
std::vector<std::string> names_from(int base, const std::string& folder, bool (*wanted)(std::string_view),
                                    std::string_view first) {
    const auto opened = disk::find_folder(base, folder);
    if (!opened) {
        return {};
    }
    std::vector<std::string> names = disk::names_in(opened->get(), wanted);
    names.erase(names.begin(), std::lower_bound(names.begin(), names.end(), first));
    return names;
}

}  // namespace

void each_folder(int root, std::string_view after,
                 const std::function<bool(const std::string& folder)>& use) {
    const std::string_view outer_start = after.empty() ? after : after.substr(0, 2);
    for (const std::string& outer : names_from(root, ".", is_two_hex, outer_start)) {
        const std::string_view inner_start = outer == outer_start ? after.substr(2, 2) : "";
        for (const std::string& inner : names_from(root, outer, is_two_hex, inner_start)) {
            if (!use(below(outer, inner))) {
                return;
            }
        }
    }
}

void each_key(int root, std::string_view after,
              const std::function<bool(const std::string& folder, std::string_view key)>& use) {
    each_folder(root, after, [&](const std::string& folder) {
        for (const std::string& name : names_from(root, folder, is_record_name, after)) {
            const std::string_view key = std::string_view(name).substr(0, key_length);
            if (key != after && !use(folder, key)) {
                return false;
            }
        }
        return true;
    });
}

}  // namespace media
