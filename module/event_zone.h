// What all workers of a machine know of events.
#pragma once

#include <cstdint>
#include <string_view>

#include "module/ngx.h"

namespace media {

/// A zone of shared memory, kept over reloads: a bell that says that an event was written down, and which
/// originals have failed to be rendered of late.
class EventZone {
  public:
    /// Adds the zone to the configuration that is being read. Null where nginx refuses.
    static EventZone* declare(ngx_conf_t* cf);

    /// An event has been written down. Any thread.
    void ring() noexcept { static_cast<void>(ngx_atomic_fetch_add(&shared_->rings, 1)); }
    ngx_atomic_uint_t rings() const noexcept { return shared_->rings; }

    /// Whether nobody was told within the last hour that the original of this key failed; notes that somebody
    /// is told now. Some thousand originals are remembered; of more the oldest are forgotten.
    bool note_failure(std::string_view key) noexcept;

  private:
    static constexpr std::size_t sets = 1024;
    static constexpr std::size_t ways = 4;
    struct Failure {
        std::uint64_t digest;
        std::uint64_t time;
    };
    struct Shared {
        ngx_atomic_t rings;
        Failure failures[sets][ways];
    };

    static ngx_int_t init(ngx_shm_zone_t* zone, void* old);

    Shared* shared_ = nullptr;
    ngx_slab_pool_t* pool_ = nullptr;
};

}  // namespace media
