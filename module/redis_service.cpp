#include "module/redis_service.h"

#include <sys/un.h>

#include <algorithm>
#include <cstring>
#include <set>
#include <utility>

#include "module/guard.h"

namespace media {

namespace {

// Unanswered calls in a row after which a server is left alone until it answers a greeting.
constexpr int patience = 3;
constexpr ngx_msec_t first_pause = 50;
constexpr ngx_msec_t longest_pause = 800;
constexpr ngx_msec_t steady_time = 1500;
constexpr ngx_msec_t look_pause = 500;  ///< between two looks at the cluster's slots
constexpr ngx_msec_t name_pause = 5;    ///< between two looks whether a name has been looked up
constexpr ngx_msec_t retire_pause = 50;
constexpr int most_redirects = 4;

// What a reply may hold beside the object itself.
constexpr std::size_t reply_overhead = std::size_t{1} << 20U;

// Renditions that wait to be sent on one connection; what comes on top is not asked and not stored.
constexpr std::size_t most_unsent = 8;

std::vector<unsigned char> bytes_of(const sockaddr* address, socklen_t length) {
    const auto* bytes = reinterpret_cast<const unsigned char*>(address);
    return {bytes, bytes + length};
}

}  // namespace

// --- one server

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

// --- all of them

RedisService::RedisService(const RedisConfig& config) : config_(config) {
    look_.handler = guard<&RedisService::on_look>;
    look_.data = this;
    look_.log = ngx_cycle->log;
    look_.cancelable = 1;
    retire_ = look_;
    retire_.handler = guard<&RedisService::on_retire>;
    for (const RedisAddress& seed : config_.seeds) {
        node_at(seed);
    }
}

RedisService::~RedisService() {
    stop();
}

void RedisService::stop() noexcept {
    stopped_ = true;
    for (ngx_event_t* timer : {&look_, &retire_}) {
        if (timer->timer_set != 0) {
            ngx_del_timer(timer);
        }
    }
    for (const auto& [name, node] : nodes_) {
        node->stop();
    }
}

std::shared_ptr<RedisNode> RedisService::node_at(RedisAddress address) {
    std::string name = address.text();
    if (const auto known = nodes_.find(name); known != nodes_.end()) {
        return known->second;
    }
    auto node = std::make_shared<RedisNode>(*this, std::move(address));
    nodes_.emplace(std::move(name), node);
    node->start();
    return node;
}

RedisNode* RedisService::node_for(std::string_view key) {
    if (!slots_.empty()) {
        if (RedisNode* node = slots_[slot_of(key)]; node != nullptr) {
            return node;
        }
    }
    RedisNode* connecting = nullptr;
    for (const RedisAddress& seed : config_.seeds) {
        RedisNode* node = nodes_.find(seed.text())->second.get();
        if (node->ready()) {
            return node;
        }
        if (connecting == nullptr && node->pick() != nullptr) {
            connecting = node;
        }
    }
    return connecting;
}

std::shared_ptr<RedisCall> RedisService::call(std::string key, std::string batch, std::size_t count,
                                              RedisCall::Done done, ngx_msec_t extra_time) {
    RedisNode* node = stopped_ ? nullptr : node_for(key);
    RedisConnection* connection = node == nullptr ? nullptr : node->pick();
    if (connection == nullptr || connection->backlog() > most_unsent * config_.max_object + reply_overhead) {
        return nullptr;
    }
    auto call = std::make_shared<RedisCall>(std::move(key), std::move(batch), count, std::move(done));
    call->timer_.handler = guard<&RedisService::on_timeout>;
    call->timer_.data = call.get();
    call->timer_.log = ngx_cycle->log;
    call->service_ = this;
    ngx_add_timer(&call->timer_, config_.timeout + extra_time);
    connection->send(call);
    return call;
}

void RedisService::on_timeout(ngx_event_t* event) {
    auto* call = static_cast<RedisCall*>(event->data);
    RedisService* service = call->service_;
    const auto keep = call->shared_from_this();
    call->finish({});
    if (RedisNode* node = service->stopped_ ? nullptr : service->node_for(call->key_)) {
        node->note_timeout();
    }
}

void RedisService::answered(const std::shared_ptr<RedisCall>& call, const RedisNode& from) {
    for (const RespReply& reply : call->replies_) {
        if (!reply.value().error()) {
            continue;
        }
        const std::string_view text = reply.value().text();
        if (const auto redirect = read_redirect(text)) {
            if (!follow(call, *redirect, from)) {
                call->finish({});
            }
            return;
        }
        if (text.starts_with("CLUSTERDOWN") || text.starts_with("TRYAGAIN")) {
            look_again();
            call->finish({});
            return;
        }
    }
    call->finish(call->replies_);
}

bool RedisService::follow(const std::shared_ptr<RedisCall>& call, const Redirect& redirect,
                          const RedisNode& from) {
    if (++call->redirects_ > most_redirects || call->timer_.timer_set == 0) {
        return false;
    }
    const std::shared_ptr<RedisNode> node = node_at(complete(redirect.to, from));
    if (!redirect.ask) {
        if (slots_.empty()) {
            slots_.resize(slot_count);
        }
        slots_[redirect.slot] = node.get();
        look_again();
    }
    RedisConnection* connection = node->pick();
    if (connection == nullptr) {
        return false;
    }
    connection->send(call, redirect.ask);
    return true;
}

void RedisService::learn(const std::vector<SlotRange>& ranges, const RedisNode& from) {
    std::vector<RedisNode*> slots(slot_count);
    std::set<const RedisNode*> used;
    for (const SlotRange& range : ranges) {
        RedisNode* node = node_at(complete(range.master, from)).get();
        std::fill(slots.begin() + range.first, slots.begin() + range.last + 1, node);
        used.insert(node);
    }
    slots_ = std::move(slots);
    for (const RedisAddress& seed : config_.seeds) {
        used.insert(nodes_.find(seed.text())->second.get());
    }
    used.insert(&from);
    // The others are gone from the cluster; their calls end by their own timers.
    for (auto node = nodes_.begin(); node != nodes_.end();) {
        if (used.contains(node->second.get())) {
            ++node;
        } else {
            node->second->stop();
            node = nodes_.erase(node);
        }
    }
}

// A node that names none of its addresses is where we found it.
RedisAddress RedisService::complete(NodeAddress address, const RedisNode& from) {
    if (address.host.empty()) {
        address.host = from.address().path.empty() ? from.address().node.host : "127.0.0.1";
    }
    return {.path = {}, .node = std::move(address)};
}

void RedisService::retire() {
    if (!stopped_ && retire_.timer_set == 0) {
        ngx_add_timer(&retire_, retire_pause);
    }
}

// Of a worker that winds down, once its last request is gone: its connections might otherwise be all that
// keeps another one alive, through which they lead.
void RedisService::on_retire(ngx_event_t* event) {
    auto* service = static_cast<RedisService*>(event->data);
    const bool idle = std::all_of(service->nodes_.begin(), service->nodes_.end(),
                                  [](const auto& entry) { return entry.second->idle(); });
    if (idle && service->users_ == 0) {
        service->stop();
    } else {
        service->retire();
    }
}

void RedisService::look_again() {
    if (!stopped_ && !slots_.empty() && look_.timer_set == 0) {
        ngx_add_timer(&look_, look_pause);
    }
}

void RedisService::on_look(ngx_event_t* event) {
    auto* service = static_cast<RedisService*>(event->data);
    std::vector<std::shared_ptr<RedisNode>> ready;
    for (const auto& [name, node] : service->nodes_) {
        if (node->ready()) {
            ready.push_back(node);
        }
    }
    if (ready.size() < service->nodes_.size()) {
        service->look_again();
    }
    if (ready.empty()) {
        return;
    }
    // Another one each time: one that has lost the others knows the slots of long ago.
    const std::shared_ptr<RedisNode>& witness = ready[service->looks_++ % ready.size()];
    RedisConnection* connection = witness->pick();
    std::string command;
    append_command(command, {"CLUSTER", "SLOTS"});
    const std::weak_ptr<RedisNode> from = witness;
    const auto done = [service, from](std::span<RespReply> replies) {
        const auto node = from.lock();
        if (node != nullptr && !replies.empty()) {
            if (const auto ranges = read_slots(replies.front().value())) {
                service->learn(*ranges, *node);
            }
        }
    };
    connection->send(std::make_shared<RedisCall>(std::string{}, std::move(command), 1, done));
}

void RedisService::note_refusal(std::string_view error) {
    if (!std::exchange(refused_, true)) {
        const std::string word{error.substr(0, error.find(' '))};
        ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                      "media: redis at %s does not store (%s); going on without storing",
                      config_.seeds.front().text().c_str(), word.c_str());
    }
}

}  // namespace media
