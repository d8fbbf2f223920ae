#include "module/fetch_config.h"

#include "core/base/hash.h"
#include "module/guard.h"
#include "module/setter.h"

namespace media {

FetchConfig* read_fetch(ngx_conf_t* cf) {
    constexpr std::string_view allow = "allow=";
    constexpr std::string_view timeout = "timeout=";
    if (values(cf).size() < 2) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"%V\" needs a URI prefix and an allow=", &arguments(cf)[0]);
        return nullptr;
    }
    FetchConfig fetch;
    ngx_str_t* prefix = &arguments(cf)[1];
    if (prefix->len == 0 || (prefix->data[0] != '/' && prefix->data[0] != '$')) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI prefix, it must begin with \"/\", \"%V\" in \"%V\"", prefix,
                           &arguments(cf)[0]);
        return nullptr;
    }
    bool timed = false;
    for (const ngx_str_t& value : values(cf).subspan(1)) {
        if (view(value).starts_with(timeout) && !timed) {
            ngx_str_t text = str(view(value).substr(timeout.size()));
            const ngx_int_t time = ngx_parse_time(&text, 0);
            if (time == NGX_ERROR || time == 0) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid time in \"%V\"", &value);
                return nullptr;
            }
            fetch.timeout = static_cast<ngx_msec_t>(time);
            timed = true;
            continue;
        }
        if (!view(value).starts_with(allow) || !fetch.allow.add(view(value).substr(allow.size()))) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                               "invalid parameter \"%V\", expected allow=host[:port], allow=*.domain[:port], "
                               "allow=*[:port] or one timeout=time",
                               &value);
            return nullptr;
        }
    }
    if (fetch.allow.empty()) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" needs an allow=", &arguments(cf)[0]);
        return nullptr;
    }
    fetch.prefix = compile(cf, prefix);
    if (fetch.prefix == nullptr) {
        return nullptr;
    }
    fetch.fingerprint = hex(sha256(bytes_of(fetch.allow.text())), 8);
    Place place = place_of(cf);
    fetch.file = std::move(place.file);
    fetch.line = place.line;
    return make_in_pool<FetchConfig>(cf->pool, std::move(fetch));
}

bool has_resolver(ngx_conf_t* cf, const FetchConfig& fetch, std::string_view directive) {
    const auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    if (!fetch.allow.names_hosts() || (core->resolver != nullptr && core->resolver->connections.nelts > 0)) {
        return true;
    }
    const ngx_str_t name = str(directive);
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "\"%V\" needs a \"resolver\" to look up hosts in %s:%ui", &name,
                  fetch.file.c_str(), fetch.line);
    return false;
}

}  // namespace media
