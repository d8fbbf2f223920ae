// One connection to a Redis on nginx' event loop. All of it belongs to the loop.
#pragma once

#include <deque>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/share/resp.h"
#include "module/ngx.h"

namespace media {

class RedisService;

/// A batch of commands whose replies are wanted together, within a time of its own. Lives as long as a
/// connection waits for its replies, or somebody keeps it.
class RedisCall : public std::enable_shared_from_this<RedisCall> {
  public:
    /// Gets one reply for each command, or none at all where Redis did not answer in time.
    using Done = std::function<void(std::span<RespReply>)>;

    RedisCall(std::string key, std::string batch, std::size_t count, Done done)
        : key_(std::move(key)), commands_(std::move(batch)), count_(count), done_(std::move(done)) {}
    RedisCall(const RedisCall&) = delete;
    RedisCall& operator=(const RedisCall&) = delete;
    ~RedisCall() { disarm(); }

    /// Whoever asked is gone; the replies will be dropped.
    void cancel() noexcept { done_ = nullptr; }

    /// What becomes of replies that come after the call ended without them, or was cancelled.
    void if_late(Done late) { late_ = std::move(late); }

  private:
    friend class RedisConnection;
    friend class RedisService;

    void disarm() noexcept {
        if (timer_.timer_set != 0) {
            ngx_del_timer(&timer_);
        }
    }
    void finish(std::span<RespReply> replies);

    std::string key_;  ///< whose slot decides where it goes
    std::string commands_;
    std::size_t count_;
    Done done_;
    Done late_;
    std::vector<RespReply> replies_;
    bool over_ = false;       ///< it has ended, with replies or without
    bool asking_ = false;     ///< each command has an ASKING before it
    bool skip_next_ = false;  ///< the next reply is that of an ASKING
    int redirects_ = 0;
    RedisService* service_ = nullptr;
    ngx_event_t timer_{};
};

/// What a connection tells its owner.
class RedisConnectionOwner {
  public:
    virtual ~RedisConnectionOwner() = default;

    /// The commands that begin a connection; the number of replies to expect.
    virtual std::size_t greeting(std::string& batch) const = 0;
    /// Their replies; an empty reason if they are well.
    virtual std::string on_greeted(std::span<RespReply> replies) = 0;
    /// It is closed. The calls that were on it end when this returns; but those that were not sent yet wait
    /// on where this says that it will be opened again at once.
    virtual bool on_closed(const std::string& reason) = 0;
    /// A call is answered; may send it elsewhere.
    virtual void on_answered(const std::shared_ptr<RedisCall>& call) = 0;
    /// The worker winds down.
    virtual void on_retiring() = 0;
};

class RedisConnection {
  public:
    /// `max_reply`: bytes of a reply beyond which the connection is given up.
    RedisConnection(RedisConnectionOwner& owner, ngx_msec_t timeout, std::size_t max_reply)
        : owner_(owner), timeout_(timeout), max_reply_(max_reply) {}
    RedisConnection(const RedisConnection&) = delete;
    RedisConnection& operator=(const RedisConnection&) = delete;
    ~RedisConnection() { drop(); }

    /// open() will be called as soon as the server's address is known; calls may be sent until then.
    void expect() noexcept {
        if (state_ == State::closed) {
            state_ = State::expected;
        }
    }
    /// Begins to connect. Failures are told to the owner, perhaps before this returns.
    void open(const sockaddr* address, socklen_t length);

    /// Closes it; pending calls end without replies, the owner is not told.
    void close();
    /// Closes it, and forgets the pending calls: nobody is left to hear of them.
    void drop() noexcept;

    bool ready() const noexcept { return state_ == State::ready; }
    bool expected() const noexcept { return state_ == State::expected; }
    bool connecting() const noexcept { return state_ == State::connecting || state_ == State::greeting; }
    std::size_t pending() const noexcept { return pending_.size(); }
    /// Bytes of commands that have not left yet.
    std::size_t backlog() const noexcept { return out_.size() - sent_; }
    /// Nobody waits for anything of it.
    bool idle() const noexcept { return waiting_.empty() && pending_.empty() && backlog() == 0; }

    /// Sends a call, or keeps it until the connection is ready. `asking`: the key is on the move to this
    /// node.
    void send(const std::shared_ptr<RedisCall>& call, bool asking = false);

  private:
    enum class State : std::uint8_t { closed, expected, connecting, greeting, ready };

    void fail(const std::string& reason);
    void greet();
    void write();
    void read();
    bool take(RespReply reply);
    std::deque<std::shared_ptr<RedisCall>> disown();
    static void on_read(ngx_event_t* event);
    static void on_write(ngx_event_t* event);
    static void on_timer(ngx_event_t* event);
    static RedisConnection& of(const ngx_event_t* event) noexcept;

    RedisConnectionOwner& owner_;
    const ngx_msec_t timeout_;
    const std::size_t max_reply_;
    State state_ = State::closed;
    ngx_connection_t* connection_ = nullptr;
    ngx_log_t log_{};  ///< quiet: the owner says what there is to say, once
    ngx_event_t timer_{};
    std::unique_ptr<RespParser> parser_;
    std::string out_;
    std::size_t sent_ = 0;
    std::size_t greetings_ = 0;
    std::vector<RespReply> greeted_;
    std::deque<std::shared_ptr<RedisCall>> waiting_;  ///< for the connection
    std::deque<std::shared_ptr<RedisCall>> pending_;  ///< for their replies
};

}  // namespace media
