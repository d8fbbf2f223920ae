#include "module/disk_tier.h"

#include <cerrno>
#include <cstring>
#include <limits>
#include <type_traits>
#include <utility>

#include "core/base/hash.h"
#include "module/guard.h"
#include "module/worker.h"

namespace media {

namespace {

// nginx lets waiters look twice a second; a rendition takes less than that.
constexpr ngx_msec_t wait_period = 10;

void on_wait(ngx_event_t* event) {
    auto* r = static_cast<ngx_http_request_t*>(event->data);
    ngx_connection_t* connection = r->connection;
    ngx_http_cache_t* cache = r->cache;
    ngx_http_set_log_request(connection->log, r);

    const ngx_msec_t now = ngx_current_msec;
    if (static_cast<ngx_msec_int_t>(cache->wait_time - now) <= 0) {
        ngx_log_error(NGX_LOG_INFO, connection->log, 0, "media cache lock timeout");
        cache->lock_timeout = 0;
    } else {
        ngx_slab_pool_t* shared = cache->file_cache->shpool;
        ngx_shmtx_lock(&shared->mutex);
        const bool busy =
            cache->node->updating != 0 && static_cast<ngx_msec_int_t>(cache->node->lock_time - now) > 0;
        ngx_shmtx_unlock(&shared->mutex);
        if (busy) {
            ngx_add_timer(event, wait_period);
            return;
        }
    }
    cache->waiting = 0;
    r->main->blocked--;
    r->write_event_handler(r);
    ngx_http_run_posted_requests(connection);
}

// As far as a body may begin: nginx reads that much of a file, and refuses one whose body begins later.
std::size_t read_ahead(const ngx_http_cache_t* cache) noexcept {
    return std::max(cache->header_start + sizeof(StoredFacts), CacheFile::page);
}

}  // namespace

bool DiskTier::begin(ngx_http_request_t* r, ngx_shm_zone_t* zone) noexcept {
    if (ngx_http_file_cache_new(r) != NGX_OK) {
        return false;
    }
    ngx_http_cache_t* cache = r->cache;
    cache->file_cache = static_cast<ngx_http_file_cache_t*>(zone->data);
    cache->min_uses = 1;
    cache->lock = 1;
    cache->lock_age = lease;
    cache->background = 1;  // we may go away in the middle: no alert about that
    return true;
}

bool DiskTier::name(ngx_http_request_t* r, std::string_view key) noexcept {
    auto* element = static_cast<ngx_str_t*>(ngx_array_push(&r->cache->keys));
    if (element == nullptr) {
        return false;
    }
    *element = copy(r->pool, key);
    return element->data != nullptr;
}

std::string DiskTier::path_of(ngx_http_request_t* r, ngx_shm_zone_t* zone, std::string_view key) {
    ngx_http_cache_t* const open = std::exchange(r->cache, nullptr);
    std::string path;
    if (begin(r, zone) && name(r, key)) {
        ngx_http_file_cache_create_key(r);
        if (ngx_http_file_cache_create(r) == NGX_OK &&
            (r->cache->exists != 0 || r->cache->file_cache->sh->cold != 0)) {
            path = view(r->cache->file.name);
        }
        ngx_http_file_cache_free(r->cache, nullptr);
    }
    r->cache = open;
    return path;
}

DiskTier::Outcome DiskTier::open(ngx_http_request_t* r, ngx_shm_zone_t* zone, std::string_view key,
                                 ngx_msec_t lock_timeout) {
    if (r->cache == nullptr && !begin(r, zone)) {
        return Outcome::failed;
    }
    if (r->cache->keys.nelts == 0) {
        ngx_http_cache_t* cache = r->cache;
        cache->lock_timeout = lock_timeout;
        if (!name(r, key)) {
            return Outcome::failed;
        }
        if (cache->node == nullptr) {
            ngx_http_file_cache_create_key(r);
        }
        if (cache->header_start + sizeof(StoredFacts) > std::numeric_limits<u_short>::max()) {
            r->cache = nullptr;  // a key too long for nginx' header
            return Outcome::bypass;
        }
        cache->body_start = read_ahead(cache);
    }

    ngx_http_cache_t* cache = r->cache;
    ngx_int_t outcome = ngx_http_file_cache_open(r);
    if (outcome >= NGX_HTTP_SPECIAL_RESPONSE && cache->wait_time == 0) {
        // A failure that was left for those who had waited for it: we have not.
        forget_refusal(r);
        outcome = ngx_http_file_cache_open(r);
    }
    switch (outcome) {
        case NGX_OK:
            if (read_facts(r)) {
                return Outcome::hit;
            }
            ours_ = true;
            return Outcome::make;
        case NGX_AGAIN:
            if (cache->waiting != 0) {
                ngx_del_timer(&cache->wait_event);  // else nginx keeps a timer that is nearly as soon
                cache->wait_event.handler = guard<on_wait>;
                ngx_add_timer(&cache->wait_event, std::min(wait_period, lock_timeout));
            }
            return Outcome::waiting;
        case NGX_DECLINED:
            ours_ = true;
            return Outcome::make;
        case NGX_HTTP_CACHE_STALE:
            return on_expired(r, false);
        case NGX_HTTP_CACHE_UPDATING:
            return on_expired(r, true);
        case NGX_HTTP_CACHE_SCARCE:
            release(r);
            r->cache = nullptr;
            return Outcome::bypass;
        default:
            if (outcome >= NGX_HTTP_SPECIAL_RESPONSE) {
                refusal_ = static_cast<int>(outcome);
                return Outcome::refused;
            }
            // nginx has logged why, as that the zone is full of what is being made. What cannot be kept can
            // be made all the same.
            release(r);
            r->cache = nullptr;
            return Outcome::bypass;
    }
}

// Where there is no such file any more, the node stays with the cache and the request goes the long way.
bool DiskTier::open_hot(ngx_http_request_t* r, ngx_shm_zone_t* zone, const HotName& name) noexcept {
    HotFiles& files = worker()->hot_files;
    hot_ = files.find(name);
    if (hot_ == nullptr) {
        return false;
    }
    if (!begin(r, zone)) {
        hot_.reset();
        return false;
    }
    ngx_http_cache_t* cache = r->cache;
    ngx_memcpy(cache->key, hot_->digest.data(), hot_->digest.size());
    ngx_memcpy(cache->main, hot_->digest.data(), hot_->digest.size());
    cache->crc32 = hot_->checksum;
    cache->header_start = hot_->header_start;
    cache->file.name = str(hot_->path);
    // The node is looked up here only for what we know already: nginx looks on disk for an entry that the
    // loader has not come to yet only when it makes the node itself.
    const bool known = ngx_http_file_cache_create(r) == NGX_OK;
    const bool same = known && cache->exists != 0 && cache->error == 0 && cache->uniq == hot_->uniq;
    if (!same || hot_->valid < ngx_time()) {
        if (known && !same) {
            files.drop(name);
        }
        ngx_str_null(&cache->file.name);
        hot_.reset();
        return false;
    }
    cache->file.fd = hot_->file.get();
    cache->length = hot_->length;
    cache->body_start = hot_->body_start;
    cache->valid_sec = hot_->valid;
    cache->last_modified = hot_->last_modified;
    cache->etag = str(hot_->etag);
    facts_ = &hot_->facts;
    r->cached = 1;
    return true;
}

void DiskTier::keep_hot(ngx_http_request_t* r, const HotName& name) {
    constexpr unsigned often = 3;
    const ngx_http_cache_t* cache = r->cache;
    if (hot_ != nullptr || cache->node->uses < often) {
        return;
    }
    auto file = std::make_shared<HotFile>(name);
    file->file = Descriptor::duplicate(cache->file.fd);
    if (!file->file) {
        return;
    }
    file->uniq = cache->uniq;
    file->path = view(cache->file.name);
    ngx_memcpy(file->digest.data(), cache->key, file->digest.size());
    file->checksum = cache->crc32;
    file->header_start = cache->header_start;
    file->etag = view(cache->etag);
    file->length = cache->length;
    file->body_start = cache->body_start;
    file->valid = cache->valid_sec;
    file->last_modified = cache->last_modified;
    file->facts = *facts_;
    // Entries that the cache loader found on disk come without their inode.
    ngx_slab_pool_t* shared = cache->file_cache->shpool;
    ngx_shmtx_lock(&shared->mutex);
    if (cache->node->uniq == 0 && cache->node->exists != 0) {
        cache->node->uniq = cache->uniq;
    }
    ngx_shmtx_unlock(&shared->mutex);
    worker()->keep_hot(std::move(file));
}

// Decides in one step whose the renewal is: nginx marks an entry without a lease, and leaves the mark for
// ever when its worker is killed.
DiskTier::Outcome DiskTier::on_expired(ngx_http_request_t* r, bool busy) noexcept {
    ngx_http_cache_t* cache = r->cache;
    ngx_http_file_cache_node_t* node = cache->node;
    ngx_slab_pool_t* shared = cache->file_cache->shpool;
    const ngx_msec_t now = ngx_current_msec;
    ngx_shmtx_lock(&shared->mutex);
    const bool leased = static_cast<ngx_msec_int_t>(node->lock_time - now) > 0;
    // Marked by us, and not taken over since by one who saw the mark without its lease; or free; or left to
    // us.
    ours_ = busy ? adopts_ || !leased : !leased || node->lock_time == cache->lock_time;
    cache->updating = ours_ ? 1 : 0;
    if (ours_) {
        node->updating = 1;
        node->lock_time = now + lease;
        cache->lock_time = node->lock_time;
    }
    ngx_shmtx_unlock(&shared->mutex);
    adopts_ = false;
    if (!read_facts(r)) {
        // Not of this build: to be made anew, by whoever comes to it.
        ours_ = true;
        renew(r);
        return Outcome::make;
    }
    return ours_ ? Outcome::expired : Outcome::updating;
}

bool DiskTier::read_facts(ngx_http_request_t* r) noexcept {
    const ngx_http_cache_t* cache = r->cache;
    const std::size_t end = cache->header_start + sizeof(StoredFacts);
    if (cache->body_start < end || static_cast<std::size_t>(cache->buf->last - cache->buf->pos) < end) {
        return false;
    }
    void* aligned = ngx_palloc(r->pool, sizeof(StoredFacts));
    if (aligned == nullptr) {
        return false;
    }
    facts_ = static_cast<const StoredFacts*>(
        std::memcpy(aligned, cache->buf->pos + cache->header_start, sizeof(StoredFacts)));
    return facts_->sound();
}

ngx_int_t DiskTier::send(ngx_http_request_t* r) {
    return ngx_http_cache_send(r);
}

void DiskTier::renew(ngx_http_request_t* r) noexcept {
    ngx_http_cache_t* cache = r->cache;
    if (!ours_ || cache->node == nullptr || cache->updated != 0) {
        return;
    }
    ngx_slab_pool_t* shared = cache->file_cache->shpool;
    ngx_shmtx_lock(&shared->mutex);
    cache->node->lock_time = ngx_current_msec + lease;
    cache->lock_time = cache->node->lock_time;
    ngx_shmtx_unlock(&shared->mutex);
}

CacheFile DiskTier::prepare(ngx_http_request_t* r) {
    ngx_http_cache_t* cache = r->cache;
    CacheFile file;
    file.prefix_.reserve(read_ahead(cache));
    file.prefix_.resize(cache->header_start + sizeof(StoredFacts));
    // Of the file to be; a stale one may still be the answer.
    const std::size_t body_start = std::exchange(cache->body_start, file.prefix_.size());
    const ngx_str_t etag = std::exchange(cache->etag, ngx_str_t{});
    const ngx_int_t written = ngx_http_file_cache_set_header(r, file.prefix_.data());
    cache->body_start = body_start;
    cache->etag = etag;
    if (written != NGX_OK) {
        file.prefix_.clear();
        return file;
    }
    const ngx_http_file_cache_t* zone = cache->file_cache;
    u_char number[NGX_INT_T_LEN];
    const u_char* end = ngx_sprintf(number, ".%010uD", static_cast<uint32_t>(ngx_next_temp_number(0)));
    const std::string_view suffix{reinterpret_cast<const char*>(number),
                                  static_cast<std::size_t>(end - number)};
    if (zone->use_temp_path != 0) {
        const auto* core = static_cast<const ngx_http_core_loc_conf_t*>(
            ngx_http_get_module_loc_conf(r, ngx_http_core_module));
        file.path_ = view(core->client_body_temp_path->name);
        file.zone_length_ = file.path_.size();
        file.path_ += '/' + hex({cache->key, sizeof(cache->key)}) + std::string{suffix};
    } else {
        file.path_ = view(cache->file.name);
        file.zone_length_ = zone->path->name.len;
        file.path_ += suffix;
    }
    return file;
}

DiskTier::Outcome DiskTier::wait(ngx_http_request_t* r) {
    ngx_http_cache_t* cache = r->cache;
    if (cache->lock_timeout == 0) {
        release(r);
        r->cache = nullptr;
        return Outcome::bypass;
    }
    if (cache->wait_time == 0) {
        cache->wait_time = ngx_current_msec + cache->lock_timeout;
        cache->wait_event.data = r;
        cache->wait_event.log = r->connection->log;
    }
    cache->wait_event.handler = guard<on_wait>;
    cache->waiting = 1;
    r->main->blocked++;
    ngx_add_timer(&cache->wait_event, std::min(wait_period, cache->lock_timeout));
    return Outcome::waiting;
}

// The node's valid_sec speaks of errors that nginx remembers; an entry that has a file has none.
bool DiskTier::failing(const ngx_http_request_t* r) noexcept {
    return r->cache->node->valid_sec != 0;
}

void DiskTier::hand_over(ngx_http_request_t* r) noexcept {
    r->cache->updating = 0;  // so that our end does not end the other's work
    ours_ = false;
}

// The mark stays, with a short lease that nobody renews.
void DiskTier::rest(ngx_http_request_t* r) noexcept {
    ngx_http_cache_t* cache = r->cache;
    if (!ours_ || cache->node == nullptr || cache->updated != 0) {
        return;
    }
    ngx_slab_pool_t* shared = cache->file_cache->shpool;
    ngx_shmtx_lock(&shared->mutex);
    cache->node->lock_time = ngx_current_msec + pause;
    cache->node->valid_sec = ngx_time();
    ngx_shmtx_unlock(&shared->mutex);
    cache->updating = 0;
    release(r);
}

std::optional<StoredBody> DiskTier::stored(const ngx_http_request_t* r) const noexcept {
    const ngx_http_cache_t* cache = r->cache;
    StoredBody body;
    body.file = Descriptor::duplicate(cache->file.fd);
    if (!body.file) {
        return std::nullopt;
    }
    body.offset = static_cast<off_t>(cache->body_start);
    body.size = static_cast<std::size_t>(cache->length - body.offset);
    body.facts = *facts_;
    return body;
}

void DiskTier::drop(ngx_http_request_t* r) noexcept {
    ngx_http_cache_t* cache = r->cache;
    if (!ours_ || cache->node == nullptr || cache->updated != 0) {
        return;
    }
    ngx_http_file_cache_t* zone = cache->file_cache;
    ngx_shmtx_lock(&zone->shpool->mutex);
    if (cache->node->exists != 0) {
        zone->sh->size -= cache->node->fs_size;
        cache->node->fs_size = 0;
        cache->node->exists = 0;
    }
    ngx_shmtx_unlock(&zone->shpool->mutex);
    // Before the place is free: else it might be another's file.
    if (unlink(reinterpret_cast<const char*>(cache->file.name.data)) != 0 && errno != ENOENT) {
        ngx_log_error(NGX_LOG_CRIT, r->connection->log, errno, "media: cannot remove \"%V\"",
                      &cache->file.name);
    }
    release(r);
}

bool DiskTier::publish(ngx_http_request_t* r, CacheFile file) {
    if (!file.file_) {
        if (file.error_ != 0) {
            ngx_log_error(NGX_LOG_CRIT, r->connection->log, file.error_, "media: cannot write \"%s\"",
                          file.path_.c_str());
        }
        release(r);
        return false;
    }
    ngx_temp_file_t temporary{};
    temporary.file.name = str(file.path_);
    temporary.file.fd = file.file_.get();
    temporary.file.log = r->connection->log;
    ngx_slab_pool_t* shared = r->cache->file_cache->shpool;
    ngx_shmtx_lock(&shared->mutex);
    r->cache->node->valid_sec = 0;  // not failing any more
    ngx_shmtx_unlock(&shared->mutex);
    // What all workers will read of the new file, wherever its body begins.
    r->cache->body_start = read_ahead(r->cache);
    ngx_http_file_cache_update(r, &temporary);
    file.file_.reset();  // renamed, or removed by nginx where that failed
    ours_ = false;
    return true;
}

void DiskTier::refuse(ngx_http_request_t* r, int status) noexcept {
    r->cache->error = static_cast<ngx_uint_t>(status);
    r->cache->valid_sec = ngx_time() + 1;
    release(r);
}

void DiskTier::forget_refusal(ngx_http_request_t* r) noexcept {
    ngx_http_cache_t* cache = r->cache;
    ngx_slab_pool_t* shared = cache->file_cache->shpool;
    ngx_shmtx_lock(&shared->mutex);
    cache->node->error = 0;
    ngx_shmtx_unlock(&shared->mutex);
    cache->error = 0;
}

void DiskTier::release(ngx_http_request_t* r) noexcept {
    if (r->cache != nullptr) {
        ngx_http_file_cache_free(r->cache, nullptr);
    }
    ours_ = false;
}

}  // namespace media
