// Renewing a stale rendition behind the back of the client who has got it.
#pragma once

#include <string>

#include "module/ngx.h"

namespace media {

/// Starts a request of our own for what `r` asks for, which renews the entry and answers nobody. It is a
/// request like any other for everything that it calls, but for its connection, at whose other end is
/// nobody: the client's connection is free at once, and its end ends nothing. False where there is no room
/// for it.
bool refresh_behind(ngx_http_request_t* r) noexcept;

/// Likewise for a rendition that `r` has done without: a request of our own makes it, where threads are
/// spare, if it is still what would be looked for.
bool make_behind(ngx_http_request_t* r);

/// Likewise for a copy of the original, which is kept under `key`.
bool copy_behind(ngx_http_request_t* r, std::string key);

}  // namespace media
