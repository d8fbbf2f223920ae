// How work in a thread learns that nobody wants it any more.
#pragma once

#include <algorithm>
#include <atomic>
#include <chrono>
#include <span>
#include <vector>

namespace media {

/// Shared by the thread that works and the one that waits. Either side may read it at any time.
class Cancellation {
  public:
    using Clock = std::chrono::steady_clock;

    /// With `whole`, this is a part of work that is cancelled as a whole by setting it; it must outlive us.
    explicit Cancellation(Clock::time_point deadline, const std::atomic<bool>* whole = nullptr) noexcept
        : deadline_(deadline), whole_(whole) {}

    /// Of work for several, at least one: it goes on for as long as any of them has a use for it. They must
    /// outlive us.
    explicit Cancellation(std::span<const Cancellation* const> several)
        : deadline_((*std::max_element(several.begin(), several.end(),
                                       [](const Cancellation* a, const Cancellation* b) {
                                           return a->deadline_ < b->deadline_;
                                       }))
                        ->deadline_),
          whole_(nullptr),
          several_(several.begin(), several.end()) {}

    void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }

    /// Another deadline; by the thread that works, while nobody else reads it.
    void set_deadline(Clock::time_point deadline) noexcept { deadline_ = deadline; }

    /// Someone called cancel(): the result is not wanted.
    bool cancelled() const noexcept {
        return cancelled_.load(std::memory_order_relaxed) ||
               (whole_ != nullptr && whole_->load(std::memory_order_relaxed)) ||
               (!several_.empty() && std::all_of(several_.begin(), several_.end(),
                                                 [](const Cancellation* one) { return one->should_stop(); }));
    }
    bool expired() const noexcept { return Clock::now() >= deadline_; }
    bool should_stop() const noexcept { return cancelled() || expired(); }

    /// Time left, never negative.
    Clock::duration left() const noexcept {
        const auto now = Clock::now();
        return now >= deadline_ ? Clock::duration::zero() : deadline_ - now;
    }

  private:
    std::atomic<bool> cancelled_{false};
    Clock::time_point deadline_;
    const std::atomic<bool>* whole_;
    std::vector<const Cancellation*> several_;
};

}  // namespace media
