#include "module/hot_files.h"

#include <sys/stat.h>

#include <iterator>
#include <utility>

namespace media {

std::shared_ptr<const HotFile> HotFiles::find(std::string_view key) noexcept {
    const auto place = places_.find(key);
    if (place == places_.end()) {
        return nullptr;
    }
    const std::shared_ptr<HotFile>& file = *place->second;
    file->used = ngx_current_msec;
    recent_.splice(recent_.begin(), recent_, place->second);
    return file;
}

void HotFiles::drop(std::string_view key) noexcept {
    if (const auto place = places_.find(key); place != places_.end()) {
        erase(place->second);
    }
}

void HotFiles::add(std::shared_ptr<HotFile> file) {
    if (limit_ == 0) {
        return;
    }
    drop(file->key);
    while (recent_.size() >= limit_) {
        erase(std::prev(recent_.end()));
    }
    file->used = ngx_current_msec;
    recent_.push_front(std::move(file));
    places_[recent_.front()->key] = recent_.begin();
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
    places_.erase((*place)->key);
    recent_.erase(place);
}

}  // namespace media
