#include "module/hot_files.h"

#include <sys/stat.h>

#include <iterator>
#include <utility>

#include "core/base/hash.h"

namespace media {

std::size_t HotFiles::Hash::operator()(const HotName& name) const noexcept {
    const std::hash<std::string_view> hash;
    std::uint64_t sum = std::hash<const void*>{}(name.location);
    sum = mixed(sum, static_cast<std::uint64_t>(name.version.modified.tv_nsec));
    sum = mixed(sum, hash(name.uri));
    sum = mixed(sum, hash(name.canonical));
    return name.rest.empty() ? sum : mixed(sum, hash(name.rest));
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
