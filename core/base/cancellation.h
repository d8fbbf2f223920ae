// How work in a thread learns that nobody wants it any more.
#pragma once

#include <atomic>
#include <chrono>

namespace media {

/// Shared by the thread that works and the one that waits. Either side may read it at any time.
class Cancellation {
  public:
    using Clock = std::chrono::steady_clock;

    /// With `whole`, this is a part of work that is cancelled as a whole by setting it; it must outlive us.
    explicit Cancellation(Clock::time_point deadline, const std::atomic<bool>* whole = nullptr) noexcept
        : deadline_(deadline), whole_(whole) {}

    void cancel() noexcept { cancelled_.store(true, std::memory_order_relaxed); }

    /// Someone called cancel(): the result is not wanted.
    bool cancelled() const noexcept {
        return cancelled_.load(std::memory_order_relaxed) ||
               (whole_ != nullptr && whole_->load(std::memory_order_relaxed));
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
};

}  // namespace media
