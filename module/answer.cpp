#include "module/answer.h"

#include <algorithm>

#include "module/config.h"

namespace media {

namespace {

constexpr std::string_view retry_after = "1";

// Walks an nginx list of header fields; stops where `visit` returns true.
template <class Visit>
void each_field(const ngx_list_t& list, Visit visit) {
    for (const ngx_list_part_t* part = &list.part; part != nullptr; part = part->next) {
        auto* fields = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            if (fields[i].hash != 0 && visit(fields[i])) {
                return;
            }
        }
    }
}

bool same_name(const ngx_str_t& name, std::string_view wanted) noexcept {
    return name.len == wanted.size() &&
           ngx_strncasecmp(name.data, reinterpret_cast<u_char*>(const_cast<char*>(wanted.data())),
                           name.len) == 0;
}

}  // namespace

bool has_error_page(const ngx_http_request_t* r, int status) noexcept {
    const auto* core =
        static_cast<const ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    if (core->error_pages == nullptr || (r->error_page != 0 && core->recursive_error_pages == 0)) {
        return false;
    }
    const auto* pages = static_cast<const ngx_http_err_page_t*>(core->error_pages->elts);
    return std::any_of(pages, pages + core->error_pages->nelts,
                       [status](const ngx_http_err_page_t& page) { return page.status == status; });
}

ngx_table_elt_t* add_header(ngx_http_request_t* r, std::string_view name, std::string_view value) noexcept {
    auto* field = static_cast<ngx_table_elt_t*>(ngx_list_push(&r->headers_out.headers));
    if (field != nullptr) {
        ngx_memzero(field, sizeof(*field));
        field->hash = 1;
        field->key = str(name);
        field->value = str(value);
    }
    return field;
}

bool set_etag(ngx_http_request_t* r, std::string_view etag) noexcept {
    r->headers_out.etag = add_header(r, "ETag", etag);
    return r->headers_out.etag != nullptr;
}

std::string_view request_header(ngx_http_request_t* r, std::string_view lowcase_name) noexcept {
    std::string_view all;
    each_field(r->headers_in.headers, [&](const ngx_table_elt_t& field) {
        if (!same_name(field.key, lowcase_name)) {
            return false;
        }
        if (all.empty()) {
            all = view(field.value);
            return false;
        }
        auto* joined = static_cast<char*>(ngx_pnalloc(r->pool, all.size() + 1 + field.value.len));
        if (joined == nullptr) {
            return true;
        }
        char* end = std::copy(all.begin(), all.end(), joined);
        *end++ = ',';
        end = std::copy_n(reinterpret_cast<const char*>(field.value.data), field.value.len, end);
        all = {joined, static_cast<std::size_t>(end - joined)};
        return false;
    });
    return all;
}

std::string answer_header(const ngx_http_request_t* r, std::string_view name) {
    std::string all;
    each_field(r->headers_out.headers, [&](const ngx_table_elt_t& field) {
        if (same_name(field.key, name)) {
            all += (all.empty() ? "" : ", ");
            all += view(field.value);
        }
        return false;
    });
    return all;
}

bool set_entity(ngx_http_request_t* r, ngx_uint_t status, std::string_view type, off_t length,
                time_t last_modified, std::string_view etag) noexcept {
    r->headers_out.status = status;
    r->headers_out.content_type = str(type);
    r->headers_out.content_type_len = type.size();
    r->headers_out.content_type_lowcase = nullptr;
    r->headers_out.content_length_n = length;
    r->headers_out.last_modified_time = last_modified;
    r->allow_ranges = status == NGX_HTTP_OK ? 1 : 0;
    return etag.empty() || set_etag(r, etag);
}

ngx_int_t send_memory(ngx_http_request_t* r, const std::uint8_t* bytes, std::size_t size) noexcept {
    auto* buffer = static_cast<ngx_buf_t*>(ngx_calloc_buf(r->pool));
    if (buffer == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    const ngx_int_t outcome = ngx_http_send_header(r);
    if (outcome == NGX_ERROR || outcome > NGX_OK || r->header_only != 0) {
        return outcome;
    }
    buffer->pos = const_cast<u_char*>(bytes);
    buffer->last = buffer->pos + size;
    buffer->memory = size > 0 ? 1 : 0;
    buffer->last_buf = r == r->main ? 1 : 0;
    buffer->last_in_chain = 1;
    ngx_chain_t chain{buffer, nullptr};
    return ngx_http_output_filter(r, &chain);
}

ngx_int_t send_options(ngx_http_request_t* r, std::string_view allow) noexcept {
    if (const ngx_int_t outcome = ngx_http_discard_request_body(r); outcome != NGX_OK) {
        return outcome;
    }
    r->headers_out.status = NGX_HTTP_NO_CONTENT;
    r->header_only = 1;
    if (add_header(r, "Allow", allow) == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return ngx_http_send_header(r);
}

bool set_problem(ngx_http_request_t* r, int status, std::string_view body) noexcept {
    if (!set_entity(r, static_cast<ngx_uint_t>(status), "application/problem+json",
                    static_cast<off_t>(body.size()), -1, {})) {
        return false;
    }
    const LocationConfig* conf = location_config(r);
    const bool purge = conf->purge != 0;
    // An upload location says itself what it allows.
    if (status == NGX_HTTP_NOT_ALLOWED && conf->upload == nullptr &&
        add_header(r, "Allow", purge ? "GET, HEAD, PURGE" : "GET, HEAD") == nullptr) {
        return false;
    }
    return status != NGX_HTTP_SERVICE_UNAVAILABLE || add_header(r, "Retry-After", retry_after) != nullptr;
}

ngx_int_t send_problem(ngx_http_request_t* r, const Error& error, bool intercept) {
    if (intercept && has_error_page(r, error.status)) {
        return error.status;
    }
    const ngx_str_t body = copy(r->pool, problem_json(error));
    if (body.data == nullptr || !set_problem(r, error.status, view(body))) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return send_memory(r, body.data, body.len);
}

}  // namespace media
