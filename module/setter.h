// What the functions that read directives have in common.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "module/config.h"

namespace media {

inline char* const ok = NGX_CONF_OK;
inline char duplicate[] = "is duplicate";
inline constexpr char one_source[] =
    "a location has one of \"media_root\", \"media_pass\", \"media_fetch\" and \"media_upload\"";

inline char* fail() noexcept {
    return static_cast<char*>(NGX_CONF_ERROR);
}

/// The directive's name and what follows it.
inline ngx_str_t* arguments(const ngx_conf_t* cf) noexcept {
    return static_cast<ngx_str_t*>(cf->args->elts);
}

/// What follows the directive's name.
inline std::span<const ngx_str_t> values(const ngx_conf_t* cf) noexcept {
    return {arguments(cf) + 1, cf->args->nelts - 1};
}

/// Where the directive stands.
inline Place place_of(const ngx_conf_t* cf) {
    return {cf->conf_file == nullptr ? std::string{} : std::string{view(cf->conf_file->file.name)},
            cf->conf_file == nullptr ? 0 : cf->conf_file->line};
}

/// A text with variables; null where it is malformed, which is then reported.
inline ngx_http_complex_value_t* compile(ngx_conf_t* cf, ngx_str_t* text) noexcept {
    auto* value =
        static_cast<ngx_http_complex_value_t*>(ngx_pcalloc(cf->pool, sizeof(ngx_http_complex_value_t)));
    if (value == nullptr) {
        return nullptr;
    }
    ngx_http_compile_complex_value_t compilation{};
    compilation.cf = cf;
    compilation.value = text;
    compilation.complex_value = value;
    return ngx_http_compile_complex_value(&compilation) == NGX_OK ? value : nullptr;
}

/// One key of a directive, from `key=HEX` or `key=file:PATH`; what is wrong is reported, without the key.
/// False where it is wrong or where `value` is something else.
bool read_key_option(ngx_conf_t* cf, const ngx_str_t& value, std::vector<SigningKey>& keys);

}  // namespace media
