// Looking over a whole store, as its operator does now and then.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "core/store/record.h"

namespace media {

/// Told of what is wrong: a name below the store, and what is the matter with it.
using Report = std::function<void(const std::string& name, std::string_view what)>;

struct Audit {
    std::uint64_t originals = 0;  ///< looked at
    std::uint64_t wrong = 0;      ///< reports
};

/// Reads every original and holds it against its record; looks for what has no record, is no original, or
/// leads nowhere. Changes nothing; what others publish or delete meanwhile is not reported. Takes as long as
/// it takes to read the store. Error where the store cannot be read.
Result<Audit> audit(const std::string& root, const Report& report) noexcept;

/// Calls `use` with each record whose original is there, in order of keys, until it returns an error, which
/// is returned.
Status each_record(const std::string& root, const std::function<Status(const Record& record)>& use) noexcept;

/// Makes the index of sources what the records say: adds what is missing, removes what leads nowhere.
Status rebuild_index(const std::string& root) noexcept;

}  // namespace media
