#include "module/request_wait.h"

#include <utility>

#include "module/guard.h"
#include "module/worker.h"

namespace media {

namespace {

// A worker that retires stays while a timer is set that cannot be cancelled. What it does is nothing.
constexpr ngx_msec_t heartbeat = 5000;

}  // namespace

void AwaitedTask::work() noexcept {
    try {
        run();
    } catch (...) {
        crashed_ = true;
    }
}

void AwaitedTask::complete() noexcept {
    if (waiter_ == nullptr) {
        return;
    }
    RequestWait* waiter = std::exchange(waiter_, nullptr);
    waiter->task_ = nullptr;
    if (crashed_) {
        waiter->resume([]() -> ngx_int_t { throw std::bad_alloc(); });
    } else {
        // The step may wait for the next task.
        waiter->resume(std::exchange(waiter->then_, nullptr));
    }
}

ngx_int_t RequestWait::begin(ngx_int_t outcome) noexcept {
    if (outcome != pending) {
        return outcome;
    }
    r_->main->count++;
    return NGX_DONE;
}

bool RequestWait::post(std::unique_ptr<AwaitedTask> task, Step then) {
    AwaitedTask* raw = task.get();
    std::unique_ptr<Task> work = std::move(task);
    if (!worker()->pool.post(work)) {
        return false;
    }
    await(raw, std::move(then));
    return true;
}

void RequestWait::post_next(std::unique_ptr<AwaitedTask> task, Step then) {
    AwaitedTask* raw = task.get();
    worker()->pool.post_first(std::move(task));
    await(raw, std::move(then));
}

void RequestWait::await(AwaitedTask* task, Step then) {
    task->waiter_ = this;
    task_ = task;
    then_ = std::move(then);
    hold();
}

void RequestWait::hold() noexcept {
    // A client that leaves is noticed when it is answered: its work may be of use to it when it comes back.
    r_->read_event_handler = ngx_http_block_reading;
    r_->write_event_handler = ngx_http_request_empty_handler;
    if (!timer_.timer_set) {
        timer_.handler = guard<&RequestWait::on_timer>;
        timer_.data = this;
        timer_.log = r_->connection->log;
        ngx_add_timer(&timer_, heartbeat);
    }
}

void RequestWait::soon(Step then) noexcept {
    then_ = std::move(then);
    soon_.handler = guard<&RequestWait::on_soon>;
    soon_.data = this;
    soon_.log = r_->connection->log;
    ngx_post_event(&soon_, &ngx_posted_events);
}

void RequestWait::on_soon(ngx_event_t* event) {
    auto* wait = static_cast<RequestWait*>(event->data);
    wait->resume(std::exchange(wait->then_, nullptr));
}

void RequestWait::resume(const Step& step) noexcept {
    ngx_connection_t* connection = r_->connection;
    ngx_http_set_log_request(connection->log, r_);
    ngx_int_t outcome = NGX_HTTP_INTERNAL_SERVER_ERROR;
    try {
        outcome = step();
    } catch (...) {
        ngx_log_error(NGX_LOG_ERR, connection->log, 0, "media: out of memory");
    }
    if (outcome != pending) {
        if (outcome != NGX_DONE) {
            release();  // otherwise nginx does something for the request, after which it may wait again
        }
        ngx_http_finalize_request(r_, outcome);
    }
    ngx_http_run_posted_requests(connection);
}

void RequestWait::release() noexcept {
    if (timer_.timer_set) {
        ngx_del_timer(&timer_);
    }
}

void RequestWait::forget() noexcept {
    release();
    if (soon_.posted) {
        ngx_delete_posted_event(&soon_);
    }
    if (task_ == nullptr) {
        return;
    }
    task_->waiter_ = nullptr;
    task_->cancel();
    if (Worker* here = worker()) {
        here->pool.withdraw(task_);
    }
    task_ = nullptr;
}

void RequestWait::on_timer(ngx_event_t* event) {
    ngx_add_timer(event, heartbeat);
}

}  // namespace media
