// Writes keys to Redis, alone or a cluster: a client that waits, for a tool.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/share/cluster.h"

struct redisContext;

namespace media {

struct RedisLogin {
    NodeAddress address;  ///< port 0: `host` is the path of a socket
    std::string user, password;
    int db = 0;
};

/// Reads `host:port`, `[v6]:port` or `unix:/path`. Error 400.
Result<NodeAddress> read_redis_address(std::string_view text);

/// Sends many keys ahead of their answers, follows a cluster's MOVED and ASK.
class RedisWriter {
  public:
    explicit RedisWriter(RedisLogin login) : login_(std::move(login)) {}

    /// Error: what Redis says, or why it cannot be reached. Keys go out in batches, so it may be that of one
    /// before.
    Status set(std::string key, std::string value);

    /// All keys are written when this returns without an error.
    Status finish();

  private:
    struct Free {
        void operator()(redisContext* context) const noexcept;
    };
    using Connection = std::unique_ptr<redisContext, Free>;
    struct Entry {
        std::string key, value;
        int redirects = 0;
    };
    struct Node {
        Connection connection;
        std::vector<Entry> waiting;
    };
    using NodeName = std::pair<std::string, std::uint16_t>;

    Node& node(const NodeAddress& address);
    void connect(Node& node, const NodeAddress& address);
    void send(const NodeAddress& address, Entry entry, bool asking);
    void settle(const NodeAddress& address);
    void redirect(Entry entry, const NodeAddress& from, const Redirect& to);

    RedisLogin login_;
    std::map<NodeName, Node> nodes_;
    std::map<std::uint16_t, NodeAddress> slots_;  ///< those that do not lie where the first node is
};

}  // namespace media
