// Where originals may be fetched from, and through which location (media_fetch, media_upload_fetch).
#pragma once

#include <string>

#include "core/access/target.h"
#include "module/ngx.h"

namespace media {

struct FetchConfig {
    ngx_http_complex_value_t* prefix = nullptr;  ///< URI of the location that asks
    AllowList allow;
    ngx_msec_t timeout = 60'000;  ///< for one original, redirects and all
    std::string fingerprint;      ///< of the list, for cache keys
    std::string file;             ///< where the directive stands
    ngx_uint_t line = 0;
};

/// From a directive's arguments; null where they are wrong, which is then reported.
FetchConfig* read_fetch(ngx_conf_t* cf);

/// Whether the location has the resolver that its hosts need; reported where not.
bool has_resolver(ngx_conf_t* cf, const FetchConfig& fetch, std::string_view directive);

}  // namespace media
