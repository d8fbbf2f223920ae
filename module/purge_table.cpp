#include "module/purge_table.h"

#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <limits>

#include "module/guard.h"

namespace media {

namespace {

constexpr std::size_t table_slots = std::size_t{1} << 18U;  // of 32 bytes
constexpr std::size_t zone_overhead = 256U << 10U;          // nginx' own at its start

// Zones of media_cache_path cannot have such a name.
constexpr std::string_view zone_name = "media:purges";
char zone_tag;

/// Old entries may lie longer than they should by what the cache manager is behind.
constexpr std::uint32_t manager_delay = 3600;

std::uint64_t now() noexcept {
    using std::chrono::duration_cast, std::chrono::microseconds, std::chrono::system_clock;
    return static_cast<std::uint64_t>(
        duration_cast<microseconds>(system_clock::now().time_since_epoch()).count());
}

}  // namespace

class PurgeTable::Lock {
  public:
    explicit Lock(ngx_slab_pool_t* pool) noexcept : pool_(pool) { ngx_shmtx_lock(&pool_->mutex); }
    Lock(const Lock&) = delete;
    Lock& operator=(const Lock&) = delete;
    ~Lock() { ngx_shmtx_unlock(&pool_->mutex); }

  private:
    ngx_slab_pool_t* pool_;
};

PurgeTable* PurgeTable::declare(ngx_conf_t* cf, std::string log, time_t lifetime) {
    auto* table = make_in_pool<PurgeTable>(cf->pool, std::move(log), lifetime);
    ngx_str_t name = str(zone_name);
    constexpr std::size_t size = PurgeIndex::bytes_for(table_slots) + sizeof(Shared) + zone_overhead;
    ngx_shm_zone_t* zone = ngx_shared_memory_add(cf, &name, size, &zone_tag);
    if (table == nullptr || zone == nullptr) {
        return nullptr;
    }
    zone->init = guard<&PurgeTable::init>;
    zone->data = table;
    return table;
}

void PurgeTable::outlive(time_t lifetime) noexcept {
    constexpr time_t most = std::numeric_limits<std::int32_t>::max() - static_cast<time_t>(manager_delay);
    const auto time = static_cast<std::uint32_t>(std::clamp<time_t>(lifetime, 0, most));
    lifetime_ = std::max(lifetime_, time + manager_delay);
}

std::string PurgeTable::generations(std::string_view server, std::string_view path,
                                    std::span<const std::string> presets) {
    if (shared_->index.empty()) {
        return {};
    }
    const std::vector<PurgeDigest> scopes = shared_->index.scopes_of(server, path, presets);
    const Lock lock{pool_};
    return shared_->index.generations(scopes, now());
}

std::vector<PurgeRecord> PurgeTable::purge(const PurgeScope& scope) {
    std::vector<PurgeRecord> records;
    records.reserve(2);
    const std::uint64_t before = shared_->index.floor();
    {
        const Lock lock{pool_};
        records.push_back(shared_->index.purge(scope, now(), lifetime_));
    }
    if (const std::uint64_t floor = shared_->index.floor(); floor != before) {
        records.push_back(PurgeRecord::everything(floor));
        note_floor(before, ngx_cycle->log);
    }
    return records;
}

std::vector<PurgeRecord> PurgeTable::merge(std::span<const PurgeRecord> records) {
    std::vector<PurgeRecord> fresh;
    const std::uint64_t before = shared_->index.floor();
    {
        const Lock lock{pool_};
        for (const PurgeRecord& record : records) {
            if (shared_->index.merge(record, now(), lifetime_)) {
                fresh.push_back(record);
            }
        }
    }
    note_floor(before, ngx_cycle->log);
    return fresh;
}

std::vector<PurgeRecord> PurgeTable::recent(time_t since) const {
    const Lock lock{pool_};
    return shared_->index.recent(static_cast<std::uint32_t>(std::max<time_t>(since, 0)));
}

void PurgeTable::tidy() {
    const std::uint32_t oldest = shared_->index.oldest();
    // An hour's worth at a time.
    constexpr std::uint32_t slack = 3600;
    if (oldest != 0 && static_cast<std::uint64_t>(oldest) + lifetime_ + slack < now() / 1'000'000) {
        const Lock lock{pool_};
        shared_->index.drop_expired(now(), lifetime_);
    }
}

PurgeLogPosition PurgeTable::position() const noexcept {
    const Lock lock{pool_};
    return shared_->position;
}

void PurgeTable::set_position(PurgeLogPosition position) noexcept {
    const Lock lock{pool_};
    shared_->position = position;
}

ngx_int_t PurgeTable::init(ngx_shm_zone_t* zone, void* old) {
    auto* table = static_cast<PurgeTable*>(zone->data);
    table->pool_ = reinterpret_cast<ngx_slab_pool_t*>(zone->shm.addr);
    if (old != nullptr) {
        const auto* before = static_cast<PurgeTable*>(old);
        table->shared_ = before->shared_;
        if (before->log_ != table->log_) {
            table->set_position({});
            table->set_log_moved(true);
        }
        return NGX_OK;
    }
    if (zone->shm.exists != 0) {
        table->shared_ = static_cast<Shared*>(table->pool_->data);
        return NGX_OK;
    }
    if (table->make(table->pool_) != NGX_OK) {
        ngx_log_error(NGX_LOG_EMERG, zone->shm.log, 0, "media: no room for the table of purges");
        return NGX_ERROR;
    }
    table->load(zone->shm.log);
    return NGX_OK;
}

ngx_int_t PurgeTable::make(ngx_slab_pool_t* pool) {
    constexpr std::size_t size = offsetof(Shared, index) + PurgeIndex::bytes_for(table_slots);
    auto* memory = static_cast<u_char*>(ngx_slab_alloc(pool, size));
    if (memory == nullptr) {
        return NGX_ERROR;
    }
    // Fresh shared memory is zeros already; to write them would take real memory for all of it.
    shared_ = reinterpret_cast<Shared*>(memory);
    PurgeIndex::make(&shared_->index, table_slots);
    pool->data = shared_;
    return NGX_OK;
}

// nginx -t comes here too: nothing is written.
void PurgeTable::load(ngx_log_t* log) {
    if (log_.empty()) {
        return;
    }
    const PurgeLogPart part = read_purge_log(log_, {});
    PurgeIndex& index = shared_->index;
    const std::uint64_t before = index.floor();
    for (const PurgeRecord& record : part.records) {
        index.merge(record, now(), lifetime_);
    }
    struct stat heard {};
    if (shares_ && stat(heard_file(log_).c_str(), &heard) == 0 &&
        heard.st_mtime + static_cast<time_t>(lifetime_) < std::time(nullptr)) {
        // Others have forgotten by now what they purged meanwhile.
        index.raise_floor(now());
        ngx_log_error(
            NGX_LOG_WARN, log, 0,
            "media: too long out of touch with other machines, every cached rendition counts as purged");
    } else {
        note_floor(before, log);
    }
    shared_->position = part.position;
    if (part.damaged > 0) {
        ngx_log_error(NGX_LOG_WARN, log, 0, "media: skipped %uz damaged lines of \"%s\"", part.damaged,
                      log_.c_str());
    }
    if (part.error != 0) {
        // Which purges are in force is not known: all that could be.
        index.raise_floor(now());
        ngx_log_error(NGX_LOG_ERR, log, part.error,
                      "media: cannot read \"%s\", every cached rendition counts as purged", log_.c_str());
    }
}

void PurgeTable::note_floor(std::uint64_t before, ngx_log_t* log) const noexcept {
    if (shared_->index.floor() != before) {
        ngx_log_error(NGX_LOG_WARN, log, 0,
                      "media: too many purges to tell apart, every cached rendition was purged");
    }
}

}  // namespace media
