#include "module/redis_connection.h"

#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <utility>

#include "module/guard.h"

namespace media {

namespace {

constexpr ngx_msec_t connect_time = 1000;

// What has been sent already is not worth moving memory for until it is this much.
constexpr std::size_t compact_from = std::size_t{1} << 16U;

// What is read in one turn of the loop, so that large replies keep nobody waiting.
constexpr std::size_t share_of_a_turn = std::size_t{1} << 20U;

}  // namespace

void RedisCall::finish(std::span<RespReply> replies) {
    disarm();
    over_ = true;
    if (Done done = std::exchange(done_, nullptr)) {
        done(replies);
    } else if (Done late = std::exchange(late_, nullptr); late != nullptr && !replies.empty()) {
        late(replies);
    }
}

RedisConnection& RedisConnection::of(const ngx_event_t* event) noexcept {
    return *static_cast<RedisConnection*>(static_cast<ngx_connection_t*>(event->data)->data);
}

void RedisConnection::open(const sockaddr* address, socklen_t length) {
    auto unsent = std::exchange(waiting_, {});
    close();
    waiting_ = std::move(unsent);
    log_ = *ngx_cycle->log;
    log_.log_level = NGX_LOG_EMERG;
    ngx_str_t name = ngx_string("redis");
    ngx_peer_connection_t peer{};
    peer.sockaddr = const_cast<sockaddr*>(address);
    peer.socklen = length;
    peer.name = &name;
    peer.get = ngx_event_get_peer;
    peer.log = &log_;
    peer.log_error = NGX_ERROR_ERR;
    const ngx_int_t outcome = ngx_event_connect_peer(&peer);
    if (outcome != NGX_OK && outcome != NGX_AGAIN) {
        if (peer.connection != nullptr) {
            ngx_close_connection(peer.connection);
        }
        fail("cannot be connected to");
        return;
    }
    connection_ = peer.connection;
    connection_->data = this;
    connection_->log = &log_;
    connection_->read->log = &log_;
    connection_->write->log = &log_;
    connection_->read->handler = guard<&RedisConnection::on_read>;
    connection_->write->handler = guard<&RedisConnection::on_write>;
    parser_ = std::make_unique<RespParser>();
    state_ = State::connecting;

    timer_ = {};
    timer_.handler = guard<&RedisConnection::on_timer>;
    timer_.data = this;
    timer_.log = &log_;
    timer_.cancelable = 1;
    ngx_add_timer(&timer_, connect_time);
    if (outcome == NGX_OK) {
        greet();
    }
}

void RedisConnection::drop() noexcept {
    if (timer_.timer_set != 0) {
        ngx_del_timer(&timer_);
    }
    if (connection_ != nullptr) {
        ngx_close_connection(connection_);
        connection_ = nullptr;
    }
    state_ = State::closed;
    out_.clear();
    sent_ = 0;
    greeted_.clear();
    waiting_.clear();
    pending_.clear();
}

std::deque<std::shared_ptr<RedisCall>> RedisConnection::disown() {
    std::deque<std::shared_ptr<RedisCall>> orphans = std::exchange(pending_, {});
    for (auto& call : std::exchange(waiting_, {})) {
        orphans.push_back(std::move(call));
    }
    return orphans;
}

void RedisConnection::close() {
    const auto orphans = disown();
    drop();
    for (const auto& call : orphans) {
        call->finish({});
    }
}

void RedisConnection::fail(const std::string& reason) {
    auto unsent = std::exchange(waiting_, {});
    auto orphans = disown();
    drop();
    if (owner_.on_closed(reason) && !unsent.empty()) {
        waiting_ = std::move(unsent);
        expect();
    } else {
        std::move(unsent.begin(), unsent.end(), std::back_inserter(orphans));
    }
    for (const auto& call : orphans) {
        call->finish({});
    }
}

void RedisConnection::greet() {
    int error = 0;
    socklen_t length = sizeof(error);
    if (getsockopt(connection_->fd, SOL_SOCKET, SO_ERROR, &error, &length) == -1 || error != 0) {
        fail("cannot be connected to");
        return;
    }
    if (connection_->tcp_nodelay == NGX_TCP_NODELAY_UNSET) {
        const int on = 1;
        setsockopt(connection_->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));  // a Unix socket has none
    }
    state_ = State::greeting;
    greetings_ = owner_.greeting(out_);
    ngx_add_timer(&timer_, timeout_);
    write();
}

void RedisConnection::send(const std::shared_ptr<RedisCall>& call, bool asking) {
    if (state_ != State::ready) {
        waiting_.push_back(call);
        return;
    }
    call->replies_.clear();
    call->asking_ = asking;
    call->skip_next_ = asking;
    if (asking) {
        // Holds for one command only.
        std::string_view rest = call->commands_;
        while (!rest.empty()) {
            const std::string_view command = first_command(rest);
            append_command(out_, {"ASKING"});
            out_ += command;
            rest.remove_prefix(command.size());
        }
    } else {
        out_ += call->commands_;
    }
    pending_.push_back(call);
    // Later in this turn of the loop: what others send till then goes along, and nobody hears of a failure
    // before this has returned.
    ngx_post_event(connection_->write, &ngx_posted_events);
}

void RedisConnection::write() {
    while (sent_ < out_.size()) {
        const ssize_t n = connection_->send(connection_, reinterpret_cast<u_char*>(out_.data()) + sent_,
                                            out_.size() - sent_);
        if (n == NGX_AGAIN) {
            break;
        }
        if (n <= 0) {
            fail("closed the connection");
            return;
        }
        sent_ += static_cast<std::size_t>(n);
    }
    if (sent_ == out_.size()) {
        out_.clear();
        sent_ = 0;
        if (out_.capacity() > compact_from) {
            out_.shrink_to_fit();
        }
    } else if (sent_ > compact_from && sent_ > out_.size() / 2) {
        out_.erase(0, sent_);
        sent_ = 0;
    }
    if (ngx_handle_write_event(connection_->write, 0) != NGX_OK) {
        fail("cannot be watched");
    }
}

void RedisConnection::read() {
    std::array<u_char, 32768> buffer;  // NOLINT(cppcoreguidelines-pro-type-member-init): filled by recv
    std::size_t taken = 0;
    while (connection_ != nullptr) {
        if (taken > share_of_a_turn) {
            ngx_post_event(connection_->read, &ngx_posted_next_events);
            return;
        }
        const ssize_t n = connection_->recv(connection_, buffer.data(), buffer.size());
        if (n == NGX_AGAIN) {
            if (ngx_handle_read_event(connection_->read, 0) != NGX_OK) {
                fail("cannot be watched");
            }
            return;
        }
        if (n <= 0) {
            fail("closed the connection");
            return;
        }
        taken += static_cast<std::size_t>(n);
        if (!parser_->feed(reinterpret_cast<char*>(buffer.data()), static_cast<std::size_t>(n))) {
            fail("sends what cannot be kept");
            return;
        }
        while (connection_ != nullptr) {
            RespReply reply;
            const RespParser::Outcome outcome = parser_->next(reply);
            if (outcome == RespParser::Outcome::more) {
                break;
            }
            if (outcome == RespParser::Outcome::broken || !take(std::move(reply))) {
                if (connection_ != nullptr) {
                    fail("does not speak as Redis does");
                }
                return;
            }
        }
        if (connection_ != nullptr && parser_->buffered() > max_reply_) {
            fail("sends more than was stored");
            return;
        }
    }
}

// False where nobody waits for such a reply.
bool RedisConnection::take(RespReply reply) {
    if (state_ == State::greeting) {
        greeted_.push_back(std::move(reply));
        if (greeted_.size() < greetings_) {
            return true;
        }
        ngx_del_timer(&timer_);
        const std::string reason = owner_.on_greeted(greeted_);
        greeted_.clear();
        if (connection_ == nullptr) {
            return true;
        }
        if (!reason.empty()) {
            fail(reason);
            return true;
        }
        state_ = State::ready;
        connection_->idle = 1;  // so that we are told when the worker winds down
        for (const auto& call : std::exchange(waiting_, {})) {
            // What nobody waits for any more must not happen any more: it might take a lease.
            if (!call->over_) {
                send(call);
            }
        }
        if (ngx_exiting != 0) {
            owner_.on_retiring();
        }
        return true;
    }
    if (pending_.empty()) {
        return false;
    }
    const std::shared_ptr<RedisCall> call = pending_.front();
    if (std::exchange(call->skip_next_, false)) {
        return true;
    }
    call->skip_next_ = call->asking_;
    call->replies_.push_back(std::move(reply));
    if (call->replies_.size() == call->count_) {
        pending_.pop_front();
        owner_.on_answered(call);
    }
    return true;
}

void RedisConnection::on_read(ngx_event_t* event) {
    RedisConnection& connection = of(event);
    if (connection.connection_->close != 0) {
        connection.connection_->close = 0;
        connection.connection_->idle = 0;
        connection.owner_.on_retiring();
    }
    if (connection.state_ != State::connecting) {
        connection.read();
    }
}

void RedisConnection::on_write(ngx_event_t* event) {
    RedisConnection& connection = of(event);
    if (connection.state_ == State::connecting) {
        connection.greet();
    } else {
        connection.write();
    }
}

void RedisConnection::on_timer(ngx_event_t* event) {
    auto* connection = static_cast<RedisConnection*>(event->data);
    connection->fail(connection->state_ == State::connecting ? "cannot be connected to"
                                                             : "does not answer in time");
}

}  // namespace media
