// What the configuration says about events.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/access/signature.h"
#include "module/ngx.h"

namespace media {

struct LocationConfig;
struct RedisConfig;

/// media_notify: a location that is told of events.
struct NotifyConfig {
    std::string uri;
    std::string args;
    SigningKey key;  ///< empty: nothing is signed
};

/// Who is told of the events of one store: what the upload locations that lead to it say, together.
struct EventStore {
    struct Notified {
        const NotifyConfig* config;
        const ngx_http_core_srv_conf_t* server;  ///< in which its location is
        std::string identity;                    ///< of that server, the same after a restart
    };
    std::string path;  ///< absolute, without a slash at its end
    std::string url;   ///< what URLs of its originals begin with, as the first of its locations says
    std::vector<Notified> notified;
    std::vector<const RedisConfig*> redis;

    bool heard() const noexcept { return !notified.empty() || !redis.empty(); }
};

/// Setter of media_notify.
char* set_notify(ngx_conf_t* cf, ngx_command_t* command, void* conf);

/// Adds what a location with media_upload says, once all that it inherits is settled. False where nginx
/// refuses the zone that events need.
bool add_event_store(ngx_conf_t* cf, std::string_view path, const LocationConfig& conf);

}  // namespace media
