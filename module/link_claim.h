// Links for one upload, as machines that share a Redis see them.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "module/redis_service.h"

namespace media {

/// `<prefix>presigned:{<id>}` is there while a machine uses a link, and after it was used. This machine's own
/// marks count in any case; without Redis they alone do. Part of an object in the pool of a request; belongs
/// to the event loop.
class LinkClaim {
  public:
    LinkClaim() = default;
    LinkClaim(const LinkClaim&) = delete;
    LinkClaim& operator=(const LinkClaim&) = delete;
    ~LinkClaim();

    using Done = std::function<void(bool free)>;

    /// Takes a link; `done` is told whether nobody else has it, which is so too when Redis does not answer.
    /// False where Redis is not to be had: there is nothing to wait for.
    bool take(RedisService& service, std::string_view id, Done done);

    /// Ends what take() began: the link was used, and is remembered until `expires` (Unix time), or it was
    /// not, and others may use it. Nobody waits for that.
    void settle(bool used, std::int64_t expires);

    /// How long a link is held for a machine that dies, in milliseconds. Storing takes less.
    static constexpr ngx_msec_t lease = 60'000;

  private:
    RedisService* service_ = nullptr;
    std::string key_;
    std::shared_ptr<RedisCall> call_;
    ngx_msec_t held_until_ = 0;  ///< by our clock, which starts earlier than Redis'
};

}  // namespace media
