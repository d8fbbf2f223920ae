// Telling others of the events of a store: what lies in its outbox is sent until it is delivered.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "core/share/delivery_queue.h"
#include "core/store/outbox.h"
#include "module/event_sink.h"
#include "module/event_zone.h"
#include "module/render_pool.h"

namespace media {

/// Delivers the events of one store. In one worker of each master; of several masters, or machines that share
/// the folder, one at a time. All of it belongs to the event loop; what waits for the disk is the pool's.
///
/// An event that is delivered to one sink and not to another is told so by the name of its file, and one that
/// is delivered to all is removed: what a crash can do is to send an event once more.
class EventDispatcher {
  public:
    EventDispatcher(const std::string& store, std::vector<std::unique_ptr<EventSink>> sinks,
                    const EventZone& zone, RenderPool& pool);
    EventDispatcher(const EventDispatcher&) = delete;
    EventDispatcher& operator=(const EventDispatcher&) = delete;
    ~EventDispatcher();

  private:
    /// An event that some lane has in its queue, or whose file does not say yet who has it.
    struct Entry {
        Waiting waiting;
        Letter letter;
        std::size_t lanes = 0;                    ///< that have it in their queues
        std::vector<std::string> just_delivered;  ///< sinks that its file does not name yet
        bool queued = false;                      ///< for the disk to learn of them
        bool filed = false;                       ///< with the disk at the moment

        bool has(const std::string& sink) const noexcept;
    };
    struct Lane {
        std::unique_ptr<EventSink> sink;
        DeliveryQueue queue;
        bool complained = false;
        bool more = true;  ///< its queue is not all that waits for it
    };
    /// What is to be done on the disk, and what came of it.
    class DiskWork;

    void tick();
    void look_after_disk();
    void on_disk(DiskWork& work);
    void take(DiskWork& work);
    void pump(std::size_t lane);
    void on_sent(std::size_t lane, const DeliveryQueue::Item& item, EventSink::Outcome outcome,
                 const std::string& reason);
    bool wants_look() const;
    bool busy() const;
    void hold();
    static void on_tick(ngx_event_t* event);
    static void on_hold(ngx_event_t* event);

    Outbox outbox_;
    std::string title_;
    const EventZone& zone_;
    RenderPool& pool_;
    std::vector<Lane> lanes_;
    std::map<std::string, Entry> entries_;  ///< by id
    std::vector<std::string> settled_;      ///< ids whose files have to change

    Fd claim_;                 ///< the right to deliver
    bool at_disk_ = false;     ///< a thread is at it
    bool complained_ = false;  ///< of the disk
    ngx_atomic_uint_t rings_ = 0;
    ngx_msec_t not_before_ = 0;  ///< the disk is not asked for more
    ngx_msec_t unasked_ = 0;     ///< after which time it is asked although no bell was rung
    ngx_event_t timer_{};
    ngx_event_t hold_{};  ///< keeps a retiring worker alive until what is under way has ended
};

}  // namespace media
