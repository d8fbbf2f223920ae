// media_presign: links that let their holder upload once.
#pragma once

#include <cstdint>
#include <vector>

#include "core/access/presign.h"
#include "module/ngx.h"

namespace media {

/// What an upload location says about links.
struct PresignConfig {
    std::vector<SigningKey> keys;  ///< the first one signs, any of them will do
    std::int64_t max_age = 600;    ///< seconds
};

/// The setter of media_presign.
char* set_presign(ngx_conf_t* cf, ngx_command_t* command, void* conf);

/// Answers `POST <upload>/presign` with a link. Returns as a content handler.
ngx_int_t presign_handler(ngx_http_request_t* r);

/// Whether a request uploads through a link, good or not.
bool comes_with_link(const ngx_http_request_t* r) noexcept;

/// The terms of that link. 403 where it was altered; its time is not looked at.
Result<PresignTerms> link_of(const ngx_http_request_t* r) noexcept;

}  // namespace media
