// What a request does with a rendition whose lifetime is over.

#include "module/refresh.h"
#include "module/rendition_request.h"

namespace media {

void RenditionRequest::refresh() {
    refreshing_ = true;
    disk_.adopt();
    ngx_int_t outcome = NGX_OK;
    try {
        outcome = start();
    } catch (...) {
        ngx_log_error(NGX_LOG_ERR, r_->connection->log, 0, "media: out of memory");
    }
    ngx_http_finalize_request(r_, outcome == NGX_DONE ? NGX_DONE : NGX_OK);
}

ngx_int_t RenditionRequest::on_stale(DiskTier::Outcome outcome) {
    const bool ours = outcome == DiskTier::Outcome::expired;
    if (confirmed_meanwhile()) {
        // What comes to an end at once still answers those who waited for it.
        if (ours) {
            disk_.release(r_);
        }
        report_.cache = CacheStatus::hit;
        return send_stored();
    }
    const bool usable = !refreshing_ && stale_while_updating();
    const bool failing = DiskTier::failing(r_);
    const CacheStatus status = failing ? CacheStatus::stale : CacheStatus::updating;
    if (!ours) {
        if (refreshing_) {
            return NGX_OK;  // another has taken it over
        }
        if (!usable && !(failing && stale_if(NGX_HTTP_BAD_GATEWAY))) {
            return on_cache(disk_.wait(r_));
        }
        report_.cache = status;
        return send_stored();
    }
    if (usable && refresh_behind(r_)) {
        disk_.hand_over(r_);
        report_.cache = status;
        return send_stored();
    }
    report_.cache = CacheStatus::expired;
    expired_ = true;
    return seek();
}

// The origin still has what the rendition was made of.
ngx_int_t RenditionRequest::on_unchanged() {
    Freshness freshness = fetch_ != nullptr ? fetch_->freshness() : capture_->freshness();
    freshness.by_status = conf_->cache_valid;
    freshness.continue_from(disk_.facts());
    freshness.last_modified = r_->cache->last_modified;
    return extend(std::move(freshness));
}

// A file with the same body takes the place of the old one: whoever reads that goes on undisturbed.
ngx_int_t RenditionRequest::extend(Freshness freshness) {
    auto job = std::make_unique<RenderJob>(this, Source{}, rendition(), *conf_->settings,
                                           std::chrono::milliseconds{conf_->timeout});
    job->kept = disk_.stored(r_);
    if (!job->kept) {
        return fail({503, "too many open files"});
    }
    job->copies = detour_.copies;
    job->freshness = std::move(freshness);
    job->file = disk_.prepare(r_);
    if (shared_ != nullptr) {
        job->shared_key = key_;
        job->shared_limit = conf_->redis->max_object;
    }
    return post(std::move(job));
}

bool RenditionRequest::stale_while_updating() const noexcept {
    const StoredFacts& facts = disk_.facts();
    if (facts.status != NGX_HTTP_OK || facts.life.must_revalidate ||
        (conf_->use_stale & use_stale::off) != 0) {
        return false;
    }
    return (conf_->use_stale & use_stale::updating) != 0 ||
           ngx_time() <= DiskTier::valid_until(r_) + time_t{facts.life.while_revalidate};
}

// Whether the stale rendition stands for an error.
bool RenditionRequest::stale_if(int status) const noexcept {
    const StoredFacts& facts = disk_.facts();
    if (facts.status != NGX_HTTP_OK || facts.life.must_revalidate ||
        (conf_->use_stale & use_stale::off) != 0) {
        return false;
    }
    switch (status) {
        case NGX_HTTP_FORBIDDEN:
            return (conf_->use_stale & use_stale::http_403) != 0;
        case NGX_HTTP_NOT_FOUND:
            return (conf_->use_stale & use_stale::http_404) != 0;
        default:
            break;
    }
    return status >= NGX_HTTP_INTERNAL_SERVER_ERROR &&
           ((conf_->use_stale & use_stale::error) != 0 ||
            ngx_time() <= DiskTier::valid_until(r_) + time_t{facts.life.if_error});
}

bool RenditionRequest::confirmed_meanwhile() const noexcept {
    const StoredFacts& facts = disk_.facts();
    return facts.checked >= std::int64_t{r_->start_sec} * 1000 + static_cast<std::int64_t>(r_->start_msec);
}

// What the origin may be asked with; an error was remembered without.
Validators RenditionRequest::known() const {
    if (!expired_ || disk_.facts().status != NGX_HTTP_OK) {
        return {};
    }
    return {.etag = std::string{disk_.facts().etag.view()},
            .last_modified = std::string{disk_.facts().last_modified.view()}};
}

// The end of an attempt to renew a stale entry; nothing where the error is the answer.
std::optional<ngx_int_t> RenditionRequest::fail_stale(int status) {
    const bool passing = status >= NGX_HTTP_INTERNAL_SERVER_ERROR;
    if (!stale_if(status)) {
        if (!passing) {
            disk_.drop(r_);  // what it was made of is gone
        } else if (refreshing_) {
            disk_.rest(r_);
        }
        return std::nullopt;
    }
    expired_ = false;
    disk_.rest(r_);
    report_.cache = CacheStatus::stale;
    return send_stored();
}

}  // namespace media
