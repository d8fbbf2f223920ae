// The threads that work beside nginx's event loop.
#pragma once

#include <condition_variable>
#include <deque>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <thread>
#include <vector>

#include "core/base/fair_queue.h"
#include "module/descriptor.h"
#include "module/ngx.h"

namespace media {

/// A piece of work. work() and estimate() run in a thread, everything else on the event loop. It owns all it
/// touches in them: no request, no pool, no log of a connection.
class Task {
  public:
    Task() = default;
    Task(const Task&) = delete;
    Task& operator=(const Task&) = delete;
    virtual ~Task() = default;

    /// CPU seconds that work() takes about, asked before it and only where it has to wait. No more than a
    /// header is read for that. Nothing where there is no telling.
    virtual std::optional<double> estimate() noexcept { return std::nullopt; }

    virtual void work() noexcept = 0;
    virtual void complete() noexcept = 0;

    /// Asks running work to stop soon; any thread.
    virtual void cancel() noexcept = 0;

    /// Whether both need the same original, neither has been begun, and share() is worth while. Asked of
    /// itself: whether it might be so with any task.
    virtual bool alike(const Task& /*other*/) const noexcept { return false; }

    /// Of such a task, the first part of its work: in a thread, before work(). Those alike that come
    /// meanwhile are kept together for it.
    virtual void gather() noexcept {}

    /// After gather(), in the same thread: does for all what can be done at once. Then each of them is to
    /// work() on its own.
    virtual void share(std::span<Task* const> /*others*/) noexcept {}
};

/// Threads with a bounded queue, in which cheap work is not stuck behind dear work and dear work is not
/// starved (FairTerms). Work that has begun cannot be put off: so beside the threads for everything there is
/// one that begins cheap and short work only, while all others are busy. One pool for each worker process;
/// all functions belong to the event loop.
class RenderPool {
  public:
    RenderPool() = default;
    RenderPool(const RenderPool&) = delete;
    RenderPool& operator=(const RenderPool&) = delete;
    ~RenderPool() { stop(); }

    /// Starts `threads` threads, and the one for cheap work; at most `queue` tasks wait while all are busy.
    /// NGX_ERROR when a thread or the wake-up descriptor cannot be had.
    ngx_int_t start(ngx_cycle_t* cycle, std::size_t threads, std::size_t queue);

    /// Cancels all work, joins the threads and drops what has not completed.
    void stop() noexcept;

    /// Takes the task over, or leaves it untouched and returns false when too many wait already. Idle threads
    /// are told once the events at hand are dealt with: what came at once is then there at once, and finds
    /// what is alike.
    bool post(std::unique_ptr<Task>& task);

    /// Takes over a short task that cannot be refused: it is begun before all that is not as short. Callers
    /// bound their number.
    void post_first(std::unique_ptr<Task> task);

    /// Takes over a task for which nobody waits: it is begun only where a thread has nothing else to do, and
    /// but one thread never has more than such tasks. Callers bound their number.
    void post_spare(std::unique_ptr<Task> task);

    /// Drops the task if no thread has begun it; it will then not complete.
    void withdraw(const Task* task);

    /// Whether no thread has begun a task of this pool yet.
    bool waits(const Task* task);

  private:
    using Queue = FairQueue<std::unique_ptr<Task>>;
    enum class Takes : std::uint8_t { all, cheap };
    struct Work {
        Queue::Turn turn;
        bool spare = false;
    };

    /// A task that gathers, and those that wait for it.
    struct Meeting {
        Task* host;
        std::vector<std::unique_ptr<Task>> guests;
    };

    void run(Takes takes) noexcept;
    std::optional<Work> wait(std::unique_lock<std::mutex>& lock, Takes takes);
    void see(std::unique_lock<std::mutex>& lock, Queue::Turn turn);
    bool join(std::unique_ptr<Task>& task);
    void share(std::unique_lock<std::mutex>& lock, const Queue::Turn& turn, Takes takes);
    bool has_spare() const noexcept;
    void tell_threads();
    void hand_back(std::unique_ptr<Task> task, std::deque<std::unique_ptr<Task>>& to);
    void collect() noexcept;
    static void on_wake(ngx_event_t* event);
    static void on_posted(ngx_event_t* event);

    std::mutex mutex_;
    std::condition_variable arrived_;        ///< for the threads that take all
    std::condition_variable cheap_arrived_;  ///< for the other one
    Queue queue_;
    std::deque<std::unique_ptr<Task>> spare_;
    std::size_t spare_running_ = 0;
    std::size_t spare_limit_ = 1;    ///< how many of them run at once
    std::vector<const Task*> seen_;  ///< out of the queue for a moment, to be estimated
    std::vector<Task*> running_;
    std::vector<Meeting*> meetings_;
    std::deque<std::unique_ptr<Task>> finished_;
    std::deque<std::unique_ptr<Task>> dropped_;  ///< while they were estimated
    std::vector<std::thread> threads_;
    std::size_t limit_ = 0;
    std::size_t idle_ = 0;  ///< of the threads that take all
    bool stopping_ = false;

    ngx_event_t posted_{};  ///< tells the threads
    Descriptor wake_;
    ngx_connection_t* connection_ = nullptr;
};

}  // namespace media
