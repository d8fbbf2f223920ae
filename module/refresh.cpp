#include "module/refresh.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "module/guard.h"
#include "module/own_request.h"
#include "module/rendition_request.h"

namespace media {

namespace {

// Copies a text; an empty one stays empty.
bool carry(ngx_pool_t* pool, const ngx_str_t& from, ngx_str_t& to) noexcept {
    if (from.len == 0) {
        return true;
    }
    to = copy(pool, view(from));
    return to.data != nullptr;
}

// The header fields, and nginx' pointers to those it knows.
bool carry_fields(const ngx_http_request_t* from, ngx_http_request_t* to) noexcept {
    if (!carry(to->pool, from->headers_in.server, to->headers_in.server)) {
        return false;
    }
    for (const ngx_list_part_t* part = &from->headers_in.headers.part; part != nullptr; part = part->next) {
        const auto* fields = static_cast<const ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            if (fields[i].hash == 0) {
                continue;
            }
            ngx_str_t name{};
            ngx_str_t lowcase{};
            ngx_str_t value{};
            if (!carry(to->pool, fields[i].key, name) || !carry(to->pool, fields[i].value, value) ||
                !carry(to->pool, {fields[i].key.len, fields[i].lowcase_key}, lowcase) ||
                !add_request_field(to, view(name), view(lowcase), view(value))) {
                return false;
            }
        }
    }
    return true;
}

// Variables that the connection gives, which ours cannot.
bool of_the_connection(std::string_view name) noexcept {
    return name == "scheme" || name == "https" || name.starts_with("ssl_") ||
           name.starts_with("proxy_protocol_");
}

// What was set, matched or looked up for the client's request holds for ours.
bool carry_variables(ngx_http_request_t* from, ngx_http_request_t* to) noexcept {
    const auto* main =
        static_cast<ngx_http_core_main_conf_t*>(ngx_http_get_module_main_conf(to, ngx_http_core_module));
    const auto* declared = static_cast<const ngx_http_variable_t*>(main->variables.elts);
    for (ngx_uint_t i = 0; i < main->variables.nelts; ++i) {
        if (of_the_connection(view(declared[i].name))) {
            (void)ngx_http_get_indexed_variable(from, i);
        }
        const ngx_http_variable_value_t& value = from->variables[i];
        if (value.valid == 0 || value.no_cacheable != 0) {
            continue;
        }
        ngx_str_t text{};
        if (!carry(to->pool, {value.len, value.data}, text)) {
            return false;
        }
        to->variables[i] = value;
        to->variables[i].data = text.data;
    }
    return true;
}

bool carry_captures(const ngx_http_request_t* from, ngx_http_request_t* to) noexcept {
#if (NGX_PCRE)
    if (from->ncaptures == 0) {
        return true;
    }
    to->captures = static_cast<int*>(ngx_palloc(to->pool, from->ncaptures * sizeof(int)));
    if (to->captures == nullptr) {
        return false;
    }
    std::copy_n(from->captures, from->ncaptures, to->captures);
    // Captures lie in the text up to the end of the last one.
    const int* last = std::max_element(from->captures, from->captures + from->ncaptures);
    ngx_str_t text{};
    if (*last > 0 && !carry(to->pool, {static_cast<std::size_t>(*last), from->captures_data}, text)) {
        return false;
    }
    to->ncaptures = from->ncaptures;
    to->captures_data = text.data;
#else
    (void)from;
    (void)to;
#endif
    return true;
}

bool carry_request(ngx_http_request_t* from, ngx_http_request_t* to) noexcept {
    to->main_conf = from->main_conf;
    to->srv_conf = from->srv_conf;
    to->loc_conf = from->loc_conf;
    to->http_version = from->http_version;
    to->valid_unparsed_uri = from->valid_unparsed_uri;
    ngx_pool_t* pool = to->pool;
    return carry(pool, from->request_line, to->request_line) && carry(pool, from->uri, to->uri) &&
           carry(pool, from->args, to->args) && carry(pool, from->exten, to->exten) &&
           carry(pool, from->unparsed_uri, to->unparsed_uri) && carry(pool, from->schema, to->schema) &&
           carry(pool, from->http_protocol, to->http_protocol) && carry_fields(from, to) &&
           carry_variables(from, to) && carry_captures(from, to);
}

void begin_refresh(ngx_http_request_t* r) {
    r->write_event_handler = ngx_http_request_empty_handler;
    RenditionRequest::of(r)->refresh();
}

void begin_spare(ngx_http_request_t* r) {
    r->write_event_handler = ngx_http_request_empty_handler;
    RenditionRequest::of(r)->make_spare();
}

// A request of our own that asks for the same; null where there is no room for it.
RenditionRequest* ask_again(ngx_http_request_t* r, const char* action) noexcept {
    ngx_http_request_t* own = make_own_request(OwnConnection::like(r, action));
    if (own == nullptr) {
        return nullptr;
    }
    RenditionRequest* request =
        carry_request(r, own) ? make_in_pool<RenditionRequest>(own->pool, own) : nullptr;
    if (request == nullptr) {
        end_own_request(own);
        return nullptr;
    }
    ngx_http_set_ctx(own, request, ngx_http_media_module);
    return request;
}

}  // namespace

bool refresh_behind(ngx_http_request_t* r) noexcept {
    RenditionRequest* request = ask_again(r, "refreshing a rendition");
    if (request == nullptr) {
        return false;
    }
    request->come_after(*RenditionRequest::of(r));
    // Not before the client has its answer.
    begin_own_request(request->own(), guard<begin_refresh>);
    return true;
}

bool copy_behind(ngx_http_request_t* r, std::string key) {
    RenditionRequest* request = ask_again(r, "copying an original behind an answer");
    if (request == nullptr) {
        return false;
    }
    request->come_to_copy(*RenditionRequest::of(r), std::move(key));
    begin_own_request(request->own(), guard<begin_spare>);
    return true;
}

bool make_behind(ngx_http_request_t* r) {
    RenditionRequest* request = ask_again(r, "making a rendition behind an answer");
    if (request == nullptr) {
        return false;
    }
    request->come_behind(*RenditionRequest::of(r));
    begin_own_request(request->own(), guard<begin_spare>);
    return true;
}

}  // namespace media
