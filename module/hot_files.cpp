#include "module/hot_files.h"

#include <sys/stat.h>

#include <iterator>

namespace media {

namespace {

HotFiles::Key key_of(const u_char* bytes) noexcept {
    HotFiles::Key key;
    ngx_memcpy(key.data(), bytes, key.size());
    return key;
}

}  // namespace

std::shared_ptr<const HotFile> HotFiles::find(const u_char* key, std::string_view full_key) noexcept {
    const auto place = places_.find(key_of(key));
    if (place == places_.end() || place->second->file->key != full_key) {
        return nullptr;
    }
    const std::shared_ptr<HotFile>& file = place->second->file;
    file->used = ngx_current_msec;
    recent_.splice(recent_.begin(), recent_, place->second);
    return file;
}

void HotFiles::drop(const u_char* key) noexcept {
    if (const auto place = places_.find(key_of(key)); place != places_.end()) {
        erase(place->second);
    }
}

void HotFiles::add(const u_char* key, std::shared_ptr<HotFile> file) {
    if (limit_ == 0) {
        return;
    }
    const Key name = key_of(key);
    if (const auto place = places_.find(name); place != places_.end()) {
        erase(place->second);
    }
    while (recent_.size() >= limit_) {
        erase(std::prev(recent_.end()));
    }
    file->used = ngx_current_msec;
    recent_.push_front({name, std::move(file)});
    places_[name] = recent_.begin();
}

bool HotFiles::tidy(ngx_msec_t now) noexcept {
    for (auto place = recent_.begin(); place != recent_.end();) {
        const auto next = std::next(place);
        struct stat about {};
        const bool removed = fstat(place->file->file.get(), &about) != 0 || about.st_nlink == 0;
        if (removed || now - place->file->used > idle_time) {
            erase(place);
        }
        place = next;
    }
    return !recent_.empty();
}

void HotFiles::erase(std::list<Entry>::iterator place) noexcept {
    places_.erase(place->key);
    recent_.erase(place);
}

}  // namespace media
