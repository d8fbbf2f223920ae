#include "module/rendition_request.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <utility>

#include "core/rendition/parse.h"
#include "core/store/layout.h"
#include "module/answer.h"
#include "module/events.h"
#include "module/guard.h"
#include "module/purge_request.h"
#include "module/token_access.h"
#include "module/worker.h"

namespace media {

namespace {

constexpr int most_restarts = 3;

constexpr std::array<std::string_view, 9> status_names{"",         "HIT",     "REDIS",       "MISS",  "STALE",
                                                       "UPDATING", "EXPIRED", "REVALIDATED", "BYPASS"};

constexpr std::array<std::string_view, 3> stand_in_names{"", "queued", "pending"};
constexpr std::array<std::string_view, 3> copy_names{"", "queued", "used"};

}  // namespace

std::string_view name_of(StandIn how) noexcept {
    return stand_in_names[static_cast<std::size_t>(how)];
}

std::string_view name_of(Copy how) noexcept {
    return copy_names[static_cast<std::size_t>(how)];
}

std::string_view name_of(CacheStatus status) noexcept {
    return status_names[static_cast<std::size_t>(status)];
}

ngx_int_t rendition_handler(ngx_http_request_t* r) {
    if (asks_for_purge(r)) {
        return purge_handler(r);
    }
    if (r->method == NGX_HTTP_OPTIONS && asks_for_token(r)) {
        return send_options(
            r, location_config(r)->purge != 0 ? "GET, HEAD, OPTIONS, PURGE" : "GET, HEAD, OPTIONS");
    }
    auto* request = make_in_pool<RenditionRequest>(r->pool, r);
    if (request == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    ngx_http_set_ctx(r, request, ngx_http_media_module);
    return request->start();
}

RenditionRequest::~RenditionRequest() {
    detach();
    if (Worker* here = worker(); here != nullptr && behind_) {
        here->behind.end(wanted_, failed_);
    }
}

RenditionRequest* RenditionRequest::of(const ngx_http_request_t* r) noexcept {
    if (void* context = ngx_http_get_module_ctx(r, ngx_http_media_module); context != nullptr) {
        return static_cast<RenditionRequest*>(context);
    }
    if (r->internal == 0) {
        return nullptr;
    }
    // A redirect inside nginx clears the contexts; the pool remembers.
    return find_in_pool<RenditionRequest>(
        r->pool, [r](const RenditionRequest& candidate) { return candidate.r_ == r; });
}

// --- the steps
// ------------------------------------------------------------------------------------------------------

ngx_int_t RenditionRequest::start() {
    r_->cache = nullptr;  // of whatever led here by a redirect inside nginx
    if ((r_->method & (NGX_HTTP_GET | NGX_HTTP_HEAD)) == 0) {
        if (const ngx_int_t outcome = ngx_http_discard_request_body(r_); outcome != NGX_OK) {
            return outcome;
        }
        return fail({405, "this method is not answered here"});
    }
    if (const ngx_int_t outcome = ngx_http_discard_request_body(r_); outcome != NGX_OK) {
        return outcome;
    }
    const ngx_int_t outcome = begin();
    if (outcome == pending) {
        r_->main->count++;
        return NGX_DONE;
    }
    return outcome;
}

ngx_int_t RenditionRequest::begin() {
    if (const Status status = authorize(); !status) {
        return fail(status.error());
    }
    if (const Status status = parse(); !status) {
        return fail(status.error());
    }
    const auto path = path_below_location(r_, conf_->prefix);
    if (!path || (conf_->root != nullptr && is_private(*path))) {
        return fail({404, "there is no such original"});
    }
    ngx_str_t base{};
    ngx_http_complex_value_t* source = conf_->root != nullptr   ? conf_->root
                                       : conf_->pass != nullptr ? conf_->pass
                                                                : conf_->fetch->prefix;
    if (!evaluate(source, base)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (base.len == 0 || (conf_->root == nullptr && base.data[0] != '/')) {
        ngx_log_error(NGX_LOG_ERR, r_->connection->log, 0, "media: \"%V\" is no %s", &base,
                      conf_->root != nullptr ? "path of a root" : "URI prefix of an origin");
        return fail({500, "the location does not say where its originals are"});
    }
    if (const Status status = find_original(*path, base); !status) {
        return fail(status.error());
    }
    if (rendition().original) {
        return serve_original();
    }
    if (local_ && version_.size > conf_->max_source_size) {
        return fail({413, "the original is larger than allowed"});
    }
    return look_up();
}

// Says where the original is; `base` is the value of what the location has for that.
Status RenditionRequest::find_original(std::string_view below, ngx_str_t base) {
    if (conf_->root != nullptr) {
        if (ngx_get_full_name(r_->pool, &const_cast<ngx_cycle_t*>(ngx_cycle)->prefix, &base) != NGX_OK) {
            return Error{500, "out of memory"};
        }
        base_ = view(base);
        local_.emplace(r_, view(base), below);
        auto version = local_->look(r_);
        if (!version) {
            return version.error();
        }
        version_ = *version;
        return Nothing{};
    }
    if (conf_->fetch != nullptr) {
        origin_uri_ = base;
        auto target = requested_target(r_, conf_->prefix, below);
        if (!target) {
            return target.error();
        }
        target_.emplace(std::move(*target));
        return may_fetch(r_, *conf_->fetch, *target_);
    }
    const bool slash = !below.empty() && !view(base).ends_with('/') && !below.starts_with('/');
    origin_uri_ = copy(r_->pool, std::string{view(base)} + (slash ? "/" : "") + std::string{below});
    return origin_uri_.data == nullptr ? Status{Error{500, "out of memory"}} : Status{Nothing{}};
}

ngx_int_t RenditionRequest::serve_original() {
    if (conf_->original == 0) {
        return fail({403, "the original itself is not served here; ask for a rendition"});
    }
    if (local_) {
        const auto file = local_->open(r_);
        if (!file) {
            return fail(file.error());
        }
        if (!decorate({})) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
        return local_->send(r_);
    }
    if (conf_->fetch != nullptr) {
        return ask_origin();
    }
    if (withhold_token(r_) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    passing_ = true;
    ngx_str_t no_arguments = ngx_null_string;
    return ngx_http_internal_redirect(r_, &origin_uri_, &no_arguments);
}

ngx_int_t RenditionRequest::post(std::unique_ptr<RenderJob> job) {
    std::unique_ptr<Task> task = std::move(job);
    auto* raw = static_cast<RenderJob*>(task.get());
    if (behind_) {
        worker()->pool.post_spare(std::move(task));
    } else if (!worker()->pool.post(task)) {
        return fail({503, "too much work is waiting"});
    }
    await(raw);
    return pending;
}

ngx_int_t RenditionRequest::render(Source source, Freshness freshness) {
    if (detour_.copies) {
        return copy_original(std::move(source), std::move(freshness));
    }
    if (wants_more_effort() && !behind_) {
        return begin_with_less(std::move(source), std::move(freshness));
    }
    auto job = std::make_unique<RenderJob>(this, std::move(source), rendition(), settings_to_render(),
                                           std::chrono::milliseconds{time_to_render()});
    for (const std::string& name : rendition().watermarks) {
        const auto known = worker()->watermarks.find(name);
        if (known == worker()->watermarks.end()) {
            return fail({500, "a watermark is not available"});
        }
        const auto text = texts_.find(name);
        job->watermarks.push_back(text == texts_.end() ? known->second
                                                       : watermark_with_text(known->second, text->second));
    }
    if (!rendition().original && !rendition().describe) {
        // An origin may have answered each of us with something else.
        job->original_vouched = local_.has_value();
        job->original_name =
            local_ ? version_.text() + ' ' + std::string{local_->path()} : key().substr(0, original_length_);
    }
    job->freshness = std::move(freshness);
    if (behind_) {
        job->time_from_begin = std::chrono::milliseconds{conf_->timeout};
    }
    job->keeps_source = missing_ && !local_;
    offer_copy(*job);
    if (disk_.ours()) {
        job->file = disk_.prepare(r_);
    }
    if (shared_ != nullptr) {
        job->shared_key = key_;
        job->shared_limit = conf_->redis->max_object;
    }
    return post(std::move(job));
}

void RenditionRequest::await(RenderJob* job) noexcept {
    job_ = job;
    r_->write_event_handler = ngx_http_request_empty_handler;
    r_->read_event_handler = guard<&RenditionRequest::on_client_event>;
    deadline_ = ngx_current_msec + time_to_render();
    arm(std::min(conf_->timeout, DiskTier::lease / 2));
}

void RenditionRequest::on_rendered(RenderJob& job) {
    job_ = nullptr;
    job.owner = nullptr;
    ngx_connection_t* connection = r_->connection;
    ngx_http_set_log_request(connection->log, r_);
    ngx_int_t outcome = NGX_HTTP_INTERNAL_SERVER_ERROR;
    try {
        outcome = conclude(job);
    } catch (...) {
        ngx_log_error(NGX_LOG_ERR, connection->log, 0, "media: out of memory");
    }
    finish(outcome);
    ngx_http_run_posted_requests(connection);
}

ngx_int_t RenditionRequest::conclude(RenderJob& job) {
    if (timer_.timer_set) {
        ngx_del_timer(&timer_);
    }
    if (job.lapsed) {  // by our clock; Redis drops it by its own
        return make();
    }
    if (job.foreign) {
        ngx_log_error(NGX_LOG_WARN, r_->connection->log, 0, "media: redis held what is no rendition");
        shared_->reject();
        return make();
    }
    const bool made = !job.stored;
    if (job.changed && restarts_++ < most_restarts) {
        // The file was replaced between our look at it and the reading: what it is now is what was asked for.
        if (r_->cache != nullptr) {
            disk_.release(r_);
            r_->cache = nullptr;
        }
        shared_.reset();  // the new original has another key
        expired_ = false;
        detour_ = {};
        miss_nothing();
        return begin();
    }
    if (disk_.ours()) {
        if (job.file) {
            // What cannot be kept is not copied again and again.
            failed_ = !disk_.publish(r_, std::move(*job.file)) && job.copies;
        } else if (expired_ && (job.signpost || *job.outcome)) {
            disk_.drop(r_);  // the origin does not want it kept any more
        }
    }
    if (!job.sealed.empty()) {
        shared_->store(job.sealed, std::min(job.fresh_seconds, conf_->redis->ttl));
    }
    if (!refreshing_ && (job.signpost || job.gives_way())) {
        if (made && !job.kept) {
            keep_at_hand(std::move(job.source), std::move(job.freshness));
        }
        return job.signpost ? follow_signpost() : ignore_hints();
    }
    report_.rendered = made && !job.kept && !job.signpost && !rendition().original;
    report_.queue_seconds = job.queue_seconds;
    if (!job.signpost && !*job.outcome) {
        const Error& error = job.outcome->error();
        if (job.copies && error.status != NGX_HTTP_SERVICE_UNAVAILABLE) {
            worker()->slow_originals.give_up(wanted_);
        }
        late_ = error.status == 504;
        if (local_ && error.status == 422 && error.parameter.empty()) {
            note_failed_rendition(*main_config(r_), base_, *path_below_location(r_, conf_->prefix));
        }
        return fail(with_preset(job.outcome->error(), rendition()));
    }
    if (disk_.ours()) {
        disk_.release(r_);
    }
    if (shared_ != nullptr) {
        shared_->release();
    }
    if (job.slow()) {
        worker()->slow_originals.note(job.copy_key);
    }
    if (refreshing_) {
        if (behind_ && job.lacks_copy()) {
            if (job.leaves_source()) {  // as its client has left it the original
                keep_at_hand(std::move(job.source), std::move(job.freshness));
            }
            queue_copy(job);
        }
        return NGX_OK;
    }
    if (!made) {
        report_.cache = CacheStatus::redis;
    } else if (job.kept) {
        report_.cache = CacheStatus::revalidated;
    }
    if (job.leaves_source() && made && !job.kept) {
        keep_at_hand(std::move(job.source), job.freshness);
    }
    if (made && job.freshness.valid_until(NGX_HTTP_OK, false) <= 0) {
        miss_nothing();  // nor might the AVIF be kept
    }
    queue_missing();
    queue_copy(job);
    at_hand_.reset();
    encoded_.emplace(std::move(**job.outcome));
    etag_ = std::move(job.etag);
    control_ = std::move(job.freshness.cache_control);
    report_.route = encoded_->route;
    report_.shared = encoded_->shared;
    report_.render_seconds = encoded_->decode_seconds + encoded_->encode_seconds;
    if (job.facts.life.states()) {
        born_ = job.facts.born;
    }
    if (!rendition().original) {
        describe(job.facts, encoded_->body.size());
    }
    r_->headers_out.last_modified_time = job.freshness.last_modified;
    return send_fresh();
}

void RenditionRequest::keep_at_hand(Source source, Freshness freshness) {
    at_hand_ = std::make_unique<std::pair<Source, Freshness>>(std::move(source), std::move(freshness));
}

// --- the parts
// ------------------------------------------------------------------------------------------------------

bool RenditionRequest::evaluate(ngx_http_complex_value_t* value, ngx_str_t& text) noexcept {
    if (value->lengths == nullptr) {
        text = value->value;
        return true;
    }
    if (ngx_http_complex_value(r_, value, &text) != NGX_OK) {
        return false;
    }
    // Values of variables have no NUL behind them.
    text = copy(r_->pool, view(text));
    return text.data != nullptr;
}

void RenditionRequest::resume(ngx_int_t (RenditionRequest::*step)()) {
    ngx_int_t outcome = NGX_HTTP_INTERNAL_SERVER_ERROR;
    try {
        outcome = (this->*step)();
    } catch (...) {
        ngx_log_error(NGX_LOG_ERR, r_->connection->log, 0, "media: out of memory");
    }
    finish(outcome);
}

void RenditionRequest::finish(ngx_int_t outcome) {
    if (outcome == pending) {
        return;
    }
    if (timer_.timer_set) {
        ngx_del_timer(&timer_);
    }
    ngx_http_finalize_request(r_, refreshing_ ? NGX_OK : outcome);
}

void RenditionRequest::detach() noexcept {
    if (timer_.timer_set) {
        ngx_del_timer(&timer_);
    }
    if (job_ != nullptr) {
        job_->owner = nullptr;
        job_->cancel();
        if (Worker* w = worker()) {
            w->pool.withdraw(job_);
        }
        job_ = nullptr;
    }
}

void RenditionRequest::arm(ngx_msec_t time) {
    timer_.handler = guard<&RenditionRequest::on_timer>;
    timer_.data = this;
    timer_.log = r_->connection->log;
    ngx_add_timer(&timer_, time);
}

// --- nginx' callbacks
// -----------------------------------------------------------------------------------------------

void RenditionRequest::on_cache_event(ngx_http_request_t* r) {
    if (r->aio != 0) {
        return;  // a thread of nginx' own reads the cache file; what came is the client's next request
    }
    of(r)->resume(&RenditionRequest::look_again);
}

// A client that leaves takes its work along while nobody has begun it, or if nobody else could use the
// outcome.
void RenditionRequest::on_client_event(ngx_http_request_t* r) {
    RenditionRequest* request = of(r);
    if (request->disk_.ours() && !worker()->pool.waits(request->job_)) {
        ngx_http_block_reading(r);
        return;
    }
    ngx_http_test_reading(r);
}

void RenditionRequest::on_timer(ngx_event_t* event) {
    auto* request = static_cast<RenditionRequest*>(event->data);
    request->disk_.renew(request->r_);
    if (request->shared_ != nullptr) {
        request->shared_->renew();
    }
    if (request->behind_ && request->job_ != nullptr && worker()->pool.waits(request->job_) &&
        !request->still_wanted()) {
        request->detach();
        request->finish(NGX_OK);
        return;
    }
    if (request->deadline_ == 0) {
        request->arm(DiskTier::lease / 2);
        return;
    }
    const auto left = static_cast<ngx_msec_int_t>(request->deadline_ - ngx_current_msec);
    if (left > 0) {
        request->arm(std::min(static_cast<ngx_msec_t>(left), DiskTier::lease / 2));
        return;
    }
    ngx_connection_t* connection = request->r_->connection;
    ngx_http_set_log_request(connection->log, request->r_);
    request->detach();
    request->late_ = true;
    request->finish(request->fail({504, "the rendition took too long"}));
    ngx_http_run_posted_requests(connection);
}

}  // namespace media
