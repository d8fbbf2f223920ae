// What one worker process holds while it lives.
#pragma once

#include <map>
#include <memory>
#include <string>

#include "core/picture/watermark.h"
#include "core/rendition/known_queries.h"
#include "module/behind.h"
#include "module/event_dispatch.h"
#include "module/hot_files.h"
#include "module/mirror_debt.h"
#include "module/purge_exchange.h"
#include "module/purge_table.h"
#include "module/purge_writer.h"
#include "module/redis_service.h"
#include "module/render_pool.h"
#include "module/slow_originals.h"
#include "module/thumbnails.h"

namespace media {

struct MainConfig;

/// When the stores are looked after next.
struct MendingWatch {
    ngx_event_t timer{};
    ngx_uint_t times = 0;
    bool busy = false;  ///< a thread is at it
};

struct Worker {
    RenderPool pool;
    std::map<std::string, std::shared_ptr<Watermark>, std::less<>> watermarks;
    HotFiles hot_files;
    KnownQueries queries;  ///< by LocationConfig
    Behind behind;
    SlowOriginals slow_originals;
    std::map<const RedisConfig*, std::unique_ptr<RedisService>> redis;
    std::map<const RedisService*, std::unique_ptr<MirrorDebt>> mirror_debts;  ///< of each
    ngx_event_t sweep{};
    ngx_event_t tidy{};
    ngx_event_t fonts{};
    MendingWatch mending;
    PurgeWriter purge_writer{pool};
    Thumbnails thumbnails;
    PurgeWatch purge_watch;
    std::vector<std::unique_ptr<PurgeExchange>> purge_exchanges;      ///< of one worker
    std::vector<std::unique_ptr<EventDispatcher>> event_dispatchers;  ///< likewise

    /// Keeps a cache file open for the next hits, and closes it when they stop.
    void keep_hot(std::shared_ptr<HotFile> file);
};

/// This process' worker; null outside of worker processes and where no location serves renditions.
Worker* worker() noexcept;

/// nginx' hooks.
ngx_int_t start_worker(ngx_cycle_t* cycle);
void stop_worker(ngx_cycle_t* cycle);

/// Removes what killed workers left in the caches of `main`, in a pool thread, once in a while after the
/// start.
void schedule_sweep(const ngx_cycle_t* cycle, MainConfig* main, Worker& worker);

/// Ends, in a pool thread, what killed workers had begun in the stores of `main`: often after the start, then
/// once in a while.
void schedule_mending(const ngx_cycle_t* cycle, MainConfig* main, Worker& worker);

}  // namespace media
