// A purge on its way, as a request that has asked for it waits for it.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "module/ngx.h"
#include "module/purge_table.h"
#include "module/purge_writer.h"
#include "module/redis_connection.h"

namespace media {

/// It takes effect in the memory that all workers share, it is written down, others are told, and then who
/// has asked. From the first of these on nothing takes it back. Part of an object in the pool of a request;
/// belongs to the event loop.
class Purging {
  public:
    enum class Outcome : std::uint8_t {
        done,       ///< everywhere
        untold,     ///< here; others are told when Redis can be reached again
        unwritten,  ///< here, but a restart forgets it
    };

    explicit Purging(ngx_http_request_t* r) noexcept : r_(r) {}
    Purging(const Purging&) = delete;
    Purging& operator=(const Purging&) = delete;
    ~Purging() { forget(); }

    /// `done` is called once, from within start() or later on the loop.
    void start(const PurgeScope& scope, std::function<void(Outcome)> done);

  private:
    void write_down();
    void on_written(int error);
    void announce();
    void on_announced(bool announced);
    void finish(Outcome outcome);
    void forget() noexcept;
    static void on_timer(ngx_event_t* event);

    ngx_http_request_t* r_;
    std::function<void(Outcome)> done_;
    std::vector<PurgeRecord> records_;
    std::shared_ptr<PurgeWrite> write_;  ///< under way
    std::shared_ptr<RedisCall> call_;    ///< likewise
    ngx_event_t timer_{};                ///< ends the wait, and keeps a retiring worker alive
};

}  // namespace media
