// One Redis, or one Redis Cluster, as a worker sees it: nodes, their connections, which is well, and which
// holds a key. All of it belongs to the event loop.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "module/name_look_up.h"
#include "module/redis_config.h"
#include "module/redis_connection.h"

namespace media {

class RedisService;

/// What a reply may hold beside the object itself, in bytes.
inline constexpr std::size_t reply_overhead = std::size_t{1} << 20U;

/// One server and the connections to it.
class RedisNode final : public RedisConnectionOwner, public std::enable_shared_from_this<RedisNode> {
  public:
    RedisNode(RedisService& service, RedisAddress address);
    ~RedisNode() override;

    /// Begins to connect, and goes on trying.
    void start();
    void stop() noexcept;

    /// The connection to send on: a ready one, or one that is being made for the first time. Null: none.
    RedisConnection* pick() noexcept;
    bool ready() const noexcept;
    bool idle() const noexcept;
    const RedisAddress& address() const noexcept { return address_; }

    /// A call was not answered in time.
    void note_timeout();

    std::size_t greeting(std::string& batch) const override;
    std::string on_greeted(std::span<RespReply> replies) override;
    bool on_closed(const std::string& reason) override;
    void on_answered(const std::shared_ptr<RedisCall>& call) override;
    void on_retiring() override;

  private:
    void connect();
    void try_all(SocketAddresses addresses);
    void open_all();
    void try_later();
    void complain(const std::string& reason);
    static void on_retry(ngx_event_t* event);
    static void on_steady(ngx_event_t* event);
    static void on_naming(ngx_event_t* event);

    RedisService& service_;
    const RedisAddress address_;
    std::unique_ptr<NameLookUp> name_;  ///< while it is being looked up
    SocketAddresses addresses_;
    std::size_t address_at_ = 0;
    bool next_address_ = false;  ///< is about to be tried
    std::vector<std::unique_ptr<RedisConnection>> connections_;
    ngx_event_t retry_{};
    ngx_event_t steady_{};  ///< until it counts as well again
    ngx_event_t naming_{};
    ngx_msec_t pause_;
    int timeouts_ = 0;         ///< in a row
    bool failed_ = false;      ///< and not answered a greeting since
    bool complained_ = false;  ///< and not been well since
    bool stopped_ = false;
};

class RedisService {
  public:
    explicit RedisService(const RedisConfig& config);
    ~RedisService();
    RedisService(const RedisService&) = delete;
    RedisService& operator=(const RedisService&) = delete;

    const RedisConfig& config() const noexcept { return config_; }

    /// Sends `count` commands, all of whose keys lie in the slot of `key`. Null where Redis is not to be had
    /// now; else `done` is called exactly once, later, unless the call is cancelled, and at the latest after
    /// the configured timeout and `extra_time`. Commands may be sent twice where a cluster moves keys.
    std::shared_ptr<RedisCall> call(std::string key, std::string batch, std::size_t count,
                                    RedisCall::Done done, ngx_msec_t extra_time = 0);

    /// Redis refused to store something: said in the log once, until note_stored().
    void note_refusal(std::string_view error);
    void note_stored() noexcept { refused_ = false; }

    /// Requests that may still call.
    void enter() noexcept { ++users_; }
    void leave() noexcept { --users_; }

    /// The worker winds down: the connections are closed when nothing needs them any more.
    void retire();

    /// Nothing is sent any more; nobody is told.
    void stop() noexcept;

  private:
    friend class RedisNode;

    std::shared_ptr<RedisNode> node_at(RedisAddress address);
    RedisNode* node_for(std::string_view key);
    void answered(const std::shared_ptr<RedisCall>& call, const RedisNode& from);
    bool follow(const std::shared_ptr<RedisCall>& call, const Redirect& redirect, const RedisNode& from);
    void learn(const std::vector<SlotRange>& ranges, const RedisNode& from);
    static RedisAddress complete(NodeAddress address, const RedisNode& from);
    void look_again();
    static void on_retire(ngx_event_t* event);
    static void on_look(ngx_event_t* event);
    static void on_timeout(ngx_event_t* event);

    const RedisConfig& config_;
    std::map<std::string, std::shared_ptr<RedisNode>, std::less<>> nodes_;
    std::vector<RedisNode*> slots_;  ///< by slot; empty where it is no cluster
    ngx_event_t look_{};
    ngx_event_t retire_{};
    std::size_t looks_ = 0;
    std::size_t users_ = 0;
    bool refused_ = false;
    bool stopped_ = false;
};

}  // namespace media
