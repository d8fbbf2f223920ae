#include "module/shared_tier.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "core/base/hash.h"
#include "core/share/envelope.h"
#include "module/guard.h"
#include "module/stored_facts.h"

namespace media {

namespace {

// How long until the next look whether another machine is done: at first soon, as most renditions take tens
// of milliseconds.
constexpr ngx_msec_t first_pause = 8;
constexpr ngx_msec_t longest_pause = 25;

// Bytes a millisecond that a network carries at least.
constexpr std::size_t slowest_store = 20'000;

// Says who holds a lease to whoever looks into Redis; nothing depends on it.
std::string holder() {
    const auto* cycle = const_cast<const ngx_cycle_t*>(ngx_cycle);
    return std::string{view(cycle->hostname)} + ' ' + std::to_string(ngx_pid);
}

std::string digest(std::string_view text) {
    return hex(sha256(bytes_of(text)), 16);
}

}  // namespace

SharedTier::SharedTier(RedisService& service, std::string_view original, std::string_view key,
                       std::optional<ngx_msec_t> patience, std::function<void()> step)
    : service_(service),
      // Builds that would not understand one another's values use other keys.
      key_(service.config().prefix + std::to_string(envelope_version) + ':' +
           std::to_string(StoredFacts::magic_value) + ":{" + digest(original) + "}:" + digest(key)),
      lease_(key_ + ":lease"),
      step_(std::move(step)),
      give_up_(ngx_current_msec + patience.value_or(0)),
      bids_(patience.has_value()),
      self_(std::make_shared<SharedTier*>(this)) {
    timer_.handler = guard<&SharedTier::on_pause>;
    timer_.data = this;
    timer_.log = ngx_cycle->log;
    service_.enter();
}

SharedTier::~SharedTier() {
    if (timer_.timer_set != 0) {
        ngx_del_timer(&timer_);
    }
    if (call_ != nullptr) {
        call_->cancel();
    }
    release();
    *self_ = nullptr;
    service_.leave();
}

SharedTier::Outcome SharedTier::look() {
    inside_ = true;
    if (state_ == State::idle) {
        outcome_ = Outcome::pending;
        get();
    }
    inside_ = false;
    if (outcome_ != Outcome::pending) {
        state_ = State::idle;
    }
    return outcome_;
}

bool SharedTier::ask(std::string batch, std::size_t count, void (SharedTier::*then)(std::span<RespReply>)) {
    call_ = service_.call(key_, std::move(batch), count, [this, then](std::span<RespReply> replies) {
        call_ = nullptr;
        (this->*then)(replies);
    });
    return call_ != nullptr;
}

void SharedTier::get() {
    std::string batch;
    append_command(batch, {"GET", key_});
    state_ = State::looking;
    if (!ask(std::move(batch), 1, &SharedTier::on_got)) {
        settle(Outcome::alone);
    }
}

void SharedTier::on_got(std::span<RespReply> replies) {
    const bool answered = !replies.empty();
    if (answered && replies[0].value().string()) {
        found_ = std::move(replies[0]);
        settle(Outcome::found);
    } else if (answered && bids_) {
        bid();
    } else {
        settle(Outcome::alone);
    }
}

// The lease first, then once more the rendition: whoever made it meanwhile stored it before the lease ended.
void SharedTier::bid() {
    std::string batch;
    append_command(batch, {"SET", lease_, holder(), "NX", "PX", std::to_string(lease)});
    append_command(batch, {"GET", key_});
    state_ = State::bidding;
    held_until_ = ngx_current_msec + lease;
    if (!ask(std::move(batch), 2, &SharedTier::on_bid)) {
        settle(Outcome::alone);
        return;
    }
    // A lease that is granted too late is ours all the same, and nobody else can give it back.
    call_->if_late([service = &service_, self = self_, lease = lease_,
                    until = held_until_](std::span<RespReply> replies) {
        if (!replies[0].value().ok()) {
            return;
        }
        if (*self != nullptr && !(*self)->served_) {
            (*self)->holds_ = true;
            (*self)->held_until_ = until;
        } else if (static_cast<ngx_msec_int_t>(until - ngx_current_msec) > 0) {
            std::string command;
            append_command(command, {"DEL", lease});
            service->call(lease, std::move(command), 1, nullptr);
        }
    });
}

void SharedTier::on_bid(std::span<RespReply> replies) {
    if (replies.empty()) {
        settle(Outcome::alone);
        return;
    }
    const RespValue bid = replies[0].value();
    holds_ = bid.ok();
    if (replies[1].value().string()) {
        found_ = std::move(replies[1]);
        release();
        settle(Outcome::found);
    } else if (holds_) {
        settle(Outcome::ours);
    } else if (bid.error()) {
        service_.note_refusal(bid.text());
        settle(Outcome::alone);
    } else {
        pause();
    }
}

void SharedTier::pause() {
    if (static_cast<ngx_msec_int_t>(give_up_ - ngx_current_msec) <= 0) {
        settle(Outcome::alone);
        return;
    }
    pause_ = pause_ == 0 ? first_pause : std::min(pause_ * 2, longest_pause);
    state_ = State::pausing;
    ngx_add_timer(&timer_, pause_);
}

void SharedTier::on_pause(ngx_event_t* event) {
    static_cast<SharedTier*>(event->data)->bid();
}

void SharedTier::settle(Outcome outcome) {
    outcome_ = outcome;
    state_ = State::settled;
    if (!inside_) {
        const auto step = step_;  // which may be the end of us
        step();
    }
}

void SharedTier::reject() {
    std::string batch;
    append_command(batch, {"DEL", key_});
    service_.call(key_, std::move(batch), 1, nullptr);
}

void SharedTier::renew() noexcept {
    if (!holds_) {
        return;
    }
    try {
        std::string batch;
        append_command(batch, {"SET", lease_, holder(), "XX", "PX", std::to_string(lease)});
        if (service_.call(key_, std::move(batch), 1, nullptr) != nullptr) {
            held_until_ = ngx_current_msec + lease;
        }
    } catch (...) {
        holds_ = false;
    }
}

void SharedTier::store(const std::string& envelope, time_t seconds) {
    std::string batch;
    append_command(batch, {"SET", key_, envelope, "EX", std::to_string(seconds)});
    std::size_t count = 1;
    if (lease_lasts()) {
        // In one batch, so that nobody finds neither the lease nor the rendition.
        append_command(batch, {"DEL", lease_});
        ++count;
    }
    holds_ = false;
    served_ = true;
    RedisService* service = &service_;
    const auto done = [service](std::span<RespReply> replies) {
        if (!replies.empty() && replies[0].value().error()) {
            service->note_refusal(replies[0].value().text());
        } else if (!replies.empty()) {
            service->note_stored();
        }
    };
    service->call(key_, std::move(batch), count, done, envelope.size() / slowest_store);
}

// One that has run out may be another's by now.
bool SharedTier::lease_lasts() const noexcept {
    return holds_ && static_cast<ngx_msec_int_t>(held_until_ - ngx_current_msec) > 0;
}

void SharedTier::release() noexcept {
    const bool lasts = lease_lasts();
    holds_ = false;
    served_ = true;
    if (!lasts) {
        return;
    }
    try {
        std::string batch;
        append_command(batch, {"DEL", lease_});
        service_.call(key_, std::move(batch), 1, nullptr);
    } catch (...) {
        // It ends by itself.
        return;
    }
}

}  // namespace media
