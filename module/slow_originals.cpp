#include "module/slow_originals.h"

#include <functional>

namespace media {

std::uint64_t SlowOriginals::name_of(std::string_view key) noexcept {
    return std::hash<std::string_view>{}(key) | 1U;  // no name is that of an empty place
}

void SlowOriginals::note(std::string_view key) noexcept {
    const std::uint64_t name = name_of(key);
    Place& place = places_[(name >> 1U) % places_.size()];
    if (place.name != name) {
        place = {name, false};
    }
}

bool SlowOriginals::knows(std::string_view key) const noexcept {
    const std::uint64_t name = name_of(key);
    const Place& place = places_[(name >> 1U) % places_.size()];
    return place.name == name && !place.hopeless;
}

void SlowOriginals::give_up(std::string_view key) noexcept {
    const std::uint64_t name = name_of(key);
    places_[(name >> 1U) % places_.size()] = {name, true};
}

}  // namespace media
