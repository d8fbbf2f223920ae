// Asking a location of nginx for something where there is no client.
#pragma once

#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "module/ngx.h"

namespace media {

/// What is asked.
struct OwnCallContent {
    std::string uri;   ///< begins with "/"
    std::string args;  ///< without the question mark
    /// Names in lower case, as HTTP/2 has them.
    std::vector<std::pair<std::string, std::string>> fields;
    std::optional<Bytes> body;  ///< POST; GET without one
};

/// Asks a location of `server`, as a subrequest of a request of our own: no access check is made, as for any
/// subrequest. `done` is called exactly once, on the event loop, with the status of the answer, perhaps
/// before this returns; 0 where there was no room for the request or no answer. It is not called when the
/// worker ends meanwhile. `action` ("while ..." in the log) lives for ever.
void call_location(const ngx_http_core_srv_conf_t* server, const char* action, OwnCallContent content,
                   const std::function<void(ngx_uint_t status)>& done);

}  // namespace media
