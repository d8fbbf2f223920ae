// In which order, and when, one receiver is told of events. No clock, no network: whoever drives it says what
// time it is.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <tuple>

namespace media {

/// Events of one key are sent one after another, each until it is delivered; other keys go on meanwhile. What
/// fails is tried again after a pause that doubles each time. While the receiver fails altogether, only one
/// event at a time is tried.
class DeliveryQueue {
  public:
    using Time = std::uint64_t;  ///< milliseconds

    struct Terms {
        std::size_t width = 4;          ///< events under way at once
        Time first_pause = 1000;        ///< of a key whose event has failed, and of all keys together
        Time longest_pause = 300'000;   ///< of a key
        Time longest_silence = 10'000;  ///< of all keys together: what never failed finds out who is back
    };

    struct Item {
        std::string id;
        std::string key;
    };

    explicit DeliveryQueue(Terms terms) : terms_(terms) {}

    /// Ids sort as the events happened. False where it is there already.
    bool add(const std::string& id, const std::string& key);

    /// The event to send now, which is under way from here on. Nothing: see due().
    std::optional<Item> next(Time now);

    /// When next() may have something, as far as is known now; nothing where that depends on what is under
    /// way.
    std::optional<Time> due() const;

    void delivered(const Item& item);

    /// It could not be delivered. `alone`: the receiver is well and refuses this one.
    void failed(const Item& item, Time now, bool alone);

    /// What waits or is under way.
    std::size_t size() const noexcept { return size_; }
    std::size_t under_way() const noexcept { return under_way_; }
    /// The receiver has failed altogether, and has not taken anything since.
    bool failing() const noexcept { return pause_ != 0; }

  private:
    struct Lane {
        std::set<std::string> ids;
        Time due = 0;
        Time pause = 0;
        std::uint64_t round = 0;
        bool busy = false;
    };
    using Lanes = std::map<std::string, Lane>;

    void enqueue(const Lanes::iterator& lane);
    Time longer(Time pause, Time longest) const noexcept;
    bool full() const noexcept { return under_way_ >= (failing() ? 1 : terms_.width); }

    Terms terms_;
    Lanes lanes_;
    /// Lanes that are not busy: due, their oldest event, key.
    std::set<std::tuple<Time, std::string, std::string>> ready_;
    Time closed_until_ = 0;
    Time pause_ = 0;
    std::uint64_t round_ = 0;  ///< of failures: what was sent before one fails with it
    std::size_t size_ = 0;
    std::size_t under_way_ = 0;
};

}  // namespace media
