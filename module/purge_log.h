// The file that remembers purges over restarts: one line each, only ever appended to, shared by all workers
// and, while a new binary takes over, by two masters. No function here knows nginx; those that wait for the
// disk say where they may be called.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

#include "core/share/purge_record.h"

namespace media {

/// Up to where a log was read. A log of another inode was written anew.
struct PurgeLogPosition {
    std::uint64_t inode = 0;
    std::uint64_t offset = 0;
};

struct PurgeLogPart {
    std::vector<PurgeRecord> records;
    std::size_t damaged = 0;    ///< lines that were skipped
    PurgeLogPosition position;  ///< behind the last whole line
    int error = 0;              ///< errno of what stopped the reading; 0: all was read
};

/// Reads what stands behind `from`, or all where the log was written anew since. A log that does not exist is
/// empty. Pool thread, or the master at start.
PurgeLogPart read_purge_log(const std::string& path, PurgeLogPosition from);

/// Appends `lines` and waits until they are on the disk. Makes the log and its folder where they are missing.
/// 0 or an errno; after an error the log is as before, or the lines may or may not survive. Pool thread.
int append_purge_log(const std::string& path, const std::string& lines) noexcept;

/// Writes the log anew: `live`, and what was appended behind `known`. Leaves a log alone that is not the one
/// that `known` speaks of. `written` is then the position behind what was known. 0 or an errno. Pool thread.
int rewrite_purge_log(const std::string& path, PurgeLogPosition known, const std::vector<PurgeRecord>& live,
                      PurgeLogPosition& written);

}  // namespace media
