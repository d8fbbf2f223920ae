// One worker of each master reads what another master's workers have written to the log of purges, and writes
// the log anew when most of it is over.

#include <sys/stat.h>

#include <algorithm>
#include <memory>
#include <utility>

#include "module/guard.h"
#include "module/purge_table.h"
#include "module/worker.h"

namespace media {

namespace {

constexpr ngx_msec_t look_period = 200;
constexpr time_t pause = 60;  // seconds after a failure

// A line has some 90 bytes. The log may be this many times larger than what is in force needs.
constexpr std::uint64_t line_size = 90;
constexpr std::uint64_t slack = 4;
constexpr std::uint64_t small_log = 64U << 10U;

class Reading final : public Task {
  public:
    Reading(PurgeTable* table, Worker& worker)
        : table_(table), worker_(worker), path_(table->log()), from_(table->position()) {}

    void work() noexcept override {
        try {
            part_ = read_purge_log(path_, from_);
        } catch (...) {
            part_ = {};
            part_.position = from_;
            part_.error = ENOMEM;
        }
    }

    void complete() noexcept override {
        worker_.purge_watch.busy = false;
        if (part_.error != 0) {
            worker_.purge_watch.not_before = ngx_time() + pause;
            worker_.purge_watch.looked_at = {};
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, part_.error, "media: cannot read \"%s\"",
                          path_.c_str());
        }
        if (part_.damaged > 0) {
            ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "media: skipped %uz damaged lines of \"%s\"",
                          part_.damaged, path_.c_str());
        }
        try {
            table_->merge(part_.records);
            table_->set_position(part_.position);
        } catch (...) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "media: out of memory");
        }
    }

    void cancel() noexcept override {}

  private:
    PurgeTable* table_;
    Worker& worker_;
    std::string path_;
    PurgeLogPosition from_;
    PurgeLogPart part_;
};

class Rewriting final : public Task {
  public:
    Rewriting(PurgeTable* table, Worker& worker)
        : table_(table),
          worker_(worker),
          path_(table->log()),
          known_(table->position()),
          live_(table->recent(0)) {}

    void work() noexcept override {
        try {
            error_ = rewrite_purge_log(path_, known_, live_, written_);
        } catch (...) {
            error_ = ENOMEM;
        }
    }

    void complete() noexcept override {
        worker_.purge_watch.busy = false;
        if (error_ != 0) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, error_, "media: cannot write \"%s\" anew",
                          path_.c_str());
            worker_.purge_watch.not_before = ngx_time() + pause;
            return;
        }
        worker_.purge_watch.looked_at = {};
        table_->set_position(written_);
        table_->set_log_moved(false);
    }

    void cancel() noexcept override {}

  private:
    PurgeTable* table_;
    Worker& worker_;
    std::string path_;
    PurgeLogPosition known_;
    std::vector<PurgeRecord> live_;
    PurgeLogPosition written_;
    int error_ = 0;
};

void look(PurgeTable* table, Worker& worker) {
    table->tidy();
    PurgeWatch& watch = worker.purge_watch;
    if (table->log().empty() || watch.busy || ngx_time() < watch.not_before) {
        return;
    }
    struct stat about {};
    const bool there = stat(table->log().c_str(), &about) == 0;
    const PurgeLogPosition position = table->position();
    const auto size = static_cast<std::uint64_t>(there ? about.st_size : 0);
    const bool same = there && about.st_ino == position.inode;
    const std::uint64_t limit = small_log + slack * line_size * table->size();
    std::unique_ptr<Task> task;
    if (same ? position.offset > limit || table->log_moved() : !there && table->log_moved()) {
        task = std::make_unique<Rewriting>(table, worker);
    } else if (there && !(same && size == position.offset) &&
               !(about.st_ino == watch.looked_at.inode && size == watch.looked_at.offset)) {
        // A line that somebody has left unfinished is looked at once.
        watch.looked_at = {about.st_ino, size};
        task = std::make_unique<Reading>(table, worker);
    } else {
        return;
    }
    worker.pool.post_first(std::move(task));
    watch.busy = true;
}

void on_look(ngx_event_t* event) {
    Worker* here = worker();
    if (here == nullptr || ngx_exiting != 0 || ngx_terminate != 0) {
        return;
    }
    ngx_add_timer(event, look_period);
    look(static_cast<PurgeTable*>(event->data), *here);
}

}  // namespace

void schedule_purge_watch(const ngx_cycle_t* cycle, PurgeTable* table, Worker& worker) {
    if (ngx_worker != 0) {
        return;
    }
    ngx_event_t& timer = worker.purge_watch.timer;
    timer.handler = guard<on_look>;
    timer.data = table;
    timer.log = cycle->log;
    timer.cancelable = 1;
    ngx_add_timer(&timer, look_period);
}

}  // namespace media
