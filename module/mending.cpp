// Making stores whole after a crash.

#include <ctime>
#include <memory>
#include <utility>
#include <vector>

#include "core/store/used_links.h"
#include "module/config.h"
#include "module/events.h"
#include "module/guard.h"
#include "module/upload_config.h"
#include "module/worker.h"

namespace media {

namespace {

// A worker may be killed while another, or one of before a reload, still holds what it has left: those let go
// soon.
constexpr ngx_msec_t first_pauses = 3000;
constexpr ngx_msec_t pauses = 60'000;
constexpr ngx_uint_t first_times = 4;

class Mend final : public Task {
  public:
    struct Mended {
        std::shared_ptr<const Store> store;
        EventHooks events;
    };
    explicit Mend(std::vector<Mended> stores) : stores_(std::move(stores)) {}

    void work() noexcept override {
        for (const auto& [store, events] : stores_) {
            if (Status status = store->mend(events.published, events.removed, events.rejected); !status) {
                failure_ = std::move(status).error();
            }
            if (Status status = UsedLinks{store->path()}.sweep(std::time(nullptr)); !status) {
                failure_ = std::move(status).error();
            }
        }
    }
    void complete() noexcept override {
        if (Worker* here = worker()) {
            here->mending.busy = false;
        }
        if (failure_.cause != 0) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, failure_.cause, "media: cannot mend a store: %s",
                          failure_.detail.c_str());
        }
    }
    void cancel() noexcept override {}

  private:
    const std::vector<Mended> stores_;
    Error failure_;
};

void on_mending(ngx_event_t* event) {
    Worker* here = worker();
    if (here == nullptr || ngx_exiting != 0 || ngx_terminate != 0) {
        return;
    }
    MendingWatch& watch = here->mending;
    ngx_add_timer(event, ++watch.times < first_times ? first_pauses : pauses);
    if (watch.busy) {
        return;
    }
    const auto& main = *static_cast<const MainConfig*>(event->data);
    std::vector<Mend::Mended> stores;
    for (const auto& declared : main.catalogue->stores) {
        stores.push_back({declared->store, event_hooks(main, declared->path)});
    }
    // What was left is looked after before new work makes the queue long.
    here->pool.post_first(std::make_unique<Mend>(std::move(stores)));
    watch.busy = true;
}

}  // namespace

void schedule_mending(const ngx_cycle_t* cycle, MainConfig* main, Worker& worker) {
    if (main->catalogue->stores.empty()) {
        return;
    }
    ngx_event_t& timer = worker.mending.timer;
    timer.handler = guard<on_mending>;
    timer.data = main;
    timer.log = cycle->log;
    timer.cancelable = 1;
    ngx_add_timer(&timer, 1);
}

}  // namespace media
