// A request that waits while something beside the event loop works for it.
#pragma once

#include <chrono>
#include <functional>
#include <memory>

#include "core/base/cancellation.h"
#include "module/ngx.h"
#include "module/render_pool.h"

namespace media {

class RequestWait;

/// Work of the pool that a request waits for. It runs to its end even if the request does not live to see it.
class AwaitedTask : public Task {
  public:
    void work() noexcept final;
    void complete() noexcept final;
    void cancel() noexcept final { cancelled_.store(true, std::memory_order_relaxed); }

    /// Whether it was ended by an exception: there is no outcome.
    bool crashed() const noexcept { return crashed_; }

  protected:
    virtual void run() = 0;

    /// Whether nobody wants the outcome any more; any thread.
    const std::atomic<bool>& cancelled() const noexcept { return cancelled_; }

  private:
    friend class RequestWait;

    RequestWait* waiter_ = nullptr;  ///< null once nobody waits; the loop's
    bool crashed_ = false;
    std::atomic<bool> cancelled_{false};
};

/// Part of an object in the pool of a request; belongs to the event loop. Holds the request, and a retiring
/// worker, while anything is under way, and leads back into the request from whatever calls.
class RequestWait {
  public:
    /// What a step returns while something will call back; no code of nginx' own.
    static constexpr ngx_int_t pending = -1000;

    /// Goes on with the request; returns `pending` or what it is to be finalized with.
    using Step = std::function<ngx_int_t()>;

    explicit RequestWait(ngx_http_request_t* r) noexcept : r_(r) {}
    RequestWait(const RequestWait&) = delete;
    RequestWait& operator=(const RequestWait&) = delete;
    ~RequestWait() { forget(); }

    /// Returns, as a content handler, what its first step came to.
    ngx_int_t begin(ngx_int_t outcome) noexcept;

    /// Hands a task to the pool; `then` is called when it is done, and may use it. False where too much work
    /// waits already.
    bool post(std::unique_ptr<AwaitedTask> task, Step then);

    /// Likewise for the next part of work that was admitted before: it is never refused.
    void post_next(std::unique_ptr<AwaitedTask> task, Step then);

    /// Begins to wait for something other than a task.
    void hold() noexcept;

    /// Goes on with `then` once nginx is done with what it is about: for those who are called from the depths
    /// of a subrequest.
    void soon(Step then) noexcept;

    /// To be called by whatever was waited for.
    void resume(const Step& step) noexcept;

  private:
    friend class AwaitedTask;

    void await(AwaitedTask* task, Step then);
    void forget() noexcept;
    void release() noexcept;
    static void on_timer(ngx_event_t* event);
    static void on_soon(ngx_event_t* event);

    ngx_http_request_t* r_;
    AwaitedTask* task_ = nullptr;  ///< the pool's
    Step then_;
    ngx_event_t timer_{};
    ngx_event_t soon_{};
};

}  // namespace media
