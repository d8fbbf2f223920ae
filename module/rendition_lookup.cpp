// Where a request for a rendition looks for it, on disk and in Redis, and what it finds there that is no
// answer.

#include <utility>

#include "module/guard.h"
#include "module/rendition_request.h"
#include "module/worker.h"

namespace media {

ngx_int_t RenditionRequest::look_up() {
    if (detour_.copies) {
        return look_for_copy();
    }
    if (!rendition().watermarks.empty() && !evaluate_texts()) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    collect_rest();
    key_.clear();
    if (!behind_ && conf_->cache != nullptr && disk_.open_hot(r_, conf_->cache, hot_name())) {
        return on_cache(DiskTier::Outcome::hit);
    }
    compose_key();
    if (behind_ && key_ != wanted_) {
        return NGX_OK;  // purged or replaced since: whoever asks next will say what is wanted now
    }
    if (conf_->cache == nullptr) {
        report_.cache = CacheStatus::bypass;
        return seek();
    }
    // Where another rendition will do, nobody waits for this one.
    const bool waits = !behind_ && !may_stand_in();
    return on_cache(disk_.open(r_, conf_->cache, key_, waits ? conf_->cache_lock_timeout : 0));
}

ngx_int_t RenditionRequest::look_again() {
    return on_cache(disk_.open(r_, conf_->cache, key_, conf_->cache_lock_timeout));
}

ngx_int_t RenditionRequest::on_cache(DiskTier::Outcome outcome) {
    switch (outcome) {
        case DiskTier::Outcome::hit:
            if (detour_.copies) {
                return NGX_OK;  // another has made it
            }
            report_.cache = CacheStatus::hit;
            disk_.keep_hot(r_, hot_name());
            if (disk_.facts().status != NGX_HTTP_OK && may_stand_in()) {
                return stand_in(StandIn::none);  // what is wrong may be wrong with the AVIF alone
            }
            return disk_.facts().status == NGX_HTTP_NOT_FOUND ? doubt_absence() : send_stored();
        case DiskTier::Outcome::updating:
        case DiskTier::Outcome::expired:
            return on_stale(outcome);
        case DiskTier::Outcome::bypass:
            if (behind_) {
                return NGX_OK;  // another is making it
            }
            if (may_stand_in()) {
                return stand_in(StandIn::pending);
            }
            waited_ = true;
            [[fallthrough]];
        case DiskTier::Outcome::make:
            report_.cache = CacheStatus::miss;
            return seek();
        case DiskTier::Outcome::waiting:
            r_->write_event_handler = guard<&RenditionRequest::on_cache_event>;
            r_->read_event_handler = ngx_http_block_reading;
            return pending;
        case DiskTier::Outcome::refused:
            report_.cache = CacheStatus::hit;
            if (may_stand_in()) {
                return stand_in(StandIn::none);
            }
            return fail({disk_.refusal(), "the rendition took too long"});
        case DiskTier::Outcome::failed:
            break;
    }
    return fail({500, "the cache failed"});
}

// What another machine has made, or the right to make it for all.
ngx_int_t RenditionRequest::seek() {
    if (conf_->redis == nullptr || failure_ || detour_.copies) {
        return make();
    }
    if (shared_ == nullptr) {
        RedisService& service = *worker()->redis.at(conf_->redis);
        const std::string_view original = std::string_view{key_}.substr(0, original_length_);
        const auto step = [this] {
            ngx_connection_t* connection = r_->connection;
            ngx_http_set_log_request(connection->log, r_);
            resume(&RenditionRequest::seek);
            ngx_http_run_posted_requests(connection);
        };
        const auto patience =
            may_stand_in() ? std::nullopt : std::optional{waited_ ? 0 : conf_->cache_lock_timeout};
        shared_ = std::make_unique<SharedTier>(service, original, key_, patience, step);
    }
    switch (shared_->look()) {
        case SharedTier::Outcome::pending:
            r_->write_event_handler = ngx_http_request_empty_handler;
            r_->read_event_handler = ngx_http_block_reading;
            deadline_ = 0;
            arm(DiskTier::lease / 2);
            return pending;
        case SharedTier::Outcome::found:
            return take_shared();
        case SharedTier::Outcome::ours:
        case SharedTier::Outcome::alone:
            break;
    }
    return make();
}

// The checksum of what Redis gave and the copy for the disk are a thread's work.
ngx_int_t RenditionRequest::take_shared() {
    auto job = std::make_unique<RenderJob>(this, Source{}, rendition(), *conf_->settings,
                                           std::chrono::milliseconds{conf_->timeout});
    job->shared_key = key_;
    job->stored = shared_->take();
    if (disk_.ours()) {
        job->file = disk_.prepare(r_);
    }
    return post(std::move(job));
}

// The request goes on as one for another rendition of the same original.
ngx_int_t RenditionRequest::look_elsewhere() {
    shared_.reset();
    disk_.release(r_);
    r_->cache = nullptr;
    r_->cached = 0;
    expired_ = false;
    return look_up();
}

// Whether the entry that was found is no answer to this request, but a reason to look for another one.
bool RenditionRequest::stored_leads_on() const noexcept {
    const StoredFacts& facts = disk_.facts();
    return facts.signpost != 0 || (rendition().hinted_size && may_be_of_size(facts.status));
}

ngx_int_t RenditionRequest::follow_stored() {
    return disk_.facts().signpost != 0 ? follow_signpost() : ignore_hints();
}

ngx_int_t RenditionRequest::follow_signpost() {
    detour_.past_signpost = true;
    pass_signpost();
    return look_elsewhere();
}

// A size that a hint has led to cannot be had: what the URL says alone counts.
ngx_int_t RenditionRequest::ignore_hints() {
    detour_.bare_size = true;
    detour_.hasty = false;
    detour_.stands_in = false;
    miss_nothing();
    if (const Status status = parse(); !status) {
        return fail(status.error());
    }
    return look_elsewhere();
}

}  // namespace media
