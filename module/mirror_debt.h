// What Redis still has to be told of records.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "module/ngx.h"
#include "module/redis_service.h"

namespace media {

/// Commands that Redis did not take, tried again until it does: the last one for each key. They live as long
/// as the worker. Belongs to the event loop.
class MirrorDebt {
  public:
    explicit MirrorDebt(RedisService& service) noexcept;
    MirrorDebt(const MirrorDebt&) = delete;
    MirrorDebt& operator=(const MirrorDebt&) = delete;
    ~MirrorDebt();

    /// Nothing that is owed for `key` is true any more.
    void forget(const std::string& key) { owed_.erase(key); }

    void owe(const std::string& key, const std::string& command);

  private:
    void pay();
    void on_paid(const std::string& key, const std::string& command, bool taken);
    static void on_timer(ngx_event_t* event);

    RedisService& service_;
    std::map<std::string, std::string, std::less<>> owed_;  ///< commands, by key
    std::shared_ptr<RedisCall> call_;                       ///< for the first of them
    ngx_event_t timer_{};
    bool complained_ = false;  ///< about what was dropped
};

}  // namespace media
