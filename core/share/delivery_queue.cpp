#include "core/share/delivery_queue.h"

#include <algorithm>

namespace media {

void DeliveryQueue::enqueue(const Lanes::iterator& lane) {
    ready_.emplace(lane->second.due, *lane->second.ids.begin(), lane->first);
}

DeliveryQueue::Time DeliveryQueue::longer(Time pause, Time longest) const noexcept {
    return std::min(pause == 0 ? terms_.first_pause : pause * 2, longest);
}

bool DeliveryQueue::add(const std::string& id, const std::string& key) {
    const auto lane = lanes_.try_emplace(key).first;
    Lane& events = lane->second;
    if (!events.busy && !events.ids.empty()) {
        ready_.erase({events.due, *events.ids.begin(), key});
    }
    const bool added = events.ids.insert(id).second;
    size_ += added ? 1 : 0;
    if (!events.busy) {
        enqueue(lane);
    }
    return added;
}

std::optional<DeliveryQueue::Item> DeliveryQueue::next(Time now) {
    if (ready_.empty() || full() || now < closed_until_ || now < std::get<0>(*ready_.begin())) {
        return std::nullopt;
    }
    const auto [due, id, key] = *ready_.begin();
    ready_.erase(ready_.begin());
    Lane& lane = lanes_.find(key)->second;
    lane.busy = true;
    lane.round = round_;
    ++under_way_;
    return Item{id, key};
}

std::optional<DeliveryQueue::Time> DeliveryQueue::due() const {
    if (ready_.empty() || full()) {
        return std::nullopt;
    }
    return std::max(closed_until_, std::get<0>(*ready_.begin()));
}

void DeliveryQueue::delivered(const Item& item) {
    const auto lane = lanes_.find(item.key);
    lane->second.busy = false;
    lane->second.pause = 0;
    lane->second.due = 0;
    lane->second.ids.erase(item.id);
    --under_way_;
    --size_;
    pause_ = 0;
    closed_until_ = 0;
    if (lane->second.ids.empty()) {
        lanes_.erase(lane);
    } else {
        enqueue(lane);
    }
}

void DeliveryQueue::failed(const Item& item, Time now, bool alone) {
    const auto lane = lanes_.find(item.key);
    Lane& events = lane->second;
    events.busy = false;
    events.pause = longer(events.pause, terms_.longest_pause);
    events.due = now + events.pause;
    --under_way_;
    enqueue(lane);
    if (alone) {
        pause_ = 0;  // it is there
        closed_until_ = 0;
    } else if (events.round == round_) {
        ++round_;
        pause_ = longer(pause_, terms_.longest_silence);
        closed_until_ = now + pause_;
    }
}

}  // namespace media
