// The records of stores in Redis, where every machine sees them.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/store/record.h"
#include "module/redis_service.h"

namespace media {

/// `<prefix>record:{<key>}` holds a record as its file does, `<prefix>source:{<hex SHA-256 of a URL>}` the
/// key of what it gave. Both stay until they are removed. Part of an object in the pool of a request; belongs
/// to the event loop. One thing at a time.
class RecordMirror {
  public:
    RecordMirror() = default;
    RecordMirror(const RecordMirror&) = delete;
    RecordMirror& operator=(const RecordMirror&) = delete;
    ~RecordMirror() { close(); }

    using Done = std::function<void()>;
    using Found = std::function<void(Result<Record>)>;

    /// Stores records; `done` is called when Redis has them or its time is over. False where there is nothing
    /// to wait for.
    bool store(RedisService& service, const std::vector<Record>& records, Done done);

    /// Removes a record and what leads to it; likewise.
    bool remove(RedisService& service, const Record& record, Done done);

    /// Looks a record up; `found` gets it, or 404. False where Redis is not to be had.
    bool find(RedisService& service, std::string_view key, Found found);
    bool find_by_source(RedisService& service, std::string_view url, Found found);

  private:
    void open(RedisService& service) noexcept;
    void close() noexcept;
    void set(const std::string& key, std::string_view value);
    void del(const std::string& key);
    void send(const std::string& key, const std::string& command);
    bool get(std::string key, std::function<void(std::string_view)> then);
    bool waits();

    RedisService* service_ = nullptr;
    std::vector<std::shared_ptr<RedisCall>> calls_;  ///< all that were sent
    std::size_t open_ = 0;                           ///< that have not ended
    Done done_;
    Found found_;
};

}  // namespace media
