// Events that wait to be delivered: one file each, in a folder of the store.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/fd.h"
#include "core/base/result.h"
#include "core/share/event.h"

namespace media {

/// An event in an outbox. The name of its file says all that is needed to put events in order, and to whom
/// this one has been delivered: "<id>-<key>[.<sink>]....json". Ids sort as the events happened.
struct Waiting {
    std::string id;
    std::string key;
    std::vector<std::string> delivered;  ///< names of sinks: up to 16 digits of lower-case hex

    bool delivered_to(std::string_view sink) const noexcept;
    std::string file() const;
    static bool parse(std::string_view file, Waiting& waiting);
};

/// The outbox of a store. Every function waits for the disk: to be called in threads of a pool only. Any
/// number of threads and processes may add; one at a time delivers (claim()). Errors are those of Store.
class Outbox {
  public:
    /// `store` exists.
    explicit Outbox(std::string store) : store_(std::move(store)) {}

    /// Gives the event its id and its time and writes it down; it is on the disk when this returns. Ids rise
    /// in the order of calls, also where the clock goes back. Error 422 where the event has no key.
    Status add(Event event) const noexcept;

    /// The right to deliver, which lasts as long as the descriptor is open; no descriptor: another has it.
    Result<Fd> claim() const noexcept;

    /// All that waits, oldest first, but for what is being written at the moment.
    Result<std::vector<Waiting>> list() const noexcept;

    /// The JSON of an event; 404 where it is gone.
    Result<std::string> read(const Waiting& waiting) const noexcept;

    /// Notes that `waiting` is delivered to `sinks` too.
    Status mark(Waiting& waiting, const std::vector<std::string>& sinks) const noexcept;

    /// It is delivered to all. Fine where it is gone already.
    Status remove(const Waiting& waiting) const noexcept;

    /// It is damaged: it is kept under a name that list() does not know.
    Status set_aside(const Waiting& waiting) const noexcept;

  private:
    Fd open_folder() const;

    std::string store_;
};

}  // namespace media
