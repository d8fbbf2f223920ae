#include "module/redis_service.h"

#include <algorithm>
#include <set>
#include <utility>

#include "module/guard.h"

namespace media {

namespace {

constexpr ngx_msec_t look_pause = 500;  ///< between two looks at the cluster's slots
constexpr ngx_msec_t retire_pause = 50;
constexpr int most_redirects = 4;
// Renditions that wait to be sent on one connection; what comes on top is not asked and not stored.
constexpr std::size_t most_unsent = 8;

}  // namespace

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
