// How a request comes by its original: from a file, or from the location that asks the origin.

#include <chrono>
#include <utility>

#include "module/guard.h"
#include "module/rendition_request.h"
#include "module/worker.h"

namespace media {

ngx_int_t RenditionRequest::make() {
    if (failure_) {
        return fail(*failure_);
    }
    if (may_stand_in()) {
        return stand_in(StandIn::queued);
    }
    if (at_hand_) {
        auto [source, freshness] = std::move(*at_hand_);
        at_hand_.reset();
        return render(std::move(source), std::move(freshness));
    }
    if (local_) {
        Freshness freshness = Freshness::now(conf_->cache_valid);
        freshness.last_modified = version_.modified.tv_sec;
        if (expired_ && disk_.facts().status == NGX_HTTP_OK) {
            return extend(std::move(freshness));  // its key holds the file's version: it is right still
        }
        const auto file = local_->open(r_);
        if (!file) {
            return fail(file.error());
        }
        auto source = Source::local(*file, version_);
        if (!source) {
            return fail({503, "too many open files"});
        }
        return render(std::move(*source), std::move(freshness));
    }
    return ask_origin();
}

ngx_int_t RenditionRequest::ask_origin() {
    if (target_) {
        fetch_ =
            make_in_pool<Fetch>(r_->pool, r_, *conf_->fetch, origin_uri_, *target_, conf_->max_source_size,
                                &RenditionRequest::on_fetched, static_cast<void*>(this));
        if (fetch_ == nullptr) {
            return fail({500, "the origin cannot be asked"});
        }
        fetch_->start(known());
    } else {
        capture_ = make_in_pool<OriginCapture>(r_->pool, conf_->max_source_size,
                                               &RenditionRequest::on_origin_done, static_cast<void*>(this));
        if (capture_ == nullptr || capture_->start(r_, &origin_uri_, known()) != NGX_OK) {
            return fail({500, "the origin cannot be asked"});
        }
    }
    r_->write_event_handler = ngx_http_request_empty_handler;
    deadline_ = 0;
    arm(DiskTier::lease / 2);
    return pending;
}

ngx_int_t RenditionRequest::on_origin() {
    if (fetch_ != nullptr ? fetch_->unchanged() : capture_->unchanged()) {
        return on_unchanged();
    }
    auto source = fetch_ != nullptr ? fetch_->take() : capture_->take();
    Freshness freshness = fetch_ != nullptr ? fetch_->freshness() : capture_->freshness();
    freshness.by_status = conf_->cache_valid;
    if (source) {
        if (refreshing_ && !freshness.life.keep) {
            disk_.drop(r_);  // one client's answer from now on: the next request gets its own
            return NGX_OK;
        }
        return render(std::move(*source), std::move(freshness));
    }
    const Error error = std::move(source).error();
    const bool keep = freshness.valid_until(error.status, true) > 0;
    if (error.status == 504 || !disk_.ours() || !keep || (expired_ && stale_if(error.status))) {
        return fail(error);
    }
    // Remembering what is not there is a file write: the pool's work, like every other.
    auto job = std::make_unique<RenderJob>(this, Source{}, rendition(), *conf_->settings,
                                           std::chrono::milliseconds{conf_->timeout});
    job->outcome.emplace(error);
    job->file = disk_.prepare(r_);
    job->freshness = std::move(freshness);
    std::unique_ptr<Task> task = std::move(job);
    auto* raw = static_cast<RenderJob*>(task.get());
    if (!worker()->pool.post(task)) {
        return fail(error);
    }
    await(raw);
    return pending;
}

void RenditionRequest::on_origin_event(ngx_http_request_t* r) {
    of(r)->resume(&RenditionRequest::on_origin);
}

void RenditionRequest::on_fetched(void* self) {
    static_cast<RenditionRequest*>(self)->resume(&RenditionRequest::on_origin);
}

void RenditionRequest::on_origin_done(void* self) {
    auto* request = static_cast<RenditionRequest*>(self);
    request->r_->write_event_handler = guard<&RenditionRequest::on_origin_event>;
}

}  // namespace media
