#include "module/render_pool.h"

#include <sys/eventfd.h>

#include <csignal>
#include <cstdint>

#include <algorithm>
#include <chrono>
#include <system_error>

#include "core/picture/engine.h"
#include "module/guard.h"

namespace media {

namespace {

// Beside the one that gathers.
constexpr std::size_t most_guests = 15;

/// Keeps nginx' signals for its main thread while threads are made, which inherit the mask.
class SignalsBlocked {
  public:
    SignalsBlocked() noexcept {
        sigset_t all;
        sigfillset(&all);
        pthread_sigmask(SIG_BLOCK, &all, &before_);
    }
    SignalsBlocked(const SignalsBlocked&) = delete;
    SignalsBlocked& operator=(const SignalsBlocked&) = delete;
    ~SignalsBlocked() { pthread_sigmask(SIG_SETMASK, &before_, nullptr); }

  private:
    sigset_t before_;
};

double now() noexcept {
    return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

ngx_int_t RenderPool::start(ngx_cycle_t* cycle, std::size_t threads, std::size_t queue) {
    limit_ = queue;
    posted_.handler = guard<&RenderPool::on_posted>;
    posted_.data = this;
    posted_.log = cycle->log;
    spare_limit_ = std::max<std::size_t>(2, threads) - 1;
    wake_.reset(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
    if (!wake_) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, ngx_errno, "eventfd() failed");
        return NGX_ERROR;
    }
    connection_ = ngx_get_connection(wake_.get(), cycle->log);
    if (connection_ == nullptr) {
        return NGX_ERROR;
    }
    connection_->data = this;
    connection_->read->handler = guard<&RenderPool::on_wake>;
    connection_->read->log = cycle->log;
    // Not a client's connection: a worker that winds down does not report it as left open.
    connection_->read->channel = 1;
    if (ngx_add_event(connection_->read, NGX_READ_EVENT, NGX_CLEAR_EVENT) != NGX_OK) {
        return NGX_ERROR;
    }
    const SignalsBlocked blocked;
    try {
        for (std::size_t i = 0; i < threads; ++i) {
            threads_.emplace_back([this]() noexcept { run(Takes::all); });
        }
        threads_.emplace_back([this]() noexcept { run(Takes::cheap); });
    } catch (const std::system_error&) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "media: cannot start %uz threads", threads);
        stop();
        return NGX_ERROR;
    }
    return NGX_OK;
}

void RenderPool::stop() noexcept {
    {
        const std::lock_guard lock{mutex_};
        stopping_ = true;
        for (Task* task : running_) {
            task->cancel();
        }
    }
    arrived_.notify_all();
    cheap_arrived_.notify_all();
    for (std::thread& thread : threads_) {
        thread.join();
    }
    threads_.clear();
    queue_.clear();
    if (posted_.posted != 0) {
        ngx_delete_posted_event(&posted_);
    }
    spare_.clear();
    finished_.clear();
    dropped_.clear();
    if (connection_ != nullptr) {
        ngx_del_conn(connection_, 0);
        ngx_free_connection(connection_);
        connection_->fd = static_cast<ngx_socket_t>(-1);
        connection_ = nullptr;
    }
    wake_.reset();
}

bool RenderPool::post(std::unique_ptr<Task>& task) {
    const std::lock_guard lock{mutex_};
    // What an idle thread is about to take does not wait.
    if (queue_.size() + seen_.size() >= limit_ + idle_) {
        return false;
    }
    queue_.put_unseen(std::move(task), now());
    if (posted_.posted == 0) {
        ngx_post_event(&posted_, &ngx_posted_events);
    }
    return true;
}

void RenderPool::post_first(std::unique_ptr<Task> task) {
    const std::lock_guard lock{mutex_};
    queue_.put_first(std::move(task));
    tell_threads();
}

void RenderPool::post_spare(std::unique_ptr<Task> task) {
    const std::lock_guard lock{mutex_};
    spare_.push_back(std::move(task));
    tell_threads();
}

void RenderPool::withdraw(const Task* task) {
    std::optional<std::unique_ptr<Task>> found;  // ends after the lock
    const auto is = [task](const auto& queued) { return queued.get() == task; };
    const std::lock_guard lock{mutex_};
    // Of one that is being estimated, the thread sees that it is gone.
    if (std::erase(seen_, task) != 0) {
        return;
    }
    if (const auto place = std::find_if(spare_.begin(), spare_.end(), is); place != spare_.end()) {
        found = std::move(*place);
        spare_.erase(place);
    } else {
        found = queue_.take_if(is);
    }
}

bool RenderPool::waits(const Task* task) {
    const auto is = [task](const auto& queued) { return queued.get() == task; };
    const std::lock_guard lock{mutex_};
    return std::find(seen_.begin(), seen_.end(), task) != seen_.end() || queue_.contains(is) ||
           std::any_of(spare_.begin(), spare_.end(), is);
}

// Whether a thread that has nothing else to do may begin what nobody waits for.
bool RenderPool::has_spare() const noexcept {
    return !spare_.empty() && spare_running_ < spare_limit_ && seen_.empty();
}

// With the lock held, after the queue has grown.
void RenderPool::tell_threads() {
    arrived_.notify_one();
    if (queue_.size() > idle_ && queue_.has_cheap()) {
        cheap_arrived_.notify_one();
    }
}

// Nothing when the pool stops.
std::optional<RenderPool::Work> RenderPool::wait(std::unique_lock<std::mutex>& lock, Takes takes) {
    if (takes == Takes::cheap) {
        // What an idle thread is about to take is none of our business.
        cheap_arrived_.wait(lock,
                            [this] { return stopping_ || (queue_.size() > idle_ && queue_.has_cheap()); });
        auto turn = stopping_ ? std::nullopt : queue_.next_cheap();
        return turn ? std::optional(Work{std::move(*turn)}) : std::nullopt;
    }
    ++idle_;
    arrived_.wait(lock, [this] { return stopping_ || !queue_.empty() || has_spare(); });
    --idle_;
    if (stopping_) {
        return std::nullopt;
    }
    if (auto turn = queue_.next()) {
        return Work{std::move(*turn)};
    }
    Work work{{std::move(spare_.front())}, true};
    spare_.pop_front();
    ++spare_running_;
    return work;
}

// Has a task estimated, and puts it back to where it belongs by that.
void RenderPool::see(std::unique_lock<std::mutex>& lock, Queue::Turn turn) {
    Task* task = turn.item.get();
    seen_.push_back(task);
    lock.unlock();
    const auto cost = task->estimate();
    lock.lock();
    if (std::erase(seen_, task) == 0) {
        hand_back(std::move(turn.item), dropped_);
    } else {
        queue_.put(std::move(turn.item), turn.arrived, cost);
    }
    tell_threads();
}

// To the event loop, with the lock held.
void RenderPool::hand_back(std::unique_ptr<Task> task, std::deque<std::unique_ptr<Task>>& to) {
    to.push_back(std::move(task));
    const std::uint64_t one = 1;
    [[maybe_unused]] const ssize_t n = write(wake_.get(), &one, sizeof(one));
}

void RenderPool::run(Takes takes) noexcept {
    std::unique_lock lock{mutex_};
    while (auto work = wait(lock, takes)) {
        Queue::Turn& turn = work->turn;
        // What nobody waits for stays what it is, and with whoever has begun it.
        if (!work->spare && join(turn.item)) {
            continue;
        }
        if (turn.unseen) {
            see(lock, std::move(turn));
            continue;
        }
        Task* task = turn.item.get();
        running_.push_back(task);
        if (task->alike(*task)) {
            share(lock, turn, takes);
        }
        lock.unlock();

        task->work();

        lock.lock();
        std::erase(running_, task);
        spare_running_ -= work->spare ? 1U : 0U;
        hand_back(std::move(turn.item), finished_);
    }
    lock.unlock();
    end_engine_thread();
}

// To whoever gathers what this one needs too, if somebody does.
bool RenderPool::join(std::unique_ptr<Task>& task) {
    for (Meeting* meeting : meetings_) {
        if (meeting->guests.size() < most_guests && task->alike(*meeting->host)) {
            running_.push_back(task.get());
            meeting->guests.push_back(std::move(task));
            return true;
        }
    }
    return false;
}

// Does what is the same for all that are alike, and leaves the rest of each to whichever thread is free. The
// thread for cheap work takes nothing dear along, but what threads that are free have for it.
void RenderPool::share(std::unique_lock<std::mutex>& lock, const Queue::Turn& turn, Takes takes) {
    Task& host = *turn.item;
    Meeting meeting{&host, {}};
    meetings_.push_back(&meeting);
    lock.unlock();
    host.gather();
    lock.lock();
    std::erase(meetings_, &meeting);
    const auto alike = [&host](const auto& task) { return task->alike(host); };
    while (meeting.guests.size() < most_guests) {
        auto guest = takes == Takes::cheap ? queue_.take_cheap_if(alike) : queue_.take_if(alike);
        if (!guest) {
            break;
        }
        running_.push_back(guest->get());
        meeting.guests.push_back(std::move(*guest));
    }
    if (meeting.guests.empty()) {
        return;
    }
    std::vector<Task*> guests;
    guests.reserve(meeting.guests.size());
    for (const auto& guest : meeting.guests) {
        guests.push_back(guest.get());
    }
    lock.unlock();
    host.share(guests);
    std::vector<std::optional<double>> costs;
    costs.reserve(guests.size());
    for (Task* guest : guests) {
        costs.push_back(guest->estimate());
    }
    lock.lock();
    // As old as the one that they came with, and without the decode that they need no more.
    for (std::size_t i = 0; i < guests.size(); ++i) {
        std::erase(running_, guests[i]);
        queue_.put(std::move(meeting.guests[i]), turn.arrived, costs[i]);
        tell_threads();
    }
}

void RenderPool::on_wake(ngx_event_t* event) {
    auto* connection = static_cast<ngx_connection_t*>(event->data);
    static_cast<RenderPool*>(connection->data)->collect();
}

void RenderPool::on_posted(ngx_event_t* event) {
    auto* pool = static_cast<RenderPool*>(event->data);
    const std::lock_guard lock{pool->mutex_};
    pool->arrived_.notify_all();
    pool->tell_threads();
}

void RenderPool::collect() noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t n = read(wake_.get(), &count, sizeof(count));
    std::deque<std::unique_ptr<Task>> finished;
    std::deque<std::unique_ptr<Task>> dropped;
    {
        const std::lock_guard lock{mutex_};
        finished.swap(finished_);
        dropped.swap(dropped_);
    }
    for (const auto& task : finished) {
        task->complete();
    }
}

}  // namespace media
