// $media_*: what a request's log and headers can tell about its rendition.
#include "module/variables.h"

#include <array>
#include <string>

#include "module/guard.h"
#include "module/origin_capture.h"
#include "module/rendition_request.h"
#include "module/token_access.h"

namespace media {

namespace {

using Tell = std::string (*)(const Stranger&);
using Print = std::string (*)(RenditionRequest&);

std::string seconds(bool known, double value) {
    if (!known) {
        return {};
    }
    u_char text[NGX_INT_T_LEN + 8];
    const u_char* end = ngx_sprintf(text, "%.3f", value);
    return {reinterpret_cast<const char*>(text), static_cast<std::size_t>(end - text)};
}

std::string number(const Report& report, std::uint64_t value) {
    return report.described ? std::to_string(value) : std::string{};
}

struct Variable {
    ngx_str_t name;
    Print print;
};

// The table of variables; module/README.md lists the same.
const std::array<Variable, 13> variables{{
    {ngx_string("media_cache_status"),
     [](RenditionRequest& q) { return std::string{name_of(q.report().cache)}; }},
    {ngx_string("media_behind"),
     [](RenditionRequest& q) { return std::string{name_of(q.report().stand_in)}; }},
    {ngx_string("media_copy"), [](RenditionRequest& q) { return std::string{name_of(q.report().copy)}; }},
    {ngx_string("media_render_time"),
     [](RenditionRequest& q) { return seconds(q.report().rendered, q.report().render_seconds); }},
    {ngx_string("media_queue_time"),
     [](RenditionRequest& q) { return seconds(q.report().rendered, q.report().queue_seconds); }},
    {ngx_string("media_path"),
     [](RenditionRequest& q) {
         const bool direct = q.report().route == Route::direct;
         return q.report().rendered ? std::string{direct ? "direct" : "libvips"} : std::string{};
     }},
    {ngx_string("media_shared"),
     [](RenditionRequest& q) {
         return q.report().rendered ? std::to_string(q.report().shared) : std::string{};
     }},
    {ngx_string("media_source_bytes"),
     [](RenditionRequest& q) { return number(q.report(), q.report().source_bytes); }},
    {ngx_string("media_bytes"), [](RenditionRequest& q) { return number(q.report(), q.report().bytes); }},
    {ngx_string("media_format"),
     [](RenditionRequest& q) {
         return q.report().described ? std::string{q.report().format.name()} : std::string{};
     }},
    {ngx_string("media_width"),
     [](RenditionRequest& q) { return number(q.report(), static_cast<std::uint64_t>(q.report().width)); }},
    {ngx_string("media_height"),
     [](RenditionRequest& q) { return number(q.report(), static_cast<std::uint64_t>(q.report().height)); }},
    {ngx_string("media_key"), [](RenditionRequest& q) { return q.key(); }},
}};

// Likewise. A name that ends in "_" is the beginning of many.
struct TokenVariable {
    ngx_str_t name;
    ngx_uint_t flags;
    ngx_http_get_variable_pt get;
};
const std::array<TokenVariable, 2> token_variables{{
    {ngx_string("media_token_sub"), 0, guard<get_token_subject>},
    {ngx_string("media_token_claim_"), NGX_HTTP_VAR_PREFIX, guard<get_token_claim>},
}};

struct FetchVariable {
    ngx_str_t name;
    Tell tell;
};

// What the location of a fetch is told; module/README.md lists the same.
const std::array<FetchVariable, 5> fetch_variables{{
    {ngx_string("media_fetch_scheme"), [](const Stranger& s) { return std::string{s.target.scheme()}; }},
    {ngx_string("media_fetch_addr"), [](const Stranger& s) { return s.address; }},
    {ngx_string("media_fetch_uri"), [](const Stranger& s) { return s.target.uri; }},
    {ngx_string("media_fetch_host"), [](const Stranger& s) { return s.target.authority(); }},
    {ngx_string("media_fetch_name"), [](const Stranger& s) { return s.target.host; }},
}};

// Nothing of it is kept: subrequests of one request share the values that are.
ngx_int_t set(ngx_http_request_t* r, ngx_http_variable_value_t* value, const std::string& text) {
    const ngx_str_t kept = copy(r->pool, text);
    if (text.empty() || kept.data == nullptr) {
        return NGX_OK;
    }
    value->valid = 1;
    value->no_cacheable = 1;
    value->not_found = 0;
    value->len = static_cast<unsigned>(kept.len) & 0xfffffffU;
    value->data = kept.data;
    return NGX_OK;
}

ngx_int_t get_fetch(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t data) {
    const OriginCapture* capture = OriginCapture::of(r);
    value->not_found = 1;
    value->no_cacheable = 1;
    if (capture == nullptr || capture->stranger() == nullptr) {
        return NGX_OK;
    }
    return set(r, value, fetch_variables[data].tell(*capture->stranger()));
}

bool declare(ngx_conf_t* cf, ngx_str_t name, ngx_http_get_variable_pt handler, std::size_t row,
             ngx_uint_t flags = 0) noexcept {
    ngx_http_variable_t* variable = ngx_http_add_variable(cf, &name, flags | NGX_HTTP_VAR_NOCACHEABLE);
    if (variable == nullptr) {
        return false;
    }
    variable->get_handler = handler;
    variable->data = row;
    return true;
}

ngx_int_t get(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t data) {
    RenditionRequest* request = RenditionRequest::of(r);
    value->not_found = 1;
    if (request == nullptr) {
        return NGX_OK;
    }
    return set(r, value, variables[data].print(*request));
}

}  // namespace

ngx_int_t add_variables(ngx_conf_t* cf) {
    for (std::size_t i = 0; i < variables.size(); ++i) {
        if (!declare(cf, variables[i].name, guard<get>, i)) {
            return NGX_ERROR;
        }
    }
    for (std::size_t i = 0; i < fetch_variables.size(); ++i) {
        if (!declare(cf, fetch_variables[i].name, guard<get_fetch>, i)) {
            return NGX_ERROR;
        }
    }
    for (const TokenVariable& row : token_variables) {
        if (!declare(cf, row.name, row.get, 0, row.flags)) {
            return NGX_ERROR;
        }
    }
    return NGX_OK;
}

}  // namespace media
