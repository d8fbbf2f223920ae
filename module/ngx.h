// The only door to nginx' headers.
#pragma once

extern "C" {
#include <ngx_config.h>
#include <ngx_core.h>
#include <ngx_event.h>
#include <ngx_http.h>
}

#include <string_view>

extern "C" ngx_module_t ngx_http_media_module;

namespace media {

/// A view of an nginx string, which has no terminating NUL.
inline std::string_view view(const ngx_str_t& text) noexcept {
    return {reinterpret_cast<const char*>(text.data), text.len};
}

/// An nginx string over `text`, which must outlive it.
inline ngx_str_t str(std::string_view text) noexcept {
    return {text.size(), reinterpret_cast<u_char*>(const_cast<char*>(text.data()))};
}

/// A copy of `text` in `pool`, with a NUL behind it; data is null where memory has run out.
inline ngx_str_t copy(ngx_pool_t* pool, std::string_view text) noexcept {
    auto* data = static_cast<u_char*>(ngx_pnalloc(pool, text.size() + 1));
    if (data == nullptr) {
        return {0, nullptr};
    }
    ngx_memcpy(data, text.data(), text.size());
    data[text.size()] = '\0';
    return {text.size(), data};
}

}  // namespace media
