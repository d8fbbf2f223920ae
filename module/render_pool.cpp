#include "module/render_pool.h"

#include <sys/eventfd.h>

#include <csignal>
#include <cstdint>

#include <algorithm>
#include <system_error>

#include "core/picture/engine.h"
#include "module/guard.h"

namespace media {

namespace {

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

}  // namespace

ngx_int_t RenderPool::start(ngx_cycle_t* cycle, std::size_t threads, std::size_t queue) {
    limit_ = queue;
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
            threads_.emplace_back([this]() noexcept { run(); });
        }
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
    for (std::thread& thread : threads_) {
        thread.join();
    }
    threads_.clear();
    queue_.clear();
    finished_.clear();
    if (connection_ != nullptr) {
        ngx_del_conn(connection_, 0);
        ngx_free_connection(connection_);
        connection_->fd = static_cast<ngx_socket_t>(-1);
        connection_ = nullptr;
    }
    wake_.reset();
}

bool RenderPool::post(std::unique_ptr<Task>& task) {
    {
        const std::lock_guard lock{mutex_};
        // What an idle thread is about to take does not wait.
        if (queue_.size() >= limit_ + idle_) {
            return false;
        }
        queue_.push_back(std::move(task));
    }
    arrived_.notify_one();
    return true;
}

void RenderPool::post_first(std::unique_ptr<Task> task) {
    {
        const std::lock_guard lock{mutex_};
        queue_.push_front(std::move(task));
    }
    arrived_.notify_one();
}

std::unique_ptr<Task> RenderPool::withdraw(const Task* task) {
    const std::lock_guard lock{mutex_};
    const auto place = std::find_if(queue_.begin(), queue_.end(),
                                    [task](const auto& queued) { return queued.get() == task; });
    if (place == queue_.end()) {
        return nullptr;
    }
    std::unique_ptr<Task> found = std::move(*place);
    queue_.erase(place);
    return found;
}

bool RenderPool::waits(const Task* task) {
    const std::lock_guard lock{mutex_};
    return std::any_of(queue_.begin(), queue_.end(),
                       [task](const auto& queued) { return queued.get() == task; });
}

void RenderPool::run() noexcept {
    std::unique_lock lock{mutex_};
    while (true) {
        ++idle_;
        arrived_.wait(lock, [this] { return stopping_ || !queue_.empty(); });
        --idle_;
        if (stopping_) {
            break;
        }
        std::unique_ptr<Task> task = std::move(queue_.front());
        queue_.pop_front();
        running_.push_back(task.get());
        lock.unlock();

        task->work();

        lock.lock();
        std::erase(running_, task.get());
        finished_.push_back(std::move(task));
        const std::uint64_t one = 1;
        [[maybe_unused]] const ssize_t n = write(wake_.get(), &one, sizeof(one));
    }
    lock.unlock();
    end_engine_thread();
}

void RenderPool::on_wake(ngx_event_t* event) {
    auto* connection = static_cast<ngx_connection_t*>(event->data);
    static_cast<RenderPool*>(connection->data)->collect();
}

void RenderPool::collect() noexcept {
    std::uint64_t count = 0;
    [[maybe_unused]] const ssize_t n = read(wake_.get(), &count, sizeof(count));
    std::deque<std::unique_ptr<Task>> finished;
    {
        const std::lock_guard lock{mutex_};
        finished.swap(finished_);
    }
    for (const auto& task : finished) {
        task->complete();
    }
}

}  // namespace media
