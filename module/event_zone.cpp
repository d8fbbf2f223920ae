#include "module/event_zone.h"

#include <algorithm>

#include "core/base/hash.h"
#include "module/guard.h"

namespace media {

namespace {

constexpr std::size_t zone_overhead = 64U << 10U;  // nginx' own at its start
constexpr std::uint64_t silence = 3600;            // seconds

// Zones of media_cache_path cannot have such a name.
constexpr std::string_view zone_name = "media:events";
char zone_tag;

}  // namespace

EventZone* EventZone::declare(ngx_conf_t* cf) {
    auto* events = make_in_pool<EventZone>(cf->pool);
    ngx_str_t name = str(zone_name);
    ngx_shm_zone_t* zone = ngx_shared_memory_add(cf, &name, sizeof(Shared) + zone_overhead, &zone_tag);
    if (events == nullptr || zone == nullptr) {
        return nullptr;
    }
    zone->init = guard<&EventZone::init>;
    zone->data = events;
    return events;
}

ngx_int_t EventZone::init(ngx_shm_zone_t* zone, void* old) {
    auto* events = static_cast<EventZone*>(zone->data);
    events->pool_ = reinterpret_cast<ngx_slab_pool_t*>(zone->shm.addr);
    if (old != nullptr) {
        events->shared_ = static_cast<const EventZone*>(old)->shared_;
        return NGX_OK;
    }
    events->shared_ = static_cast<Shared*>(ngx_slab_calloc(events->pool_, sizeof(Shared)));
    return events->shared_ == nullptr ? NGX_ERROR : NGX_OK;
}

bool EventZone::note_failure(std::string_view key) noexcept {
    const Sha256 digest = sha256(bytes_of(key));
    std::uint64_t mark = 0;
    ngx_memcpy(&mark, digest.data(), sizeof(mark));
    auto& set = shared_->failures[mark % sets];
    const auto now = static_cast<std::uint64_t>(ngx_time());
    ngx_shmtx_lock(&pool_->mutex);
    auto* place = std::find_if(std::begin(set), std::end(set),
                               [mark](const Failure& failure) { return failure.digest == mark; });
    const bool known = place != std::end(set) && now < place->time + silence;
    if (!known) {
        if (place == std::end(set)) {
            place = std::min_element(std::begin(set), std::end(set),
                                     [](const Failure& a, const Failure& b) { return a.time < b.time; });
        }
        *place = {mark, now};
    }
    ngx_shmtx_unlock(&pool_->mutex);
    return !known;
}

}  // namespace media
