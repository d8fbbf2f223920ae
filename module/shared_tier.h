// Renditions in Redis, as one request sees them: looking one up, the lease that lets one machine of a fleet
// make it, storing it. Belongs to the event loop.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "core/share/resp.h"
#include "module/ngx.h"
#include "module/redis_service.h"

namespace media {

class SharedTier {
  public:
    /// `original` names the original, whose keys share a slot; `key` is the whole cache key. `step` is called
    /// on the loop once a pending look() can go on. Waits for another's work for `patience` at most; without
    /// it, for one who will not make it, look() bids for no lease, and finds it or nothing (`alone`).
    SharedTier(RedisService& service, std::string_view original, std::string_view key,
               std::optional<ngx_msec_t> patience, std::function<void()> step);
    SharedTier(const SharedTier&) = delete;
    SharedTier& operator=(const SharedTier&) = delete;
    ~SharedTier();  ///< gives the lease back

    enum class Outcome : std::uint8_t {
        pending,  ///< the step will be called
        found,    ///< take() it
        ours,     ///< nobody has it, and the lease is ours
        alone,    ///< Redis does not help: make it, whoever else does
    };

    Outcome look();
    RespReply take() noexcept { return std::move(found_); }

    /// What take() gave was no rendition: it is removed.
    void reject();

    /// The lease goes on; call at least every half `lease`.
    void renew() noexcept;
    static constexpr ngx_msec_t lease = 5000;

    /// Stores an envelope for `seconds` and gives the lease back; nobody waits for it.
    void store(const std::string& envelope, time_t seconds);

    /// Gives the lease back.
    void release() noexcept;

  private:
    enum class State : std::uint8_t { idle, looking, bidding, pausing, settled };

    bool ask(std::string batch, std::size_t count, void (SharedTier::*then)(std::span<RespReply>));
    void get();
    void bid();
    void on_got(std::span<RespReply> replies);
    void on_bid(std::span<RespReply> replies);
    void settle(Outcome outcome);
    void pause();
    bool lease_lasts() const noexcept;
    static void on_pause(ngx_event_t* event);

    RedisService& service_;
    std::string key_;    ///< of the rendition
    std::string lease_;  ///< of the lease
    std::function<void()> step_;
    ngx_msec_t give_up_;

    State state_ = State::idle;
    bool bids_;
    Outcome outcome_ = Outcome::pending;
    bool inside_ = false;  ///< look() is on the stack
    std::shared_ptr<RedisCall> call_;
    RespReply found_;
    ngx_event_t timer_{};
    ngx_msec_t pause_ = 0;
    bool holds_ = false;                 ///< the lease
    ngx_msec_t held_until_ = 0;          ///< by our clock, which starts earlier than Redis'
    bool served_ = false;                ///< the lease is no longer needed
    std::shared_ptr<SharedTier*> self_;  ///< for what may outlive us; null inside once we are gone
};

}  // namespace media
