#include "module/origin_capture.h"

#include <algorithm>
#include <array>
#include <string>
#include <string_view>
#include <utility>

#include "core/share/freshness.h"
#include "module/answer.h"
#include "module/guard.h"
#include "module/rendition_request.h"
#include "module/token_access.h"

namespace media {

namespace {

ngx_http_output_header_filter_pt next_header_filter;
ngx_http_output_body_filter_pt next_body_filter;

// What a client says about the rendition it wants says nothing about the original.
constexpr std::array<std::string_view, 15> not_for_origin{"range",
                                                          "if-range",
                                                          "if-match",
                                                          "if-none-match",
                                                          "if-modified-since",
                                                          "if-unmodified-since",
                                                          "accept",
                                                          "accept-encoding",
                                                          "content-length",
                                                          "content-type",
                                                          "sec-ch-dpr",
                                                          "dpr",
                                                          "sec-ch-width",
                                                          "width",
                                                          "save-data"};

// Of an answer that spills.
constexpr off_t most_in_memory = off_t{1} << 20U;

// A token was for us.
constexpr std::string_view credentials = "authorization";

std::string_view name_of(const ngx_table_elt_t& field) noexcept {
    return {reinterpret_cast<const char*>(field.lowcase_key), field.key.len};
}

// Keeps those header fields of a request that `wanted` wants.
template <class Wanted>
ngx_int_t keep_fields(ngx_http_request_t* r, Wanted wanted) noexcept {
    const ngx_list_part_t first = r->headers_in.headers.part;
    ngx_list_t* kept = &r->headers_in.headers;
    if (ngx_list_init(kept, r->pool, 20, sizeof(ngx_table_elt_t)) != NGX_OK) {
        return NGX_ERROR;
    }
    for (const ngx_list_part_t* part = &first; part != nullptr; part = part->next) {
        const auto* fields = static_cast<const ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            if (fields[i].hash == 0 || !wanted(name_of(fields[i]))) {
                continue;
            }
            auto* field = static_cast<ngx_table_elt_t*>(ngx_list_push(kept));
            if (field == nullptr) {
                return NGX_ERROR;
            }
            *field = fields[i];
        }
    }
    return NGX_OK;
}

ngx_int_t clean_request_headers(ngx_http_request_t* sr) noexcept {
    const bool token = token_of(sr) != nullptr;
    if (keep_fields(sr, [token](std::string_view name) {
            return !(token && name == credentials) &&
                   std::find(not_for_origin.begin(), not_for_origin.end(), name) == not_for_origin.end();
        }) != NGX_OK) {
        return NGX_ERROR;
    }
    ngx_http_headers_in_t& in = sr->headers_in;
    in.range = nullptr;
    in.if_range = nullptr;
    in.if_match = nullptr;
    in.if_none_match = nullptr;
    in.if_modified_since = nullptr;
    in.if_unmodified_since = nullptr;
    in.accept_encoding = nullptr;
    in.content_length = nullptr;
    in.content_type = nullptr;
    in.content_length_n = -1;
    in.chunked = 0;
    return NGX_OK;
}

// Adds a field to a subrequest whose header fields are its own. The texts must live as long as it.
ngx_table_elt_t* add_field(ngx_http_request_t* sr, std::string_view name, std::string_view lowcase,
                           std::string_view value) noexcept {
    auto* field = static_cast<ngx_table_elt_t*>(ngx_list_push(&sr->headers_in.headers));
    if (field != nullptr) {
        ngx_memzero(field, sizeof(*field));
        field->key = str(name);
        field->value = str(value);
        field->lowcase_key = str(lowcase).data;
        field->hash = ngx_hash_key(field->lowcase_key, lowcase.size());
    }
    return field;
}

// What a client says to us is not for those whom we ask on our own account: no token, no cookie.
bool take_headers_away(ngx_http_request_t* sr) noexcept {
    const ngx_http_headers_in_t client = sr->headers_in;
    ngx_http_headers_in_t& in = sr->headers_in;
    ngx_memzero(&in, sizeof(in));
    in.server = client.server;
    in.connection_type = client.connection_type;
    in.content_length_n = -1;
    in.keep_alive_n = -1;
    if (ngx_list_init(&in.headers, sr->pool, 8, sizeof(ngx_table_elt_t)) != NGX_OK) {
        return false;
    }
    if (client.host != nullptr) {
        in.host = static_cast<ngx_table_elt_t*>(ngx_list_push(&in.headers));
        if (in.host == nullptr) {
            return false;
        }
        *in.host = *client.host;
    }
    return true;
}

// The body of a subrequest, in memory.
bool give_body(ngx_http_request_t* sr, ByteView bytes) noexcept {
    auto* body =
        static_cast<ngx_http_request_body_t*>(ngx_pcalloc(sr->pool, sizeof(ngx_http_request_body_t)));
    ngx_chain_t* link = ngx_alloc_chain_link(sr->pool);
    auto* buffer = static_cast<ngx_buf_t*>(ngx_calloc_buf(sr->pool));
    auto* length = static_cast<u_char*>(ngx_pnalloc(sr->pool, NGX_OFF_T_LEN));
    if (body == nullptr || link == nullptr || buffer == nullptr || length == nullptr) {
        return false;
    }
    buffer->start = buffer->pos = const_cast<u_char*>(bytes.data());
    buffer->end = buffer->last = buffer->pos + bytes.size();
    buffer->memory = 1;
    buffer->last_buf = 1;
    link->buf = buffer;
    link->next = nullptr;
    body->bufs = link;
    sr->request_body = body;
    sr->method = NGX_HTTP_POST;
    ngx_str_set(&sr->method_name, "POST");
    ngx_http_headers_in_t& in = sr->headers_in;
    in.content_length_n = static_cast<off_t>(bytes.size());
    const u_char* end = ngx_sprintf(length, "%uz", bytes.size());
    in.content_length =
        add_field(sr, "Content-Length", "content-length",
                  {reinterpret_cast<const char*>(length), static_cast<std::size_t>(end - length)});
    return in.content_length != nullptr;
}

// Nothing of what a client sent is a stranger's business; only the loop that goes through here has to end.
ngx_int_t replace_request_headers(ngx_http_request_t* sr) {
    const std::string_view hops = request_header(sr->parent, "cdn-loop");
    const ngx_str_t trail = copy(
        sr->pool, hops.empty() ? std::string{loop_name} : std::string{hops} + ", " + std::string{loop_name});
    if (trail.data == nullptr || !take_headers_away(sr)) {
        return NGX_ERROR;
    }
    return add_field(sr, "CDN-Loop", "cdn-loop", view(trail)) == nullptr ? NGX_ERROR : NGX_OK;
}

// An answer out there names no location of ours to go on with (X-Accel-Redirect), whatever the location that
// asked allows.
ngx_int_t refuse_redirection(ngx_http_request_t* r) {
    const OriginCapture* capture = OriginCapture::of(r);
    const ngx_http_upstream_t* upstream = r->upstream;
    if (capture == nullptr || capture->stranger() == nullptr || upstream == nullptr ||
        upstream->headers_in.x_accel_redirect == nullptr ||
        (upstream->conf->ignore_headers & NGX_HTTP_UPSTREAM_IGN_XA_REDIRECT) != 0) {
        return NGX_DECLINED;
    }
    ngx_log_error(NGX_LOG_ERR, r->connection->log, 0,
                  "media: \"X-Accel-Redirect\" in the answer to a fetch is not followed");
    return NGX_HTTP_BAD_GATEWAY;
}

ngx_int_t add_guard(ngx_conf_t* cf, ngx_http_phases phase) noexcept {
    auto* main =
        static_cast<ngx_http_core_main_conf_t*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    auto* handler = static_cast<ngx_http_handler_pt*>(ngx_array_push(&main->phases[phase].handlers));
    if (handler == nullptr) {
        return NGX_ERROR;
    }
    *handler = guard<refuse_redirection>;
    return NGX_OK;
}

// As the client would be sent it: nginx keeps that of a file as a number only.
std::string last_modified_of(const ngx_http_request_t* sr) {
    std::string text = answer_header(sr, "Last-Modified");
    if (text.empty() && sr->headers_out.last_modified_time >= 0) {
        std::array<u_char, sizeof("Mon, 28 Sep 1970 06:00:00 GMT")> date{};
        const u_char* end = ngx_http_time(date.data(), sr->headers_out.last_modified_time);
        text.assign(reinterpret_cast<const char*>(date.data()), static_cast<std::size_t>(end - date.data()));
    }
    return text;
}

// proxy_pass keeps an origin's Date to itself.
std::string_view date_of(const ngx_http_request_t* sr) noexcept {
    const ngx_table_elt_t* date = sr->upstream != nullptr ? sr->upstream->headers_in.date : nullptr;
    return date != nullptr ? view(date->value) : std::string_view{};
}

ngx_int_t header_filter(ngx_http_request_t* r) {
    if (OriginCapture* capture = OriginCapture::of(r)) {
        return capture->on_header(r);
    }
    if (r->internal != 0 && r == r->main) {
        if (RenditionRequest* request = RenditionRequest::of(r)) {
            return request->on_original_header(r, next_header_filter, next_body_filter);
        }
    }
    return next_header_filter(r);
}

ngx_int_t body_filter(ngx_http_request_t* r, ngx_chain_t* chain) {
    if (OriginCapture* capture = OriginCapture::of(r)) {
        capture->on_body(r, chain);
        return NGX_OK;
    }
    if (r->internal != 0 && r == r->main) {
        if (const RenditionRequest* request = RenditionRequest::of(r);
            request != nullptr && request->swallows()) {
            for (; chain != nullptr; chain = chain->next) {
                chain->buf->pos = chain->buf->last;
                chain->buf->file_pos = chain->buf->file_last;
            }
            return NGX_OK;
        }
    }
    return next_body_filter(r, chain);
}

}  // namespace

ngx_int_t withhold_token(ngx_http_request_t* r) noexcept {
    return token_of(r) == nullptr ? NGX_OK
                                  : keep_fields(r, [](std::string_view name) { return name != credentials; });
}

ngx_int_t OriginCapture::start(ngx_http_request_t* r, ngx_str_t* uri, Validators known) {
    known_ = std::move(known);
    hook_.handler = guard<&OriginCapture::on_end>;
    hook_.data = this;
    ngx_http_request_t* sr = nullptr;
    if (ngx_http_subrequest(r, uri, nullptr, &sr, &hook_, NGX_HTTP_SUBREQUEST_WAITED) != NGX_OK) {
        return NGX_ERROR;
    }
    sr_ = sr;
    if ((stranger_ != nullptr ? replace_request_headers(sr) : clean_request_headers(sr)) != NGX_OK) {
        return NGX_ERROR;
    }
    sr->request_body = nullptr;  // what a client has sent us
    ngx_http_headers_in_t& in = sr->headers_in;
    if (!known_.etag.empty()) {
        in.if_none_match = add_field(sr, "If-None-Match", "if-none-match", known_.etag);
    }
    if (!known_.last_modified.empty()) {
        in.if_modified_since = add_field(sr, "If-Modified-Since", "if-modified-since", known_.last_modified);
    }
    return (in.if_none_match != nullptr || known_.etag.empty()) &&
                   (in.if_modified_since != nullptr || known_.last_modified.empty())
               ? NGX_OK
               : NGX_ERROR;
}

ngx_int_t OriginCapture::ask(ngx_http_request_t* r, ngx_str_t* uri, ngx_str_t* args, const ByteView* body,
                             std::span<const Field> fields) {
    hook_.handler = guard<&OriginCapture::on_end>;
    hook_.data = this;
    ngx_http_request_t* sr = nullptr;
    if (ngx_http_subrequest(r, uri, args, &sr, &hook_, NGX_HTTP_SUBREQUEST_WAITED) != NGX_OK) {
        return NGX_ERROR;
    }
    sr->request_body = nullptr;
    if (!take_headers_away(sr) || (body != nullptr && !give_body(sr, *body))) {
        return NGX_ERROR;
    }
    for (const auto& [name, lowcase, value] : fields) {
        ngx_table_elt_t* field = add_field(sr, name, lowcase, value);
        if (field == nullptr) {
            return NGX_ERROR;
        }
        if (lowcase == "content-type") {
            sr->headers_in.content_type = field;
        }
    }
    return NGX_OK;
}

void OriginCapture::cut() {
    ngx_http_upstream_t* upstream = sr_ != nullptr && !ended_ ? sr_->upstream : nullptr;
    if (upstream == nullptr || upstream->cleanup == nullptr) {
        return;
    }
    sr_->main->count++;  // as nginx does where it puts an end to one
    (*upstream->cleanup)(sr_);
    ngx_http_finalize_request(sr_, NGX_HTTP_GATEWAY_TIME_OUT);
}

OriginCapture* OriginCapture::of(const ngx_http_request_t* r) noexcept {
    const ngx_http_post_subrequest_t* hook = r->post_subrequest;
    return r != r->main && hook != nullptr && hook->handler == guard<&OriginCapture::on_end>
               ? static_cast<OriginCapture*>(hook->data)
               : nullptr;
}

ngx_int_t OriginCapture::on_header(ngx_http_request_t* sr) {
    status_ = sr->headers_out.status;
    if (const ngx_http_upstream_t* upstream = sr->upstream;
        upstream != nullptr && upstream->headers_in.status_n != 0) {
        answered_ = true;
        const ngx_table_elt_t* location = upstream->headers_in.location;
        location_ = location != nullptr ? view(location->value) : std::string_view{};
    }
    length_ = sr->headers_out.content_length_n;
    freshness_ = Freshness::now(nullptr);
    freshness_.last_modified = sr->headers_out.last_modified_time;
    freshness_.cache_control = answer_header(sr, "Cache-Control");
    const std::string expires = answer_header(sr, "Expires");
    const std::string age = answer_header(sr, "Age");
    freshness_.told = !freshness_.cache_control.empty() || !expires.empty();
    freshness_.age = age_of(age);
    freshness_.life = lifetimes(
        {.cache_control = freshness_.cache_control, .expires = expires, .date = date_of(sr), .age = age},
        freshness_.answered);
    if (!answer_header(sr, "Set-Cookie").empty() || !shareable(answer_header(sr, "Vary"))) {
        freshness_.life.keep = false;  // one client's answer
    }
    freshness_.validators = {.etag = answer_header(sr, "ETag"), .last_modified = last_modified_of(sr)};
    unchanged_ = status_ == NGX_HTTP_NOT_MODIFIED ? !known_.empty()
                                                  : status_ == NGX_HTTP_OK && strong_tag(known_.etag) &&
                                                        freshness_.validators.etag == known_.etag;
    if (unchanged_ || status_ != NGX_HTTP_OK) {
        // Nobody wants the body of it, and it may have no end.
        return stranger_ != nullptr && status_ != NGX_HTTP_NOT_MODIFIED ? NGX_ERROR : NGX_OK;
    }
    if (length_ > limit_) {
        too_large_ = true;
        stop(sr);
    } else if (length_ > 0 && sr->upstream != nullptr) {
        source_.reserve(static_cast<std::size_t>(spills_ ? std::min(length_, most_in_memory) : length_));
    }
    return NGX_OK;
}

void OriginCapture::on_body(ngx_http_request_t* sr, ngx_chain_t* chain) {
    for (; chain != nullptr; chain = chain->next) {
        ngx_buf_t* buffer = chain->buf;
        const off_t size = ngx_buf_size(buffer);
        const bool wanted =
            status_ == NGX_HTTP_OK && !unchanged_ && !too_large_ && !broken_ && !full_ && size > 0;
        if (wanted && static_cast<off_t>(source_.size()) + size > limit_) {
            too_large_ = true;
        } else if (wanted && ngx_buf_in_memory(buffer)) {
            keep(sr, {buffer->pos, static_cast<std::size_t>(size)});
        } else if (wanted && buffer->in_file != 0) {
            broken_ = !source_.append(buffer->file->fd, buffer->file_pos, static_cast<std::size_t>(size));
        }
        buffer->pos = buffer->last;
        buffer->file_pos = buffer->file_last;
        if (too_large_ || full_) {
            stop(sr);
        }
        complete_ = complete_ || buffer->last_buf != 0 || buffer->last_in_chain != 0;
    }
}

void OriginCapture::keep(ngx_http_request_t* sr, ByteView bytes) {
    const auto after = static_cast<off_t>(source_.size() + bytes.size());
    if (!spills_ || (file_ == NGX_INVALID_FILE && after <= most_in_memory)) {
        source_.append(bytes);
    } else if (!write(sr, bytes)) {
        full_ = full_ || ngx_errno == ENOSPC || ngx_errno == EDQUOT || ngx_errno == EFBIG;
        broken_ = true;
    }
}

// To a file that has no name any more.
bool OriginCapture::write(ngx_http_request_t* sr, ByteView bytes) {
    if (file_ == NGX_INVALID_FILE) {
        const auto* core = static_cast<const ngx_http_core_loc_conf_t*>(
            ngx_http_get_module_loc_conf(sr, ngx_http_core_module));
        ngx_file_t file{};
        file.fd = NGX_INVALID_FILE;
        file.log = sr->connection->log;
        if (ngx_create_temp_file(&file, core->client_body_temp_path, sr->pool, 0, 0, 0) != NGX_OK) {
            return false;
        }
        file_ = file.fd;
    }
    for (std::size_t done = 0; done < bytes.size();) {
        const ssize_t n =
            pwrite(file_, bytes.data() + done, bytes.size() - done, written_ + static_cast<off_t>(done));
        if (n < 0 && ngx_errno != EINTR) {
            return false;
        }
        done += n > 0 ? static_cast<std::size_t>(n) : 0;
    }
    const bool noted = source_.append(file_, written_, bytes.size());
    written_ += static_cast<off_t>(bytes.size());
    return noted;
}

// Makes the upstream give up reading what nobody will look at.
void OriginCapture::stop(ngx_http_request_t* sr) noexcept {
    source_ = Source{};
    ngx_http_upstream_t* upstream = sr->upstream;
    if (upstream == nullptr) {
        return;
    }
    upstream->keepalive = 0;
    if (upstream->buffering == 0) {
        upstream->length = 0;
    } else if (upstream->pipe != nullptr) {
        upstream->pipe->upstream_error = 1;
    }
}

ngx_int_t OriginCapture::on_end(ngx_http_request_t* sr, void* data, ngx_int_t outcome) {
    auto* capture = static_cast<OriginCapture*>(data);
    if (outcome == NGX_HTTP_CLIENT_CLOSED_REQUEST) {
        return outcome;
    }
    if (capture->ended_) {
        return NGX_OK;  // nginx finalizes one that ended before its turn a second time
    }
    capture->ended_ = true;
    if (capture->status_ == 0) {
        capture->status_ = outcome > NGX_OK ? static_cast<ngx_uint_t>(outcome) : sr->headers_out.status;
    }
    if (outcome == NGX_ERROR || (outcome >= NGX_HTTP_SPECIAL_RESPONSE && capture->status_ == NGX_HTTP_OK)) {
        capture->broken_ = true;
    }
    capture->done_(capture->owner_);
    // The answer is ours to give: an error of the subrequest must not end the request.
    return NGX_OK;
}

Result<Source> OriginCapture::take() {
    if (full_) {
        return Error{507, "the disk is full"};
    }
    if (too_large_) {
        return Error{413, "the original is larger than allowed"};
    }
    switch (status_) {
        case NGX_HTTP_OK:
            break;
        case NGX_HTTP_NOT_FOUND:
        case 410:
            return Error{404, "there is no such original"};
        case NGX_HTTP_UNAUTHORIZED:
        case NGX_HTTP_FORBIDDEN:
            return Error{403, "the origin refuses the original"};
        case NGX_HTTP_GATEWAY_TIME_OUT:
        case NGX_HTTP_REQUEST_TIME_OUT:
            return Error{504, "the origin did not answer in time"};
        default:
            return Error{502, "the origin failed"};
    }
    // nginx sends nothing at all for an empty file.
    const bool complete = complete_ || length_ == 0;
    if (broken_ || !complete || (length_ >= 0 && static_cast<off_t>(source_.size()) != length_)) {
        return Error{502, "the origin's answer ended early"};
    }
    return std::move(source_);
}

ngx_int_t install_filters(ngx_conf_t* cf) {
    next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = guard<header_filter>;
    next_body_filter = ngx_http_top_body_filter;
    ngx_http_top_body_filter = guard<body_filter>;
    return add_guard(cf, NGX_HTTP_SERVER_REWRITE_PHASE) == NGX_OK &&
                   add_guard(cf, NGX_HTTP_REWRITE_PHASE) == NGX_OK
               ? NGX_OK
               : NGX_ERROR;
}

}  // namespace media
