// The purges in force, as all workers know them.
#pragma once

#include <ctime>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/share/purge_index.h"
#include "core/share/purge_record.h"
#include "module/ngx.h"
#include "module/purge_log.h"

namespace media {

struct Worker;

/// A purge deletes nothing: it changes the cache keys of what it is about, so that no worker finds the old
/// entries from that moment on. They leave the disk as what nobody asks for does.
///
/// The table is a shared memory zone, kept over reloads; a log keeps it over restarts. One object for each
/// configuration, which lives as long as that. Functions belong to the event loop unless they say otherwise.
class PurgeTable {
  public:
    /// Adds the zone to the configuration that is being read. `log` is where purges are written down, empty
    /// for nowhere; `lifetime` is for how many seconds at most an old entry may lie in a cache that nobody
    /// asks for it. Null where nginx refuses.
    static PurgeTable* declare(ngx_conf_t* cf, std::string log, time_t lifetime);

    PurgeTable(std::string log, time_t lifetime) : log_(std::move(log)) { outlive(lifetime); }

    /// Keeps records for at least that many seconds, for another cache that holds entries so long. While the
    /// configuration is read.
    void outlive(time_t lifetime) noexcept;

    /// What to add to the cache key of a rendition made with `presets` of the original at `path`; empty where
    /// no purge concerns it.
    std::string generations(std::string_view server, std::string_view path,
                            std::span<const std::string> presets);

    /// Purges, in this machine's memory. What is to be written down and told to others: the purge itself, and
    /// behind it, where the table was full, one of everything.
    std::vector<PurgeRecord> purge(const PurgeScope& scope);

    /// Takes over purges of a log or of other machines; those that were not known here yet.
    std::vector<PurgeRecord> merge(std::span<const PurgeRecord> records);

    /// What was purged here or learned of at `since` (Unix time) or later, for others to catch up.
    std::vector<PurgeRecord> recent(time_t since) const;

    /// Drops records that are over, if there may be any; cheap otherwise.
    void tidy();

    const std::string& log() const noexcept { return log_; }
    std::uint32_t lifetime() const noexcept { return lifetime_; }
    std::size_t size() const noexcept { return shared_->index.size(); }

    /// Counts the purges of which this machine could not tell others.
    ngx_atomic_uint_t untold() const noexcept { return shared_->untold; }
    void note_untold() noexcept { static_cast<void>(ngx_atomic_fetch_add(&shared_->untold, 1)); }

    /// For a machine that hears of others' purges: they keep entries for `ttl` seconds. While the
    /// configuration is read.
    void share(time_t ttl) noexcept {
        outlive(ttl);
        shares_ = true;
    }

    /// The file whose time says until when this machine has heard of all purges.
    static std::string heard_file(const std::string& log) { return log + ".heard"; }

    /// Up to where the log was merged.
    PurgeLogPosition position() const noexcept;
    void set_position(PurgeLogPosition position) noexcept;

    /// Whether the log was at another place before the last reload, and lacks what is in force.
    bool log_moved() const noexcept { return shared_->moved != 0; }
    void set_log_moved(bool moved) noexcept { shared_->moved = moved ? 1 : 0; }

  private:
    struct Shared {
        PurgeLogPosition position;
        std::uint32_t moved;
        ngx_atomic_t untold;
        PurgeIndex index;  ///< its slots behind it
    };
    class Lock;

    static ngx_int_t init(ngx_shm_zone_t* zone, void* old);
    ngx_int_t make(ngx_slab_pool_t* pool);
    void load(ngx_log_t* log);
    void note_floor(std::uint64_t before, ngx_log_t* log) const noexcept;

    std::string log_;
    std::uint32_t lifetime_ = 0;
    bool shares_ = false;  ///< with other machines
    Shared* shared_ = nullptr;
    ngx_slab_pool_t* pool_ = nullptr;
};

/// What the worker that looks after the log remembers.
struct PurgeWatch {
    ngx_event_t timer{};
    bool busy = false;           ///< a thread is at it
    time_t not_before = 0;       ///< after a failure
    PurgeLogPosition looked_at;  ///< inode and size at the last reading
};

/// Starts to look, in one worker of each master, for purges that another master wrote down, and to keep the
/// log small.
void schedule_purge_watch(const ngx_cycle_t* cycle, PurgeTable* table, Worker& worker);

}  // namespace media
