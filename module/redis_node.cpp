// One Redis server: its address, the connections to it, and whether it is well.
#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <utility>

#include "module/guard.h"
#include "module/redis_service.h"

namespace media {

namespace {

// Unanswered calls in a row after which a server is left alone until it answers a greeting.
constexpr int patience = 3;
constexpr ngx_msec_t first_pause = 50;
constexpr ngx_msec_t longest_pause = 800;
constexpr ngx_msec_t steady_time = 1500;
constexpr ngx_msec_t name_pause = 5;  ///< between two looks whether a name has been looked up

std::vector<unsigned char> bytes_of(const sockaddr* address, socklen_t length) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(address);
    return {bytes, bytes + length};
}

}  // namespace

RedisNode::RedisNode(RedisService& service, RedisAddress address)
    : service_(service), address_(std::move(address)), pause_(first_pause) {
    const RedisConfig& config = service_.config();
    for (std::size_t i = 0; i < config.pool; ++i) {
        connections_.push_back(
            std::make_unique<RedisConnection>(*this, config.timeout, config.max_object + reply_overhead));
    }
    retry_.handler = guard<&RedisNode::on_retry>;
    retry_.data = this;
    retry_.log = ngx_cycle->log;
    retry_.cancelable = 1;
    steady_ = retry_;
    steady_.handler = guard<&RedisNode::on_steady>;
    naming_ = retry_;
    naming_.handler = guard<&RedisNode::on_naming>;
}

RedisNode::~RedisNode() {
    stop();
}

void RedisNode::start() {
    connect();
}

void RedisNode::stop() noexcept {
    stopped_ = true;
    for (ngx_event_t* timer : {&retry_, &steady_, &naming_}) {
        if (timer->timer_set != 0) {
            ngx_del_timer(timer);
        }
    }
    name_.reset();
    for (const auto& connection : connections_) {
        connection->drop();
    }
}

void RedisNode::connect() {
    if (!address_.path.empty()) {
        sockaddr_un address{};
        address.sun_family = AF_UNIX;
        std::memcpy(address.sun_path, address_.path.c_str(), address_.path.size() + 1);
        try_all({bytes_of(reinterpret_cast<sockaddr*>(&address), sizeof(address))});
        return;
    }
    if (auto addresses = numeric_addresses(address_.node); !addresses.empty()) {
        try_all(std::move(addresses));
        return;
    }
    name_ = std::make_unique<NameLookUp>(address_.node);
    if (!failed_) {
        connections_.front()->expect();
    }
    ngx_add_timer(&naming_, name_pause);
}

void RedisNode::on_naming(ngx_event_t* event) {
    auto* node = static_cast<RedisNode*>(event->data);
    if (!node->name_->done()) {
        ngx_add_timer(&node->naming_, name_pause);
        return;
    }
    auto found = std::exchange(node->name_, nullptr)->found();
    if (found.empty()) {
        node->complain("has a name that nobody knows");
        node->connections_.front()->close();
        node->try_later();
        return;
    }
    node->try_all(std::move(found));
}

void RedisNode::try_all(SocketAddresses addresses) {
    addresses_ = std::move(addresses);
    address_at_ = 0;
    open_all();
}

void RedisNode::open_all() {
    for (const auto& connection : connections_) {
        if (!connection->ready() && !connection->connecting()) {
            // A copy: a failure is told before open() returns.
            const std::vector<unsigned char> address = addresses_[address_at_];
            connection->open(reinterpret_cast<const sockaddr*>(address.data()),
                             static_cast<socklen_t>(address.size()));
        }
        if (failed_ || next_address_) {
            break;  // one that succeeds brings the others
        }
    }
}

void RedisNode::try_later() {
    if (stopped_ || retry_.timer_set != 0 || name_ != nullptr) {
        return;
    }
    ngx_add_timer(&retry_, pause_);
    pause_ = std::min(pause_ * 2, longest_pause);
}

void RedisNode::on_retry(ngx_event_t* event) {
    auto* node = static_cast<RedisNode*>(event->data);
    if (std::exchange(node->next_address_, false)) {
        node->open_all();
    } else {
        node->connect();
    }
}

// One that fails again and again at once is not back, and the log is not told each time.
void RedisNode::on_steady(ngx_event_t* event) {
    auto* node = static_cast<RedisNode*>(event->data);
    node->complained_ = false;
    node->pause_ = first_pause;
    ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "media: redis at %s is back",
                  node->address_.text().c_str());
}

bool RedisNode::ready() const noexcept {
    return !failed_ && std::any_of(connections_.begin(), connections_.end(),
                                   [](const auto& connection) { return connection->ready(); });
}

RedisConnection* RedisNode::pick() noexcept {
    RedisConnection* best = nullptr;
    for (const auto& connection : connections_) {
        if (connection->ready() && (best == nullptr || connection->pending() < best->pending())) {
            best = connection.get();
        }
    }
    if (best != nullptr || failed_) {
        return best;
    }
    const auto first = std::find_if(connections_.begin(), connections_.end(), [](const auto& connection) {
        return connection->connecting() || connection->expected();
    });
    return first == connections_.end() ? nullptr : first->get();
}

void RedisNode::complain(const std::string& reason) {
    failed_ = true;
    if (steady_.timer_set != 0) {
        ngx_del_timer(&steady_);
    }
    if (!std::exchange(complained_, true)) {
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "media: redis at %s %s; going on without it",
                      address_.text().c_str(), reason.c_str());
    }
}

void RedisNode::note_timeout() {
    if (++timeouts_ < patience || failed_) {
        return;
    }
    complain("does not answer in time");
    for (const auto& connection : connections_) {
        connection->close();
    }
    try_later();
    service_.look_again();
}

std::size_t RedisNode::greeting(std::string& batch) const {
    const RedisConfig& config = service_.config();
    std::size_t count = 2;
    if (!config.password.empty()) {
        if (config.user.empty()) {
            append_command(batch, {"AUTH", config.password});
        } else {
            append_command(batch, {"AUTH", config.user, config.password});
        }
        ++count;
    }
    if (config.db != 0) {
        append_command(batch, {"SELECT", std::to_string(config.db)});
        ++count;
    }
    append_command(batch, {"PING"});
    append_command(batch, {"CLUSTER", "SLOTS"});
    return count;
}

std::string RedisNode::on_greeted(std::span<RespReply> replies) {
    for (const RespReply& reply : replies.first(replies.size() - 1)) {
        if (reply.value().error()) {
            // Of the text only the first word: what a server may say there is nobody's promise.
            const std::string_view text = reply.value().text();
            return "answers " + std::string{text.substr(0, text.find(' '))};
        }
    }
    // What is no cluster says so, or does not let us ask.
    if (const auto ranges = read_slots(replies.back().value())) {
        service_.learn(*ranges, *this);
    }
    timeouts_ = 0;
    if (std::exchange(failed_, false)) {
        ngx_add_timer(&steady_, steady_time);
        if (retry_.timer_set == 0) {
            ngx_add_timer(&retry_, 0);
        }
    }
    return {};
}

bool RedisNode::on_closed(const std::string& reason) {
    if (stopped_) {
        return false;
    }
    const bool other_open = std::any_of(connections_.begin(), connections_.end(), [](const auto& connection) {
        return connection->ready() || connection->connecting();
    });
    const bool more = address_at_ + 1 < addresses_.size();
    if (next_address_ || (!other_open && more)) {
        // A name may have addresses at which nobody listens.
        if (!std::exchange(next_address_, true)) {
            ++address_at_;
            if (retry_.timer_set != 0) {
                ngx_del_timer(&retry_);
            }
            ngx_add_timer(&retry_, 0);
        }
        return true;
    }
    if (!ready() && more) {
        try_later();  // unless the last one to fail here goes on to the next address
        return true;
    }
    if (!ready()) {
        complain(reason);
        service_.look_again();
    }
    try_later();
    return false;
}

void RedisNode::on_retiring() {
    service_.retire();
}

bool RedisNode::idle() const noexcept {
    return std::all_of(connections_.begin(), connections_.end(),
                       [](const auto& connection) { return connection->idle(); });
}

void RedisNode::on_answered(const std::shared_ptr<RedisCall>& call) {
    timeouts_ = 0;
    service_.answered(call, *this);
}

}  // namespace media
