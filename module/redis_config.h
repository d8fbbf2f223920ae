// What media_redis says.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/share/cluster.h"
#include "module/ngx.h"

namespace media {

/// Where a Redis listens: a Unix socket, or a host (name or address) with a port.
struct RedisAddress {
    std::string path;  ///< of a Unix socket; else empty
    NodeAddress node;

    std::string text() const;
};

/// One media_redis; equal ones share their connections.
struct RedisConfig {
    std::vector<RedisAddress> seeds;
    int db = 0;
    std::string user, password;
    std::string prefix = "media:";
    time_t ttl = 7 * 24 * 3600;
    std::size_t max_object = std::size_t{4} << 20U;
    ngx_msec_t timeout = 50;
    std::size_t pool = 2;  ///< connections of a worker to each node
    bool operator==(const RedisConfig& other) const;
};

/// Setter of media_redis.
char* set_redis(ngx_conf_t* cf, ngx_command_t* command, void* conf);

}  // namespace media
