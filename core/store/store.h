// Originals on disk, each with its record.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/store/incoming.h"
#include "core/store/record.h"

namespace media {

/// A folder of originals. The same bytes are stored once; whatever is stored outlives a crash of the machine
/// whole, with its record, or not at all.
///
/// Every function waits for the disk and for others that work on the same key: to be called in threads of a
/// pool only. All are safe among threads, and among processes of one machine that have the folder on a file
/// system with flock() and hard links. Errors have no path in them: 507 where the disk is full, 500 where the
/// store does not work, with `cause`.
class Store {
  public:
    /// Called under the key's lock, once all is on disk and before anyone is told. `created`: the record is
    /// new; otherwise the same bytes were there before. An error undoes a record that is new.
    using PublishHook = std::function<Status(const Record& record, bool created)>;

    /// Likewise for what was removed or rejected. An error undoes nothing: mend() calls again until it is
    /// none.
    using Hook = std::function<Status(const Record& record)>;

    /// `path` exists, and is the same for all who use the store; what lies in it is made on demand.
    explicit Store(std::string path) : path_(std::move(path)) {}

    const std::string& path() const noexcept { return path_; }

    /// Takes a file in, of at most `limit` bytes.
    Result<Incoming> begin(std::uint64_t limit) const noexcept;

    struct Published {
        Record record;  ///< the one that is stored: of the first who sent these bytes
        bool created;
    };

    /// Stores what has come in (finish() is called where it was not). Of `facts`, the type, the size, the
    /// pages, the source, the subject and the claims count; all else is found out here. Where the same bytes
    /// are stored already, that record stays as it is, but `facts.source` leads to it from now on. Errors 422
    /// where `facts` make no record, and what `hook` says.
    Result<Published> publish(Incoming&& file, Record facts, const PublishHook& hook = {}) const noexcept;

    /// The record of a key. Errors: 404 where there is none, where its original is gone, or where this is no
    /// key; 422 where the record is damaged: storing the same bytes again, or remove(), puts an end to that.
    Result<Record> find(std::string_view key) const noexcept;

    /// The record of what `url` gave last. Error 404.
    Result<Record> find_by_source(std::string_view url) const noexcept;

    /// Removes an original with its record and all that leads to it. What it returns knows no more than the
    /// key, extension and type where the record was damaged or gone. Error 404.
    Result<Record> remove(std::string_view key, const Hook& hook = {}) const noexcept;

    struct Page {
        std::vector<Record> records;  ///< in order of their keys
        std::string next;             ///< `after` of the next page; empty: this is the last one
    };

    /// At most `limit` records (at least 1) whose keys come after `after`, which is a key or empty: 400
    /// otherwise. Damaged ones are left out. Looks at no more folders than it takes.
    Result<Page> list(std::string_view after, std::size_t limit) const noexcept;

    /// Puts away what has come in, with its record and `reason`, where it is not served.
    Status reject(Incoming&& file, Record facts, std::string_view reason,
                  const Hook& hook = {}) const noexcept;

    /// Ends what others were about when they died: completes it or takes it back, and calls the hook that
    /// they may not have come to call (for some a second time). Looks at what is unfinished only, so it takes
    /// no longer in a large store. Returns the first error, but goes on with the rest.
    Status mend(const PublishHook& published = {}, const Hook& removed = {},
                const Hook& rejected = {}) const noexcept;

  private:
    std::string path_;
};

}  // namespace media
