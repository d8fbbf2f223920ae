// Who is told of events, and how.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/share/delivery_queue.h"
#include "module/event_config.h"
#include "module/redis_service.h"

namespace media {

/// An event on its way.
struct Letter {
    std::string event;
    std::string key;
    std::string body;  ///< JSON
};

/// One receiver. All of it belongs to the event loop.
class EventSink {
  public:
    enum class Outcome : std::uint8_t {
        delivered,
        refused,  ///< this one event; the receiver is well
        failed,
    };
    /// What happened, and in a few words why.
    using Done = std::function<void(Outcome outcome, const std::string& reason)>;

    EventSink(std::string name, std::string title) : name_(std::move(name)), title_(std::move(title)) {}
    EventSink(const EventSink&) = delete;
    EventSink& operator=(const EventSink&) = delete;
    virtual ~EventSink() = default;

    /// Short and lasting: what is delivered to this sink is delivered, also after a restart.
    const std::string& name() const noexcept { return name_; }
    /// For the log.
    const std::string& title() const noexcept { return title_; }

    virtual DeliveryQueue::Terms terms() const noexcept = 0;

    /// `done` is called once, perhaps before this returns; not when the worker ends meanwhile. The letter
    /// must live until then.
    virtual void send(const Letter& letter, Done done) = 0;

  private:
    std::string name_;
    std::string title_;
};

/// A receiver behind a location: POST, with a signature where there is a key.
std::unique_ptr<EventSink> notify_sink(const EventStore::Notified& notified);

/// The stream <prefix>events of a Redis.
std::unique_ptr<EventSink> stream_sink(RedisService& service);

}  // namespace media
