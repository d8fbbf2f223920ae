// Renditions that are made though nobody waits for them.
#pragma once

#include <map>
#include <set>
#include <string>

#include "module/ngx.h"

namespace media {

/// What a worker makes behind its answers, and what it had better not try again soon. Belongs to the event
/// loop.
class Behind {
  public:
    /// How many may be under way at once in a worker, those that wait for a spare thread included.
    static constexpr std::size_t most = 16;

    enum class Answer : std::uint8_t {
        yes,      ///< end() has to be called
        not_now,  ///< it is under way, or there is no room
        failed,   ///< a while ago
    };
    Answer begin(const std::string& key);
    void end(const std::string& key, bool failed);

    /// Whether it failed a while ago.
    bool failed(const std::string& key) const noexcept;

  private:
    std::set<std::string> under_way_;
    std::map<std::string, ngx_msec_t> failed_;  ///< with the time until which that counts
};

}  // namespace media
