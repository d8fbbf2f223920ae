// The threads that work beside nginx's event loop.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "module/descriptor.h"
#include "module/ngx.h"

namespace media {

/// A piece of work. work() runs in a thread, everything else on the event loop. It owns all it touches in
/// work(): no request, no pool, no log of a connection.
class Task {
  public:
    Task() = default;
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;
    virtual ~Task() = default;

    virtual void work() noexcept = 0;
    virtual void complete() noexcept = 0;

    /// Asks running work to stop soon; any thread.
    virtual void cancel() noexcept = 0;
};

/// Threads with a bounded queue. One for each worker process; all functions belong to the event loop.
class RenderPool {
  public:
    RenderPool() = default;
    RenderPool(const RenderPool&) = delete;
    RenderPool& operator=(const RenderPool&) = delete;
    ~RenderPool() { stop(); }

    /// Starts `threads` threads; at most `queue` tasks wait while all are busy. NGX_ERROR when a thread or
    /// the wake-up descriptor cannot be had.
    ngx_int_t start(ngx_cycle_t* cycle, std::size_t threads, std::size_t queue);

    /// Cancels all work, joins the threads and drops what has not completed.
    void stop() noexcept;

    /// Takes the task over, or leaves it untouched and returns false when too many wait already.
    bool post(std::unique_ptr<Task>& task);

    /// Takes over a short task that cannot be refused: it is the next to be begun. Callers bound their
    /// number.
    void post_first(std::unique_ptr<Task> task);

    /// The task back, if no thread has begun it; it will then not complete.
    std::unique_ptr<Task> withdraw(const Task* task);

    /// Whether no thread has begun a task of this pool yet.
    bool waits(const Task* task);

  private:
    void run() noexcept;
    void collect() noexcept;
    static void on_wake(ngx_event_t* event);

    std::mutex mutex_;
    std::condition_variable arrived_;
    std::deque<std::unique_ptr<Task>> queue_;
    std::vector<Task*> running_;
    std::deque<std::unique_ptr<Task>> finished_;
    std::vector<std::thread> threads_;
    std::size_t limit_ = 0;
    std::size_t idle_ = 0;
    bool stopping_ = false;

    Descriptor wake_;
    ngx_connection_t* connection_ = nullptr;
};

}  // namespace media
