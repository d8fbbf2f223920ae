#include "module/hot_files.h"

#include <sys/stat.h>

#include <iterator>
#include <utility>

namespace media {

std::size_t HotFiles::Hash::operator()(const HotName& name) const noexcept {
    constexpr std::size_t odd = 0x9E3779B97F4A7C15;  // spreads bits: 2^64 by the golden ratio
    const std::hash<std::string_view> hash;
    std::size_t sum = std::hash<const void*>{}(name.location);
    sum = (sum + static_cast<std::size_t>(name.version.size)) * odd;
    sum = (sum + static_cast<std::size_t>(name.version.modified.tv_nsec)) * odd;
    sum = (sum ^ hash(name.uri)) * odd;
    sum = (sum ^ hash(name.canonical)) * odd;
    return name.rest.empty() ? sum : sum ^ hash(name.rest);
}

std::shared_ptr<const HotFile> HotFiles::find(const HotName& name) noexcept {
    const auto place = places_.find(name);
    if (place == places_.end()) {
        return nullptr;
    }
    const std::shared_ptr<HotFile>& file = *place->second;
    file->used = ngx_current_msec;
    recent_.splice(recent_.begin(), recent_, place->second);
    return file;
}

void HotFiles::drop(const HotName& name) noexcept {
    if (const auto place = places_.find(name); place != places_.end()) {
        erase(place->second);
    }
}

void HotFiles::add(std::shared_ptr<HotFile> file) {
    if (limit_ == 0) {
        return;
    }
    drop(file->name);
    while (recent_.size() >= limit_) {
        erase(std::prev(recent_.end()));
    }
    file->used = ngx_current_msec;
    recent_.push_front(std::move(file));
    places_[recent_.front()->name] = recent_.begin();
}

bool HotFiles::tidy(ngx_msec_t now) noexcept {
    for (auto place = recent_.begin(); place != recent_.end();) {
        const auto next = std::next(place);
        struct stat about {};
        const bool removed = fstat((*place)->file.get(), &about) != 0 || about.st_nlink == 0;
        if (removed || now - (*place)->used > idle_time) {
            erase(place);
        }
        place = next;
    }
    return !recent_.empty();
}

void HotFiles::erase(Recent::iterator place) noexcept {
    places_.erase((*place)->name);
    recent_.erase(place);
}

}  // namespace media
