// The order in which waiting work is begun. Knows no clock and no thread: whoever asks says what time it is.
#pragma once

#include <algorithm>
#include <cstddef>
#include <deque>
#include <map>
#include <optional>
#include <utility>
#include <vector>

namespace media {

/// How dear work gives way to cheap work. All in seconds.
struct FairTerms {
    /// Work is treated as if it had come later by so many times its own cost ...
    double yielding = 4;
    /// ... but never by more than this: what comes later still comes after it, whatever it costs.
    double longest = 4;
    /// What costs no more is cheap.
    double cheap = 0.03;
};

/// Work waits in one of four lanes: what is urgent, in order; what nobody knows the cost of yet, as it came;
/// what is cheap and what is dear, by the moment from which on it is due. An Item is no pair.
template <class Item>
class FairQueue {
  public:
    FairQueue() = default;
    explicit FairQueue(FairTerms terms) : terms_(terms) {}

    /// What is to be begun, and whether its cost is to be found out before: it then comes back by put().
    struct Turn {
        Item item;
        double arrived = 0;
        bool unseen = false;
    };

    void put_first(Item item) { urgent_.push_back(std::move(item)); }
    void put_unseen(Item item, double arrived) { unseen_.emplace(arrived, std::move(item)); }
    /// Without a cost it is due when it came, but is not cheap.
    void put(Item item, double arrived, std::optional<double> cost) {
        const double delay = std::min(terms_.yielding * cost.value_or(0), terms_.longest);
        Lane& lane = cost && *cost <= terms_.cheap ? cheap_ : dear_;
        lane.emplace(arrived + delay, Waiting{std::move(item), arrived});
    }

    std::size_t size() const { return urgent_.size() + unseen_.size() + cheap_.size() + dear_.size(); }
    bool empty() const { return size() == 0; }

    /// Whether next_cheap() has something.
    bool has_cheap() const { return !(urgent_.empty() && unseen_.empty() && cheap_.empty()); }

    /// The next of all. What waits alone is not unseen: there is nothing to compare it
    /// with.
    std::optional<Turn> next() {
        if (auto turn = take_urgent()) {
            return turn;
        }
        const bool alone = size() == 1;
        Lane* first = nullptr;
        for (Lane* lane : {&cheap_, &dear_}) {
            if (!lane->empty() && (first == nullptr || lane->begin()->first < first->begin()->first)) {
                first = lane;
            }
        }
        if (!unseen_.empty() && (first == nullptr || unseen_.begin()->first <= first->begin()->first)) {
            return take_unseen(!alone);
        }
        return first != nullptr ? take(*first) : std::nullopt;
    }

    /// The next for one who does nothing that is dear.
    std::optional<Turn> next_cheap() {
        if (auto turn = take_urgent()) {
            return turn;
        }
        if (!unseen_.empty()) {
            return take_unseen(true);
        }
        return cheap_.empty() ? std::nullopt : take(cheap_);
    }

    /// Whether `wanted` says yes to anything that waits.
    template <class Wanted>
    bool contains(Wanted&& wanted) const {
        return visit(*this, [&](auto& /*lane*/, auto place) { return wanted(item_of(*place)); });
    }

    /// Takes out the first that `wanted` says yes to, of all lanes.
    template <class Wanted>
    std::optional<Item> take_if(Wanted&& wanted) {
        std::optional<Item> taken;
        visit(*this, [&](auto& lane, auto place) { return take_place(lane, place, wanted, taken); });
        return taken;
    }

    /// The same of what is cheap.
    template <class Wanted>
    std::optional<Item> take_cheap_if(Wanted&& wanted) {
        std::optional<Item> taken;
        for (auto place = cheap_.begin(); place != cheap_.end(); ++place) {
            if (take_place(cheap_, place, wanted, taken)) {
                break;
            }
        }
        return taken;
    }

    void clear() {
        urgent_.clear();
        unseen_.clear();
        cheap_.clear();
        dear_.clear();
    }

  private:
    struct Waiting {
        Item item;
        double arrived = 0;
    };
    using Lane = std::multimap<double, Waiting>;  // by when it is due; what is due at once, in order

    template <class Entry>
    static auto& item_of(Entry& entry) {
        if constexpr (requires { entry.second.item; }) {
            return entry.second.item;
        } else if constexpr (requires { entry.second; }) {
            return entry.second;
        } else {
            return entry;
        }
    }

    /// Until `stop` returns true, which is then returned.
    template <class Self, class Stop>
    static bool visit(Self& self, Stop&& stop) {
        const auto walk = [&stop](auto& lane) {
            for (auto place = lane.begin(); place != lane.end(); ++place) {
                if (stop(lane, place)) {
                    return true;
                }
            }
            return false;
        };
        return walk(self.urgent_) || walk(self.unseen_) || walk(self.cheap_) || walk(self.dear_);
    }

    template <class Any, class Place, class Wanted>
    static bool take_place(Any& lane, Place place, Wanted& wanted, std::optional<Item>& taken) {
        if (!wanted(std::as_const(item_of(*place)))) {
            return false;
        }
        taken.emplace(std::move(item_of(*place)));
        lane.erase(place);
        return true;
    }

    std::optional<Turn> take_urgent() {
        if (urgent_.empty()) {
            return std::nullopt;
        }
        Turn turn{std::move(urgent_.front())};
        urgent_.pop_front();
        return turn;
    }

    std::optional<Turn> take_unseen(bool unseen) {
        const auto place = unseen_.begin();
        Turn turn{std::move(place->second), place->first, unseen};
        unseen_.erase(place);
        return turn;
    }

    std::optional<Turn> take(Lane& lane) {
        const auto place = lane.begin();
        Turn turn{std::move(place->second.item), place->second.arrived};
        lane.erase(place);
        return turn;
    }

    FairTerms terms_;
    std::deque<Item> urgent_;
    std::multimap<double, Item> unseen_;  // by arrival
    Lane cheap_, dear_;
};

}  // namespace media
