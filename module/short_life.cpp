#include "module/short_life.h"

#include <algorithm>
#include <string>

#include "core/share/freshness.h"
#include "module/answer.h"
#include "module/config.h"
#include "module/guard.h"
#include "module/rendition_request.h"

namespace media {

namespace {

ngx_http_output_header_filter_pt next_header_filter;

void remove_answer_header(ngx_http_request_t* r, std::string_view name) noexcept {
    for (ngx_list_part_t* part = &r->headers_out.headers.part; part != nullptr; part = part->next) {
        auto* fields = static_cast<ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            if (fields[i].key.len == name.size() &&
                ngx_strncasecmp(fields[i].key.data, str(name).data, name.size()) == 0) {
                fields[i].hash = 0;
            }
        }
    }
}

ngx_int_t header_filter(ngx_http_request_t* r) {
    const auto* request =
        static_cast<const RenditionRequest*>(ngx_http_get_module_ctx(r, ngx_http_media_module));
    if (request == nullptr || r != r->main || request->report().stand_in == StandIn::none ||
        r->headers_out.status >= NGX_HTTP_BAD_REQUEST) {
        return next_header_filter(r);
    }
    const std::string control =
        shortened(answer_header(r, "Cache-Control"), location_config(r)->avif_behind->lifetime,
                  age_of(answer_header(r, "Age")));
    for (const std::string_view name : {"Cache-Control", "Expires", "Age"}) {
        remove_answer_header(r, name);
    }
    const ngx_str_t value = copy(r->pool, control);
    if (value.data == nullptr || add_header(r, "Cache-Control", view(value)) == nullptr) {
        return NGX_ERROR;
    }
    return next_header_filter(r);
}

ngx_int_t install(ngx_conf_t* /*cf*/) {
    next_header_filter = ngx_http_top_header_filter;
    ngx_http_top_header_filter = guard<header_filter>;
    return NGX_OK;
}

ngx_http_module_t context = {
    nullptr, guard<install>, nullptr, nullptr, nullptr, nullptr, nullptr, nullptr,
};

}  // namespace

}  // namespace media

extern "C" {

ngx_module_t ngx_http_media_short_life_filter_module = {
    NGX_MODULE_V1, &media::context, nullptr, NGX_HTTP_MODULE, nullptr, nullptr,
    nullptr,       nullptr,         nullptr, nullptr,         nullptr, NGX_MODULE_V1_PADDING,
};
}
