// The purges that are in force, in a block of memory that several processes share.
#pragma once

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/share/purge_record.h"

namespace media {

/// A hash of purge records over memory that starts as zeros and is touched only where it is used. What is not
/// said to be free of locks needs the caller's lock, which may be taken from a process that died with it: a
/// purge is never lost by that, at worst everything is purged.
///
/// It never refuses a record. When it is 70 % full, records whose lifetime is over go; where that leaves it
/// more than half full, the floor is raised, which purges everything, and all records go.
class PurgeIndex {
  public:
    /// Of a block that holds `slots` slots, a power of two.
    static constexpr std::size_t bytes_for(std::size_t slots) noexcept;

    /// Lays an index out in `memory`, which holds bytes_for(slots) zeros and is aligned for any type.
    static PurgeIndex* make(void* memory, std::size_t slots) noexcept;

    /// No lock: whether nothing was ever purged, or all of it is over.
    bool empty() const noexcept { return any_.load(std::memory_order_acquire) == 0; }

    /// No lock: the scopes that a rendition of an original made with `presets` (sorted, each once) belongs
    /// to, as far as there may be purges of that kind; always in the same order.
    std::vector<PurgeDigest> scopes_of(std::string_view server, std::string_view path,
                                       std::span<const std::string> presets) const;

    /// What of `scopes` and of everything was purged, as a short text; empty where nothing was. Two texts are
    /// equal exactly if no purge lies between them.
    std::string generations(std::span<const PurgeDigest> scopes, std::uint64_t now);

    /// The record of a purge at `now` (microseconds of Unix time), later than all that are known, merged.
    PurgeRecord purge(const PurgeScope& scope, std::uint64_t now, std::uint32_t lifetime);

    /// Merges a record that is learned `now`; it will be kept for `lifetime` seconds. True if it was new.
    bool merge(const PurgeRecord& record, std::uint64_t now, std::uint32_t lifetime);

    /// Purges everything, for ever, and forgets all records.
    void raise_floor(std::uint64_t now) noexcept;

    /// Drops what was learned more than `lifetime` seconds before `now`.
    void drop_expired(std::uint64_t now, std::uint32_t lifetime);

    /// No lock: Unix time at which the oldest record was learned; 0 where there is none.
    std::uint32_t oldest() const noexcept { return oldest_.load(std::memory_order_relaxed); }

    /// No lock: the number of records.
    std::size_t size() const noexcept { return used_.load(std::memory_order_relaxed); }

    /// No lock: the generation of the last raise of the floor, 0 without.
    std::uint64_t floor() const noexcept { return floor_.load(std::memory_order_acquire); }

    /// All records that were learned at `since` (Unix time) or later, the floor among them if there is one.
    std::vector<PurgeRecord> recent(std::uint32_t since) const;

  private:
    struct Slot {
        PurgeDigest scope;
        std::uint64_t generation;
        std::uint32_t learned;  ///< Unix time; 0: free
        std::uint16_t length;
        PurgeKind kind;
    };
    static_assert(sizeof(Slot) == 32);
    using Lengths = std::array<std::atomic<std::uint64_t>, (longest_purge_prefix + 1) / 64>;

    /// Which records may be there, for those who look without a lock: never less than there are.
    struct Present {
        std::atomic<std::uint32_t> kinds{0};  ///< bits, by PurgeKind
        Lengths prefixes{};                   ///< bits, by the length of a prefix
        Lengths preset_prefixes{};            ///< likewise, of prefixes of one preset

        void add(PurgeKind kind, std::uint16_t length) noexcept;
        void become(const Present& other) noexcept;
    };

    Slot* slots() noexcept { return reinterpret_cast<Slot*>(this + 1); }
    const Slot* slots() const noexcept { return reinterpret_cast<const Slot*>(this + 1); }
    const Slot* find(const PurgeDigest& scope) const noexcept;
    Slot* place_of(const PurgeDigest& scope) noexcept;
    void insert(const Slot& slot) noexcept;
    void refill(std::span<const Slot> kept) noexcept;
    void make_room(std::uint64_t now, std::uint32_t lifetime);
    void mend(std::uint64_t now) noexcept;

    std::uint64_t mask_ = 0;
    std::uint64_t latest_ = 0;           ///< highest generation ever seen
    std::uint32_t filling_ = 0;          ///< refill() has begun and not ended
    std::atomic<std::uint32_t> any_{0};  ///< there is a record or a floor
    std::atomic<std::uint32_t> oldest_{0};
    std::atomic<std::uint64_t> used_{0};
    std::atomic<std::uint64_t> floor_{0};
    Present present_;
};

constexpr std::size_t PurgeIndex::bytes_for(std::size_t slots) noexcept {
    return sizeof(PurgeIndex) + slots * sizeof(Slot);
}

}  // namespace media
