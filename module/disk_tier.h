// Renditions on disk: nginx' own file cache.
#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "module/cache_file.h"
#include "module/hot_files.h"
#include "module/ngx.h"
#include "module/stored_facts.h"

namespace media {

/// The cache of one request. Belongs to the event loop.
class DiskTier {
  public:
    enum class Outcome : std::uint8_t {
        hit,       ///< fresh: send()
        updating,  ///< stale, and somebody else renews it: send() or wait()
        expired,   ///< stale, and ours to renew; send() still works
        make,      ///< not there, and ours to make
        bypass,    ///< make it, but do not store it
        waiting,   ///< the request's write handler will be called: open() again
        refused,   ///< another's attempt has just failed: refusal()
        failed,    ///< for want of memory
    };

    /// A fresh entry from the files that are kept open: a hit, if true.
    bool open_hot(ngx_http_request_t* r, ngx_shm_zone_t* zone, const HotName& name) noexcept;
    /// After a hit: keeps its file open, if it is asked for often.
    void keep_hot(ngx_http_request_t* r, const HotName& name);

    /// Where the entry of that key is, or may be while the cache's loader is at work, for a thread; nothing
    /// where there is none. For the cache it has been used; the entry that `r` has open stays open.
    static std::string path_of(ngx_http_request_t* r, ngx_shm_zone_t* zone, std::string_view key);

    /// `key` is copied into the request's pool at the first call.
    Outcome open(ngx_http_request_t* r, ngx_shm_zone_t* zone, std::string_view key, ngx_msec_t lock_timeout);

    /// Facts of a hit; valid after hit, updating or expired.
    const StoredFacts& facts() const noexcept { return *facts_; }

    /// After `updating`: waits for the other. `waiting`, or `bypass` where the time to wait is over.
    Outcome wait(ngx_http_request_t* r);

    /// When a hit's, or a stale entry's, lifetime ends or has ended.
    static time_t valid_until(const ngx_http_request_t* r) noexcept { return r->cache->valid_sec; }

    /// Whether the last attempt to renew a stale entry failed.
    static bool failing(const ngx_http_request_t* r) noexcept;

    /// After `expired`: leaves the work to a request of this process that calls adopt() before its open().
    void hand_over(ngx_http_request_t* r) noexcept;
    void adopt() noexcept { adopts_ = true; }

    /// After `expired`: the attempt has failed. Nobody makes another before `pause` milliseconds are over.
    void rest(ngx_http_request_t* r) noexcept;
    static constexpr ngx_msec_t pause = 1000;

    /// After `expired`: the stored body, for a thread. Nothing when descriptors have run out.
    std::optional<StoredBody> stored(const ngx_http_request_t* r) const noexcept;

    /// Gives the place back and removes the entry; send() still works.
    void drop(ngx_http_request_t* r) noexcept;

    /// Sends the stored body with the headers that are set already; returns as ngx_http_output_filter.
    ngx_int_t send(ngx_http_request_t* r);

    /// True between make or expired and publish() or release().
    bool ours() const noexcept { return ours_; }

    /// Tells waiters in all processes that the work goes on; call at least every half `lease`.
    void renew(ngx_http_request_t* r) noexcept;
    static constexpr ngx_msec_t lease = 5000;  ///< after which a dead worker's place is taken

    CacheFile prepare(ngx_http_request_t* r);
    /// False where the file could not be written.
    bool publish(ngx_http_request_t* r, CacheFile file);

    /// Gives the place back; whoever waits is told the same status. Nothing is stored.
    void refuse(ngx_http_request_t* r, int status) noexcept;
    int refusal() const noexcept { return refusal_; }

    /// Gives the place back, nothing stored.
    void release(ngx_http_request_t* r) noexcept;

  private:
    static bool begin(ngx_http_request_t* r, ngx_shm_zone_t* zone) noexcept;
    static bool name(ngx_http_request_t* r, std::string_view key) noexcept;
    static void forget_refusal(ngx_http_request_t* r) noexcept;
    Outcome on_expired(ngx_http_request_t* r, bool busy) noexcept;
    bool read_facts(ngx_http_request_t* r) noexcept;

    const StoredFacts* facts_ = nullptr;  ///< in hot_ or in the pool
    std::shared_ptr<const HotFile> hot_;  ///< what the answer is read from, if kept open
    bool ours_ = false;
    bool adopts_ = false;  ///< what another request of this process has left to us
    int refusal_ = 0;
};

}  // namespace media
