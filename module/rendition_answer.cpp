// What a request for a rendition sends: a stored or a fresh rendition, an untouched original, a problem.

#include "core/rendition/download.h"
#include "core/rendition/hints.h"
#include "module/answer.h"
#include "module/rendition_request.h"

namespace media {

ngx_int_t RenditionRequest::send_stored() {
    if (refreshing_) {
        return NGX_OK;
    }
    if (stored_leads_on()) {
        return follow_stored();
    }
    at_hand_.reset();
    const ngx_http_cache_t* cache = r_->cache;
    const StoredFacts& facts = disk_.facts();
    const off_t length = cache->length - static_cast<off_t>(cache->body_start);
    if (facts.status != NGX_HTTP_OK) {
        miss_nothing();
        if (conf_->intercept_errors != 0) {
            // error_page decides, as for an error that has just happened; the URI is another one then.
            (void)key();
            return fail({facts.status, "the original cannot be shown"});
        }
        if (!set_problem(r_, facts.status, {})) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
        r_->headers_out.content_length_n = length;
        return vary() ? disk_.send(r_) : NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    queue_missing();
    describe(facts, static_cast<std::uint64_t>(length));
    if (facts.life.states()) {
        born_ = facts.born;
    }
    if (!set_entity(r_, NGX_HTTP_OK, report_.format.mime(), length, cache->last_modified,
                    view(cache->etag)) ||
        !decorate(facts.cache_control.view())) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return disk_.send(r_);
}

ngx_int_t RenditionRequest::send_fresh() {
    const Bytes& body = encoded_->body;
    if (!set_entity(r_, NGX_HTTP_OK, encoded_->format.mime(), static_cast<off_t>(body.size()),
                    r_->headers_out.last_modified_time, etag_) ||
        !decorate(control_) ||
        (rendition().original && add_header(r_, "X-Content-Type-Options", "nosniff") == nullptr)) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return send_memory(r_, body.data(), body.size());
}

ngx_int_t RenditionRequest::fail(const Error& error) {
    if (shared_ != nullptr) {
        shared_->release();
    }
    missing_.reset();
    if (report_.stand_in == StandIn::queued) {
        report_.stand_in = StandIn::pending;  // where a stale rendition is the answer
    }
    failed_ = behind_;
    if (expired_ && stored_leads_on()) {
        failure_ = error;  // where it leads, the origin is not asked a second time
    }
    if (const auto outcome = expired_ ? fail_stale(error.status) : std::nullopt) {
        return *outcome;
    }
    if (disk_.ours()) {
        // Those who wait for this rendition would run into the same wall, one after another.
        if (late_ && !expired_) {
            disk_.refuse(r_, error.status);
        } else {
            disk_.release(r_);
        }
    }
    if (refreshing_) {
        return NGX_OK;
    }
    miss_nothing();
    if (!vary()) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return send_problem(r_, error, conf_->intercept_errors != 0);
}

bool RenditionRequest::vary() noexcept {
    // What was asked for lives as long as this request does.
    return asked_ == nullptr || asked_->vary.empty() || add_header(r_, "Vary", asked_->vary) != nullptr;
}

// What a good answer carries because of the query and the origin.
bool RenditionRequest::decorate(std::string_view cache_control) noexcept {
    if (!vary()) {
        return false;
    }
    if (!cache_control.empty()) {
        const ngx_str_t value = copy(r_->pool, cache_control);
        if (value.data == nullptr || add_header(r_, "Cache-Control", view(value)) == nullptr) {
            return false;
        }
    }
    if (born_ && *born_ < ngx_time()) {
        const ngx_str_t value = copy(r_->pool, std::to_string(ngx_time() - *born_));
        if (value.data == nullptr || add_header(r_, "Age", view(value)) == nullptr) {
            return false;
        }
    }
    if (!rendition().download.empty()) {
        const ngx_str_t value = copy(r_->pool, attachment(rendition().download));
        return value.data != nullptr && add_header(r_, "Content-Disposition", view(value)) != nullptr;
    }
    return true;
}

ngx_int_t RenditionRequest::on_original_header(ngx_http_request_t* r, ngx_http_output_header_filter_pt next,
                                               ngx_http_output_body_filter_pt next_body) {
    if (!passing_ || swallows_) {
        return next(r);
    }
    const ngx_uint_t status = r->headers_out.status;
    if (status == NGX_HTTP_OK || status == NGX_HTTP_PARTIAL_CONTENT || status == NGX_HTTP_NOT_MODIFIED ||
        status == NGX_HTTP_RANGE_NOT_SATISFIABLE || status == NGX_HTTP_PRECONDITION_FAILED) {
        if (!decorate({}) || add_header(r, "X-Content-Type-Options", "nosniff") == nullptr) {
            return NGX_ERROR;
        }
        return next(r);
    }
    Error error{502, "the origin failed"};
    if (status == NGX_HTTP_NOT_FOUND || status == 410) {
        error = {404, "there is no such original"};
    } else if (status == NGX_HTTP_UNAUTHORIZED || status == NGX_HTTP_FORBIDDEN) {
        error = {403, "the origin refuses the original"};
    } else if (status == NGX_HTTP_GATEWAY_TIME_OUT) {
        error = {504, "the origin did not answer in time"};
    }
    // The location that was asked decides how its errors look.
    r->loc_conf = loc_conf_;
    if (conf_->intercept_errors != 0 && has_error_page(r, error.status)) {
        passing_ = false;
        return ngx_http_filter_finalize_request(r, &ngx_http_media_module, error.status);
    }
    swallows_ = true;
    ngx_http_clean_header(r);
    const ngx_str_t body = copy(r->pool, problem_json(error));
    auto* buffer = static_cast<ngx_buf_t*>(ngx_calloc_buf(r->pool));
    if (body.data == nullptr || buffer == nullptr || !set_problem(r, error.status, view(body))) {
        return NGX_ERROR;
    }
    const ngx_int_t outcome = next(r);
    if (outcome == NGX_ERROR || outcome > NGX_OK || r->header_only != 0) {
        return outcome;
    }
    buffer->pos = body.data;
    buffer->last = body.data + body.len;
    buffer->memory = 1;
    buffer->last_buf = 1;
    buffer->last_in_chain = 1;
    ngx_chain_t chain{buffer, nullptr};
    return next_body(r, &chain);
}

void RenditionRequest::describe(const StoredFacts& facts, std::uint64_t bytes) noexcept {
    report_.described = true;
    report_.source_bytes = facts.source_bytes;
    report_.bytes = bytes;
    report_.format = OutputFormat::from_code(facts.format).value_or(report_.format);
    report_.width = facts.width;
    report_.height = facts.height;
}

}  // namespace media
