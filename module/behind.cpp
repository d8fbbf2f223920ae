#include "module/behind.h"

namespace media {

namespace {

constexpr ngx_msec_t pause = 60'000;
constexpr std::size_t most_failures = 1000;

bool over(ngx_msec_t time) noexcept {
    return static_cast<ngx_msec_int_t>(time - ngx_current_msec) <= 0;
}

}  // namespace

Behind::Answer Behind::begin(const std::string& key) {
    if (failed(key)) {
        return Answer::failed;
    }
    if (under_way_.size() >= most) {
        return Answer::not_now;
    }
    return under_way_.insert(key).second ? Answer::yes : Answer::not_now;
}

void Behind::end(const std::string& key, bool failed) {
    under_way_.erase(key);
    if (!failed) {
        return;
    }
    if (failed_.size() >= most_failures) {
        std::erase_if(failed_, [](const auto& entry) { return over(entry.second); });
    }
    if (failed_.size() >= most_failures) {
        failed_.clear();
    }
    failed_[key] = ngx_current_msec + pause;
}

bool Behind::failed(const std::string& key) const noexcept {
    const auto found = failed_.find(key);
    return found != failed_.end() && !over(found->second);
}

}  // namespace media
