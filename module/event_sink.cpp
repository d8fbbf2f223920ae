#include "module/event_sink.h"

#include <algorithm>
#include <utility>

#include "core/base/hash.h"
#include "core/share/event.h"
#include "module/own_call.h"

namespace media {

namespace {

constexpr std::size_t name_bytes = 4;
constexpr const char* most_kept = "100000";  // events in a stream, about

// What a slow Redis may take beyond its timeout before the event is sent once more: nobody waits for it.
constexpr ngx_msec_t redis_patience = 2000;

std::string short_name(const std::string& text) {
    return hex(sha256(bytes_of(text)), name_bytes);
}

class NotifySink final : public EventSink {
  public:
    explicit NotifySink(const EventStore::Notified& notified)
        : EventSink(short_name("notify " + notified.identity + ' ' + notified.config->uri + '?' +
                               notified.config->args),
                    '"' + notified.config->uri + '"'),
          notified_(notified) {}

    DeliveryQueue::Terms terms() const noexcept override { return {}; }

    void send(const Letter& letter, Done done) override {
        const NotifyConfig& config = *notified_.config;
        OwnCallContent content{.uri = config.uri,
                               .args = config.args,
                               .fields = {{"content-type", "application/json"}},
                               .body = Bytes::copy_of(bytes_of(letter.body))};
        if (content.body->size() != letter.body.size()) {
            done(Outcome::failed, "out of memory");
            return;
        }
        if (!config.key.empty()) {
            content.fields.emplace_back("x-media-signature", sign_event(config.key, ngx_time(), letter.body));
        }
        call_location(notified_.server, "telling of an event", std::move(content),
                      [done = std::move(done)](ngx_uint_t status) { conclude(status, done); });
    }

  private:
    // What speaks of the content of this one request, and so would not be said of another.
    static bool about_content(ngx_uint_t status) noexcept {
        return status == 400 || status == 409 || status == 413 || status == 415 || status == 422;
    }

    static void conclude(ngx_uint_t status, const Done& done) {
        if (status >= 200 && status < 300) {
            done(Outcome::delivered, {});
        } else if (status == 0) {
            done(Outcome::failed, "it could not be asked");
        } else {
            done(about_content(status) ? Outcome::refused : Outcome::failed,
                 "the answer is " + std::to_string(status));
        }
    }

    const EventStore::Notified notified_;
};

class StreamSink final : public EventSink {
  public:
    explicit StreamSink(RedisService& service)
        : EventSink(short_name("redis " + service.config().seeds.front().text() + ' ' +
                               std::to_string(service.config().db) + ' ' + service.config().prefix),
                    "redis at " + service.config().seeds.front().text()),
          service_(service) {}

    DeliveryQueue::Terms terms() const noexcept override {
        // It costs nothing to find out whether it is back.
        return {.width = 32, .first_pause = 1000, .longest_pause = 10'000, .longest_silence = 5000};
    }

    void send(const Letter& letter, Done done) override {
        const std::string stream = service_.config().prefix + "events";
        std::string batch;
        append_command(batch, {"XADD", stream, "MAXLEN", "~", most_kept, "*", "event", letter.event, "key",
                               letter.key, "body", letter.body});
        const auto call = service_.call(
            stream, std::move(batch), 1,
            [this, done](std::span<RespReply> replies) { conclude(replies, done); }, redis_patience);
        if (call == nullptr) {
            done(Outcome::failed, "it cannot be reached");
        }
    }

  private:
    void conclude(std::span<RespReply> replies, const Done& done) {
        if (replies.empty()) {
            done(Outcome::failed, "it does not answer");
        } else if (replies[0].value().error()) {
            const std::string_view text = replies[0].value().text();
            done(Outcome::failed, "it answers " + std::string{text.substr(0, text.find(' '))});
        } else {
            done(Outcome::delivered, {});
        }
    }

    RedisService& service_;
};

}  // namespace

std::unique_ptr<EventSink> notify_sink(const EventStore::Notified& notified) {
    return std::make_unique<NotifySink>(notified);
}

std::unique_ptr<EventSink> stream_sink(RedisService& service) {
    return std::make_unique<StreamSink>(service);
}

}  // namespace media
