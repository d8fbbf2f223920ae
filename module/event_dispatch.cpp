#include "module/event_dispatch.h"

#include <algorithm>
#include <chrono>
#include <set>
#include <utility>

#include "module/guard.h"

namespace media {

namespace {

constexpr ngx_msec_t tick_period = 100;
constexpr ngx_msec_t claim_pause = 500;     ///< between two tries to get the right to deliver
constexpr ngx_msec_t trouble_pause = 5000;  ///< after the disk has failed
constexpr ngx_msec_t unasked_look = 1000;   ///< between two looks that no bell has caused
constexpr ngx_msec_t unasked_share = 50;    ///< likewise, in times of what one takes
constexpr ngx_msec_t look_share = 5;        ///< pause after a look, in times of what it took
constexpr ngx_msec_t hold_period = 1000;
// Of one sink, in memory. The others stay on the disk until there is room.
constexpr std::size_t most_waiting = 2000;

}  // namespace

class EventDispatcher::DiskWork final : public Task {
  public:
    DiskWork(EventDispatcher* dispatcher, const Outbox& outbox) : dispatcher_(dispatcher), outbox_(outbox) {}

    struct Settling {
        Waiting waiting;
        std::vector<std::string> sinks;
        bool over = false;  ///< delivered to all
        bool done = false;
    };
    struct Found {
        Waiting waiting;
        Letter letter;                   ///< empty where it is known
        std::vector<std::size_t> lanes;  ///< whose next events it is among
    };

    void work() noexcept override {
        try {
            settle();
            if (claiming) {
                claim();
            }
            if (looking && (!claiming || claimed)) {
                const auto before = std::chrono::steady_clock::now();
                look();
                took = static_cast<ngx_msec_t>(std::chrono::duration_cast<std::chrono::milliseconds>(
                                                   std::chrono::steady_clock::now() - before)
                                                   .count());
            }
        } catch (...) {
            trouble = "out of memory";
        }
    }
    void complete() noexcept override {
        try {
            dispatcher_->on_disk(*this);
        } catch (...) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "media: out of memory");
        }
    }
    void cancel() noexcept override {}

    // In
    std::vector<Settling> settling;
    bool claiming = false;
    bool looking = false;
    std::set<std::string> known;     ///< ids
    std::vector<std::string> sinks;  ///< all of them
    ngx_atomic_uint_t rings = 0;     ///< when it began

    // Out
    Fd claimed;
    std::vector<Found> found;
    std::vector<bool> more;  ///< for each sink: than could be taken
    ngx_msec_t took = 0;     ///< milliseconds, the looking
    std::string trouble;
    std::size_t damaged = 0;

  private:
    void settle() {
        for (Settling& one : settling) {
            const Status status =
                one.over ? outbox_.remove(one.waiting) : outbox_.mark(one.waiting, one.sinks);
            one.done = static_cast<bool>(status);
            if (!status) {
                trouble = status.error().detail;
            }
        }
    }

    void claim() {
        auto claim = outbox_.claim();
        if (!claim) {
            trouble = claim.error().detail;
            return;
        }
        claimed = std::move(*claim);
    }

    void look() {
        auto all = outbox_.list();
        if (!all) {
            trouble = all.error().detail;
            return;
        }
        std::vector<std::size_t> counts(sinks.size());
        more.resize(sinks.size());
        for (Waiting& waiting : *all) {
            bool over = true;
            std::vector<std::size_t> lanes;
            for (std::size_t i = 0; i < sinks.size(); ++i) {
                if (waiting.delivered_to(sinks[i])) {
                    continue;
                }
                over = false;
                if (counts[i]++ < most_waiting) {
                    lanes.push_back(i);
                } else {
                    more[i] = true;
                }
            }
            if (over) {  // those who lacked it are no longer told
                static_cast<void>(outbox_.remove(waiting));
            } else if (!lanes.empty()) {
                read(std::move(waiting), std::move(lanes));
            }
        }
    }

    void read(Waiting waiting, std::vector<std::size_t> lanes) {
        if (known.contains(waiting.id)) {
            found.push_back({std::move(waiting), {}, std::move(lanes)});
            return;
        }
        auto body = outbox_.read(waiting);
        if (!body) {
            trouble = body.error().detail;
            return;
        }
        std::string name = event_in(*body);
        if (name.empty()) {
            ++damaged;
            static_cast<void>(outbox_.set_aside(waiting));
            return;
        }
        Letter letter{.event = std::move(name), .key = waiting.key, .body = std::move(*body)};
        found.push_back({std::move(waiting), std::move(letter), std::move(lanes)});
    }

    EventDispatcher* dispatcher_;
    Outbox outbox_;
};

EventDispatcher::EventDispatcher(const std::string& store, std::vector<std::unique_ptr<EventSink>> sinks,
                                 const EventZone& zone, RenderPool& pool)
    : outbox_(store), title_(store), zone_(zone), pool_(pool) {
    for (auto& sink : sinks) {
        const DeliveryQueue::Terms terms = sink->terms();
        lanes_.push_back({std::move(sink), DeliveryQueue{terms}});
    }
    timer_.handler = guard<&EventDispatcher::on_tick>;
    timer_.data = this;
    timer_.log = ngx_cycle->log;
    timer_.cancelable = 1;
    hold_.handler = guard<&EventDispatcher::on_hold>;
    hold_.data = this;
    hold_.log = ngx_cycle->log;
    ngx_add_timer(&timer_, 1);
}

EventDispatcher::~EventDispatcher() {
    for (ngx_event_t* timer : {&timer_, &hold_}) {
        if (timer->timer_set != 0) {
            ngx_del_timer(timer);
        }
    }
}

void EventDispatcher::on_tick(ngx_event_t* event) {
    static_cast<EventDispatcher*>(event->data)->tick();
}

void EventDispatcher::on_hold(ngx_event_t* event) {
    static_cast<EventDispatcher*>(event->data)->hold();
}

void EventDispatcher::tick() {
    if (timer_.timer_set == 0) {
        ngx_add_timer(&timer_, tick_period);
    }
    look_after_disk();
    for (std::size_t i = 0; i < lanes_.size(); ++i) {
        pump(i);
    }
    hold();
}

// A worker that winds down begins nothing new, ends what it has begun, and lets its successor deliver.
void EventDispatcher::hold() {
    if (busy()) {
        if (hold_.timer_set == 0) {
            ngx_add_timer(&hold_, hold_period);
        }
        return;
    }
    if (hold_.timer_set != 0) {
        ngx_del_timer(&hold_);
    }
    if (ngx_exiting != 0) {
        claim_ = Fd();
        if (timer_.timer_set != 0) {
            ngx_del_timer(&timer_);
        }
    }
}

bool EventDispatcher::busy() const {
    return at_disk_ || (!settled_.empty() && !complained_) ||
           std::any_of(lanes_.begin(), lanes_.end(),
                       [](const Lane& lane) { return lane.queue.under_way() > 0; });
}

bool EventDispatcher::Entry::has(const std::string& sink) const noexcept {
    return waiting.delivered_to(sink) ||
           std::find(just_delivered.begin(), just_delivered.end(), sink) != just_delivered.end();
}

bool EventDispatcher::wants_look() const {
    const auto since = static_cast<ngx_msec_int_t>(ngx_current_msec - not_before_);
    if (ngx_exiting != 0 || since < 0) {
        return false;
    }
    return !claim_ || zone_.rings() != rings_ || since >= static_cast<ngx_msec_int_t>(unasked_) ||
           std::any_of(lanes_.begin(), lanes_.end(),
                       [](const Lane& lane) { return lane.more && lane.queue.size() < most_waiting / 2; });
}

void EventDispatcher::look_after_disk() {
    const bool looks = wants_look();
    const bool may_settle = !complained_ || static_cast<ngx_msec_int_t>(ngx_current_msec - not_before_) >= 0;
    if (at_disk_ || (!looks && (settled_.empty() || !may_settle))) {
        return;
    }
    auto work = std::make_unique<DiskWork>(this, outbox_);
    work->looking = looks;
    work->claiming = looks && !claim_;
    work->rings = zone_.rings();
    for (const Lane& lane : lanes_) {
        work->sinks.push_back(lane.sink->name());
    }
    for (const std::string& id : settled_) {
        Entry& entry = entries_.find(id)->second;
        entry.queued = false;
        entry.filed = true;
        const bool over = std::all_of(work->sinks.begin(), work->sinks.end(),
                                      [&entry](const std::string& sink) { return entry.has(sink); });
        work->settling.push_back({entry.waiting, std::exchange(entry.just_delivered, {}), over});
    }
    settled_.clear();
    if (looks) {
        for (const auto& [id, entry] : entries_) {
            work->known.insert(id);
        }
    }
    pool_.post_first(std::move(work));
    at_disk_ = true;
}

void EventDispatcher::on_disk(DiskWork& work) {
    at_disk_ = false;
    take(work);
    const bool trouble = !work.trouble.empty();
    if (trouble && !complained_) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "media: events of \"%s\": %s", title_.c_str(),
                      work.trouble.c_str());
    }
    complained_ = trouble;
    if (work.damaged > 0) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "media: %uz damaged events of \"%s\" are set aside",
                      work.damaged, title_.c_str());
    }
    if (work.claimed) {
        claim_ = std::move(work.claimed);
    }
    if (trouble) {
        not_before_ = ngx_current_msec + trouble_pause;
    } else if (work.looking) {
        not_before_ = ngx_current_msec + (claim_ ? work.took * look_share : claim_pause);
        unasked_ = std::max(unasked_look, work.took * unasked_share);
        rings_ = work.rings;
    }
    tick();
}

void EventDispatcher::take(DiskWork& work) {
    for (DiskWork::Settling& one : work.settling) {
        const auto entry = entries_.find(one.waiting.id);
        Entry& event = entry->second;
        event.filed = false;
        if (one.done) {
            event.waiting = std::move(one.waiting);
        } else {
            event.just_delivered.insert(event.just_delivered.end(), one.sinks.begin(), one.sinks.end());
        }
        if (!event.just_delivered.empty()) {
            event.queued = true;
            settled_.push_back(entry->first);
        } else if (event.lanes == 0) {
            entries_.erase(entry);
        }
    }
    for (DiskWork::Found& found : work.found) {
        const std::string id = found.waiting.id;
        auto entry = entries_.find(id);
        if (entry == entries_.end()) {
            if (found.letter.body.empty()) {
                // It was known and has left meanwhile: the next look brings it.
                for (const std::size_t lane : found.lanes) {
                    work.more[lane] = true;
                }
                continue;
            }
            entry = entries_.try_emplace(id).first;
            entry->second.waiting = std::move(found.waiting);
            entry->second.letter = std::move(found.letter);
        }
        for (const std::size_t lane : found.lanes) {
            if (!entry->second.has(lanes_[lane].sink->name()) &&
                lanes_[lane].queue.add(id, entry->second.letter.key)) {
                ++entry->second.lanes;
            }
        }
    }
    for (std::size_t i = 0; i < work.more.size(); ++i) {
        lanes_[i].more = work.more[i];
    }
}

void EventDispatcher::pump(std::size_t lane) {
    while (claim_ && ngx_exiting == 0) {
        const auto item = lanes_[lane].queue.next(ngx_current_msec);
        if (!item) {
            return;
        }
        lanes_[lane].sink->send(
            entries_.find(item->id)->second.letter,
            [this, lane, item = *item](EventSink::Outcome outcome, const std::string& reason) {
                on_sent(lane, item, outcome, reason);
            });
    }
}

void EventDispatcher::on_sent(std::size_t lane, const DeliveryQueue::Item& item, EventSink::Outcome outcome,
                              const std::string& reason) {
    auto& [sink, queue, complained, more] = lanes_[lane];
    if (outcome == EventSink::Outcome::delivered) {
        queue.delivered(item);
        if (std::exchange(complained, false)) {
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "media: %s takes events again",
                          sink->title().c_str());
        }
        Entry& entry = entries_.find(item.id)->second;
        --entry.lanes;
        entry.just_delivered.push_back(sink->name());
        if (!entry.filed && !std::exchange(entry.queued, true)) {
            settled_.push_back(item.id);
        }
    } else {
        const bool alone = outcome == EventSink::Outcome::refused;
        queue.failed(item, ngx_current_msec, alone);
        if (alone) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "media: %s refuses event %s of %s: %s",
                          sink->title().c_str(), item.id.c_str(), item.key.c_str(), reason.c_str());
        } else if (!std::exchange(complained, true)) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "media: %s does not take events: %s; trying again until it does",
                          sink->title().c_str(), reason.c_str());
        }
    }
    if (timer_.timer_set != 0) {
        ngx_del_timer(&timer_);
    }
    ngx_add_timer(&timer_, 1);  // what is next; not from here, where a sink may still be at work
}

}  // namespace media
