#include "module/link_claim.h"

#include <algorithm>
#include <utility>

namespace media {

namespace {

// Beyond its end a used link is remembered for machines whose clocks are behind.
constexpr std::int64_t margin = 3600;

}  // namespace

LinkClaim::~LinkClaim() {
    if (call_ != nullptr) {
        call_->cancel();
    }
    if (service_ != nullptr) {
        service_->leave();
    }
}

bool LinkClaim::take(RedisService& service, std::string_view id, Done done) {
    service_ = &service;
    service_->enter();
    key_ = service.config().prefix + "presigned:{" + std::string{id} + '}';
    held_until_ = ngx_current_msec + lease;
    std::string command;
    append_command(command, {"SET", key_, "in use", "NX", "PX", std::to_string(lease)});
    call_ = service.call(key_, std::move(command), 1,
                         [this, done = std::move(done)](std::span<RespReply> replies) {
                             const bool taken = !replies.empty() && replies[0].value().nil();
                             if (taken) {
                                 held_until_ = 0;
                             }
                             done(!taken);
                         });
    return call_ != nullptr;
}

void LinkClaim::settle(bool used, std::int64_t expires) {
    std::string command;
    if (used) {
        const std::int64_t seconds = std::max<std::int64_t>(expires - ngx_time(), 0) + margin;
        append_command(command, {"SET", key_, "used", "EX", std::to_string(seconds)});
    } else if (static_cast<ngx_msec_int_t>(held_until_ - ngx_current_msec) > 0) {
        append_command(command, {"DEL", key_});
    } else {
        return;  // it may be another's by now
    }
    static_cast<void>(service_->call(key_, std::move(command), 1, [](std::span<RespReply>) {}));
}

}  // namespace media
