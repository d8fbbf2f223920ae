// PURGE: dropping renditions before their time.
#pragma once

#include "module/ngx.h"

namespace media {

/// Whether a request is a PURGE in a location that answers it.
bool asks_for_purge(const ngx_http_request_t* r) noexcept;

/// Answers it; a content handler.
ngx_int_t purge_handler(ngx_http_request_t* r);

}  // namespace media
