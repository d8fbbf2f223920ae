#include "module/mirror_debt.h"

#include "module/guard.h"

namespace media {

namespace {

constexpr ngx_msec_t pause = 500;

// So many records are a few megabytes. A Redis that is gone for longer than that takes is filled again by
// ngx-media-store.
constexpr std::size_t most = 10'000;

}  // namespace

MirrorDebt::MirrorDebt(RedisService& service) noexcept : service_(service) {
    timer_.handler = guard<&MirrorDebt::on_timer>;
    timer_.data = this;
    timer_.log = ngx_cycle->log;
    timer_.cancelable = 1;
}

MirrorDebt::~MirrorDebt() {
    if (timer_.timer_set) {
        ngx_del_timer(&timer_);
    }
    if (call_) {
        call_->cancel();
    }
}

void MirrorDebt::owe(const std::string& key, const std::string& command) {
    if (owed_.size() >= most && !owed_.contains(key)) {
        if (!complained_) {
            ngx_log_error(
                NGX_LOG_ERR, ngx_cycle->log, 0,
                "media: redis lacks records of uploads; \"ngx-media-store mirror\" puts them there");
            complained_ = true;
        }
        return;
    }
    owed_[key] = command;
    if (!timer_.timer_set && !call_) {
        ngx_add_timer(&timer_, pause);
    }
}

// One at a time: while Redis is not to be had, that is what it costs.
void MirrorDebt::pay() {
    if (owed_.empty()) {
        complained_ = false;
        return;
    }
    const std::string key = owed_.begin()->first;
    const std::string command = owed_.begin()->second;
    call_ = service_.call(key, command, 1, [this, key, command](std::span<RespReply> replies) {
        on_paid(key, command, !replies.empty() && !replies[0].value().error());
    });
    if (!call_) {
        ngx_add_timer(&timer_, pause);
    }
}

void MirrorDebt::on_paid(const std::string& key, const std::string& command, bool taken) {
    call_ = nullptr;
    if (!taken) {
        ngx_add_timer(&timer_, pause);
        return;
    }
    if (const auto debt = owed_.find(key); debt != owed_.end() && debt->second == command) {
        owed_.erase(debt);
    }
    pay();
}

void MirrorDebt::on_timer(ngx_event_t* event) {
    static_cast<MirrorDebt*>(event->data)->pay();
}

}  // namespace media
