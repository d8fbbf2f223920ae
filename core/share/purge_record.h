// What a purge is called: scopes, and the line that stands for a purge in a log and between machines.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace media {

enum class PurgeKind : std::uint8_t { everything, original, original_preset, prefix, prefix_preset };

using PurgeDigest = std::array<std::uint8_t, 16>;

/// Longest prefix, in bytes, that is told from others; longer ones are cut, which purges more.
inline constexpr std::size_t longest_purge_prefix = 4095;

/// What a purge is about.
struct PurgeScope {
    std::string_view server;  ///< as in cache keys; no other server is touched
    std::string_view path;    ///< URI of an original, or what the URIs begin with
    std::string_view preset;  ///< only renditions made with it; empty: all
    bool prefix = false;      ///< whether `path` is a prefix
};

/// The first 16 bytes of a SHA-256 over kind, server, path and preset, each with its length before it.
/// Fewer than 2^64 scopes do not collide in practice.
PurgeDigest purge_digest(PurgeKind kind, std::string_view server, std::string_view path,
                         std::string_view preset);

/// One purge: whoever knows its scope knows from the generation whether it has heard of it. Records are
/// merged by taking the highest generation of each scope, in any order, any number of times.
struct PurgeRecord {
    PurgeDigest scope{};
    std::uint64_t generation = 0;  ///< microseconds of Unix time, or more where clocks went back
    PurgeKind kind = PurgeKind::original;
    std::uint16_t length = 0;  ///< of the prefix in bytes; 0 for other kinds

    bool operator==(const PurgeRecord&) const = default;

    /// The record of a scope that was purged at `generation`.
    static PurgeRecord of(const PurgeScope& scope, std::uint64_t generation);

    static PurgeRecord everything(std::uint64_t generation);

    /// One line of printable ASCII without its end: version, kind, length, scope, generation, checksum.
    std::string to_text() const;
    std::string to_line() const { return to_text() + '\n'; }

    /// Nothing for a line that is damaged or of another version.
    static std::optional<PurgeRecord> from_text(std::string_view line);
};

/// Appends the records of all whole lines of `text` to `records` and counts the lines that are damaged.
/// Returns how many bytes it has read: what comes behind the last line end is not finished yet.
std::size_t read_purge_lines(std::string_view text, std::vector<PurgeRecord>& records, std::size_t& damaged);

}  // namespace media
