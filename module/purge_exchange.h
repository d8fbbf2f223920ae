// Purges between machines, through a stream in Redis.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "module/purge_table.h"
#include "module/purge_writer.h"
#include "module/redis_service.h"

namespace media {

/// Announces purges to the machines that share `service`: one XADD each. Null where Redis is not to be had
/// now; else `done` is called once, later, with whether Redis has them, unless the call is cancelled.
std::shared_ptr<RedisCall> announce_purges(RedisService& service, const PurgeTable& table,
                                           std::span<const PurgeRecord> records,
                                           std::function<void(bool announced)> done);

/// What one worker of a machine does for all: it reads what the others announce, and announces what of this
/// machine's purges the stream lacks, because Redis could not be reached or has lost its memory since. It
/// begins to read at the beginning whenever one of that may have happened: records are merged any number of
/// times. Belongs to the event loop.
class PurgeExchange {
  public:
    PurgeExchange(RedisService& service, PurgeTable& table, PurgeWriter& writer);
    PurgeExchange(const PurgeExchange&) = delete;
    PurgeExchange& operator=(const PurgeExchange&) = delete;
    ~PurgeExchange();

  private:
    void begin_anew() noexcept;
    void poll();
    void on_read(std::span<RespReply> replies);
    std::size_t take(RespValue entries);
    void tell_missing();
    void out_of_touch() noexcept;
    void keep_in_touch();
    void wait(ngx_msec_t time);
    static void on_timer(ngx_event_t* event);

    RedisService& service_;
    PurgeTable& table_;
    PurgeWriter& writer_;
    std::shared_ptr<RedisCall> call_;
    ngx_event_t timer_{};
    std::string cursor_;  ///< the last entry of the stream that was read
    std::string epoch_;   ///< of Redis' memory: another one means that it was lost
    bool in_touch_ = false;
    bool comparing_ = true;  ///< the stream is read from its beginning, to find out what it lacks
    ngx_atomic_uint_t untold_ = 0;
    std::map<PurgeDigest, std::uint64_t> told_;  ///< generations seen while comparing
    std::vector<PurgeRecord> missing_;
    time_t touched_ = 0;
};

}  // namespace media
