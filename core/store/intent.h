// Files of .incoming that say what somebody is about to do with a key.
#pragma once

#include <string>
#include <string_view>

#include "core/store/record.h"
#include "core/store/shard.h"
#include "core/store/store.h"

namespace media::intent {

/// What stands between the key and the unique part of an intent's name. Whoever makes one holds the lock of
/// the key's folder as long as it is there: behind a lock that is free, its maker is dead.
inline constexpr std::string_view publish = ".json.";     ///< holds the record to be
inline constexpr std::string_view remove = ".deleted.";   ///< holds the record that was
inline constexpr std::string_view reject = ".rejected.";  ///< holds the record to be, in .rejected

/// Makes what `url` leads to known before the record is, so that no record goes without.
void index_sources(const std::string& root, const Record& record);

/// Ends a removal whose intent lies at `path`: original and index go, `hook` is called, and the intent goes
/// where that says so. Error of the hook.
Status finish_removal(const std::string& root, const Shard& shard, const Record& record,
                      const std::string& path, const Store::Hook& hook);

/// Removes what may be an original of `key`: all that is known when its record is not.
void unlink_originals(const Shard& shard, std::string_view key);

}  // namespace media::intent
