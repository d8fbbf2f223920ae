#include "core/share/purge_index.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <new>

#include "core/base/hash.h"

namespace media {

namespace {

constexpr std::uint64_t second = 1'000'000;

std::uint32_t seconds_of(std::uint64_t now) noexcept {
    return static_cast<std::uint32_t>(std::max<std::uint64_t>(1, now / second));
}

constexpr std::uint32_t bit_of(PurgeKind kind) noexcept {
    return 1U << static_cast<unsigned>(kind);
}

/// Calls `visit` with the lengths up to `most` whose bit is set, rising.
template <class Lengths, class Visit>
void each_length(const Lengths& lengths, std::size_t most, Visit visit) {
    for (std::size_t word = 0; word <= most / 64; ++word) {
        std::uint64_t bits = lengths[word].load(std::memory_order_acquire);
        for (; bits != 0; bits &= bits - 1) {
            const std::size_t length = word * 64 + static_cast<std::size_t>(std::countr_zero(bits));
            if (length > most) {
                return;
            }
            visit(length);
        }
    }
}

void append(std::vector<std::uint8_t>& bytes, const PurgeDigest& scope, std::uint64_t generation) {
    bytes.insert(bytes.end(), scope.begin(), scope.end());
    for (unsigned shift = 0; shift < 64; shift += 8) {
        bytes.push_back(static_cast<std::uint8_t>(generation >> shift));
    }
}

}  // namespace

PurgeIndex* PurgeIndex::make(void* memory, std::size_t slots) noexcept {
    auto* index = new (memory) PurgeIndex();
    index->mask_ = slots - 1;
    return index;
}

std::vector<PurgeDigest> PurgeIndex::scopes_of(std::string_view server, std::string_view path,
                                               std::span<const std::string> presets) const {
    std::vector<PurgeDigest> scopes;
    const std::uint32_t kinds = present_.kinds.load(std::memory_order_acquire);
    const auto add = [&](PurgeKind kind, std::string_view text, std::string_view preset) {
        scopes.push_back(purge_digest(kind, server, text, preset));
    };
    if ((kinds & bit_of(PurgeKind::original)) != 0) {
        add(PurgeKind::original, path, {});
    }
    const std::size_t most = std::min(path.size(), longest_purge_prefix);
    if ((kinds & bit_of(PurgeKind::prefix)) != 0) {
        each_length(present_.prefixes, most,
                    [&](std::size_t length) { add(PurgeKind::prefix, path.substr(0, length), {}); });
    }
    for (const std::string& preset : presets) {
        if ((kinds & bit_of(PurgeKind::original_preset)) != 0) {
            add(PurgeKind::original_preset, path, preset);
        }
        if ((kinds & bit_of(PurgeKind::prefix_preset)) != 0) {
            each_length(present_.preset_prefixes, most, [&](std::size_t length) {
                add(PurgeKind::prefix_preset, path.substr(0, length), preset);
            });
        }
    }
    return scopes;
}

std::string PurgeIndex::generations(std::span<const PurgeDigest> scopes, std::uint64_t now) {
    mend(now);
    std::vector<std::uint8_t> found;
    if (const std::uint64_t all = floor(); all != 0) {
        append(found, PurgeRecord::everything(all).scope, all);
    }
    for (const PurgeDigest& scope : scopes) {
        if (const Slot* slot = find(scope); slot != nullptr) {
            append(found, scope, slot->generation);
        }
    }
    return found.empty() ? std::string{} : hex(sha256(found), 16);
}

PurgeRecord PurgeIndex::purge(const PurgeScope& scope, std::uint64_t now, std::uint32_t lifetime) {
    const PurgeRecord record = PurgeRecord::of(scope, std::max(now, latest_ + 1));
    merge(record, now, lifetime);
    return record;
}

bool PurgeIndex::merge(const PurgeRecord& record, std::uint64_t now, std::uint32_t lifetime) {
    mend(now);
    latest_ = std::max(latest_, record.generation);
    if (record.kind == PurgeKind::everything) {
        if (record.generation <= floor()) {
            return false;
        }
        floor_.store(record.generation, std::memory_order_release);
        any_.store(1, std::memory_order_release);
        return true;
    }
    Slot* slot = place_of(record.scope);
    if (slot->learned != 0) {
        if (slot->generation >= record.generation) {
            return false;
        }
        slot->learned = seconds_of(now);
        std::atomic_ref(slot->generation).store(record.generation, std::memory_order_release);
        return true;
    }
    const std::size_t slots_there = mask_ + 1;
    if ((size() + 1) * 10 > slots_there * 7) {
        make_room(now, lifetime);
    }
    insert({record.scope, record.generation, seconds_of(now), record.length, record.kind});
    return true;
}

void PurgeIndex::raise_floor(std::uint64_t now) noexcept {
    latest_ = std::max(now, latest_ + 1);
    floor_.store(latest_, std::memory_order_release);
    any_.store(1, std::memory_order_release);
    refill({});
}

void PurgeIndex::drop_expired(std::uint64_t now, std::uint32_t lifetime) {
    mend(now);
    std::vector<Slot> kept;
    kept.reserve(size());
    const std::uint32_t time = seconds_of(now);
    for (std::size_t i = 0; i <= mask_; ++i) {
        const Slot& slot = slots()[i];
        // What was learned in the future was learned before the clock was set back.
        if (slot.learned != 0 && (slot.learned > time || time - slot.learned <= lifetime)) {
            kept.push_back(slot);
        }
    }
    refill(kept);
}

std::vector<PurgeRecord> PurgeIndex::recent(std::uint32_t since) const {
    std::vector<PurgeRecord> records;
    if (const std::uint64_t all = floor(); all != 0) {
        records.push_back(PurgeRecord::everything(all));
    }
    for (std::size_t i = 0; size() > 0 && i <= mask_; ++i) {
        const Slot& slot = slots()[i];
        if (slot.learned != 0 && slot.learned >= since) {
            records.push_back({slot.scope, slot.generation, slot.kind, slot.length});
        }
    }
    return records;
}

const PurgeIndex::Slot* PurgeIndex::find(const PurgeDigest& scope) const noexcept {
    const Slot* slot = const_cast<PurgeIndex*>(this)->place_of(scope);
    return slot->learned != 0 ? slot : nullptr;
}

/// The slot that holds the scope, or the free one that would. There is always one: see merge().
PurgeIndex::Slot* PurgeIndex::place_of(const PurgeDigest& scope) noexcept {
    std::uint64_t at = 0;
    std::memcpy(&at, scope.data(), sizeof(at));
    for (;; ++at) {
        Slot& slot = slots()[at & mask_];
        if (slot.learned == 0 || slot.scope == scope) {
            return &slot;
        }
    }
}

void PurgeIndex::Present::add(PurgeKind kind, std::uint16_t length) noexcept {
    if (kind == PurgeKind::prefix || kind == PurgeKind::prefix_preset) {
        Lengths& lengths = kind == PurgeKind::prefix ? prefixes : preset_prefixes;
        lengths[length / 64U].fetch_or(std::uint64_t{1} << (length % 64U), std::memory_order_release);
    }
    kinds.fetch_or(bit_of(kind), std::memory_order_release);
}

void PurgeIndex::Present::become(const Present& other) noexcept {
    const auto take = [](auto& to, const auto& from) {
        to.store(from.load(std::memory_order_relaxed), std::memory_order_release);
    };
    for (std::size_t i = 0; i < prefixes.size(); ++i) {
        take(prefixes[i], other.prefixes[i]);
        take(preset_prefixes[i], other.preset_prefixes[i]);
    }
    take(kinds, other.kinds);
}

/// Whoever dies in the middle leaves a record that is whole or not there.
void PurgeIndex::insert(const Slot& slot) noexcept {
    Slot* place = place_of(slot.scope);
    place->scope = slot.scope;
    place->generation = slot.generation;
    place->length = slot.length;
    place->kind = slot.kind;
    present_.add(slot.kind, slot.length);
    any_.store(1, std::memory_order_release);
    if (const std::uint32_t first = oldest(); first == 0 || slot.learned < first) {
        oldest_.store(slot.learned, std::memory_order_relaxed);
    }
    used_.fetch_add(1, std::memory_order_release);
    std::atomic_ref(place->learned).store(slot.learned, std::memory_order_release);
}

void PurgeIndex::refill(std::span<const Slot> kept) noexcept {
    std::atomic_ref(filling_).store(1, std::memory_order_seq_cst);
    used_.store(0, std::memory_order_relaxed);
    oldest_.store(0, std::memory_order_relaxed);
    for (std::size_t i = 0; i <= mask_; ++i) {
        if (slots()[i].learned != 0) {
            slots()[i] = {};
        }
    }
    Present present;
    for (const Slot& slot : kept) {
        insert(slot);
        present.add(slot.kind, slot.length);
    }
    present_.become(present);
    any_.store(kept.empty() && floor() == 0 ? 0 : 1, std::memory_order_release);
    std::atomic_ref(filling_).store(0, std::memory_order_seq_cst);
}

void PurgeIndex::make_room(std::uint64_t now, std::uint32_t lifetime) {
    drop_expired(now, lifetime);
    if (size() * 2 > mask_) {
        raise_floor(now);
    }
}

/// Somebody died in the middle of refill(): what is lost is not known.
void PurgeIndex::mend(std::uint64_t now) noexcept {
    if (std::atomic_ref(filling_).load(std::memory_order_seq_cst) != 0) {
        raise_floor(now);
    }
}

}  // namespace media
