// How long an answer stays fresh: what its origin says, else what the configuration says.
#pragma once

#include <ctime>
#include <string>

#include "core/share/freshness.h"
#include "module/ngx.h"
#include "module/stored_facts.h"

namespace media {

/// What an origin knows its answer by, as it sent it; asked with in a conditional request.
struct Validators {
    std::string etag;
    std::string last_modified;

    bool empty() const noexcept { return etag.empty() && last_modified.empty(); }
};

/// The life of one answer; pure data that a thread may read.
struct Freshness {
    const ngx_array_t* by_status = nullptr;  ///< media_cache_valid; lives as long as the configuration
    Lifetimes life;
    bool told = false;         ///< this answer itself spoke of its life
    time_t answered = 0;       ///< when it came
    std::int64_t checked = 0;  ///< the same in milliseconds
    std::uint32_t age = 0;     ///< how old it was then
    time_t last_modified = -1;
    std::string cache_control;
    Validators validators;

    /// Now, on the loop; nothing is said.
    static Freshness now(const ngx_array_t* by_status) noexcept;

    /// Of a "304 Not Modified": what it leaves unsaid holds on as it was said with the entry.
    void continue_from(const StoredFacts& kept);

    /// Until when an answer of `status` is fresh, which may be past: it is asked for at every use. 0: it is
    /// not to be kept. `told_by_origin`: the status is the origin's, not ours about its answer.
    time_t valid_until(int status, bool told_by_origin) const noexcept;

    /// Puts what a later request needs of this into an entry's facts.
    void note(StoredFacts& facts) const noexcept;
};

/// The cached time in milliseconds since the epoch.
std::int64_t now_in_milliseconds() noexcept;

}  // namespace media
