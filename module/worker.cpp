#include "module/worker.h"

#include <sys/resource.h>

#include <algorithm>
#include <memory>
#include <utility>
#include <vector>

#include "core/picture/engine.h"
#include "module/config.h"
#include "module/guard.h"
#include "module/own_request.h"

namespace media {

namespace {

// One process, one worker: nginx forks before it calls start_worker.
std::unique_ptr<Worker> current;

bool renders() noexcept {
    return ngx_process == NGX_PROCESS_WORKER || ngx_process == NGX_PROCESS_SINGLE;
}

// How many cache files a worker keeps open: few beside its connections.
std::size_t hot_limit(const ngx_cycle_t* cycle) noexcept {
    rlimit files{};
    const std::size_t most = getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : 1024;
    const std::size_t spare = most > cycle->connection_n ? most - cycle->connection_n : 0;
    return std::min<std::size_t>(spare / 4, 1024);
}

void on_tidy(ngx_event_t* event) {
    if (Worker* here = worker(); here != nullptr && here->hot_files.tidy(ngx_current_msec)) {
        ngx_add_timer(event, HotFiles::idle_time / 4);
    }
}

/// Loads the fonts of the text watermarks before anybody waits for them.
class LoadFonts final : public Task {
  public:
    explicit LoadFonts(std::map<std::string, std::shared_ptr<Watermark>, std::less<>> watermarks)
        : watermarks_(std::move(watermarks)) {}

    void work() noexcept override {
        try {
            for (const auto& [name, watermark] : watermarks_) {
                if (Status status = load_fonts(*watermark); !status) {
                    failed_.emplace_back(name.c_str(), std::move(status).error());
                }
            }
        } catch (...) {
            failed_.clear();  // out of memory: whoever wants a text will see
        }
    }
    void complete() noexcept override {
        for (const auto& [name, error] : failed_) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "media: watermark \"%s\": %s", name,
                          error.detail.c_str());
        }
    }
    void cancel() noexcept override {}

  private:
    const std::map<std::string, std::shared_ptr<Watermark>, std::less<>> watermarks_;
    std::vector<std::pair<const char*, Error>> failed_;
};

void on_fonts(ngx_event_t* event) {
    Worker* here = worker();
    if (here == nullptr || ngx_exiting != 0 || ngx_terminate != 0) {
        return;
    }
    std::unique_ptr<Task> loading = std::make_unique<LoadFonts>(here->watermarks);
    if (!here->pool.post(loading)) {
        ngx_add_timer(event, 1000);  // busy: soon
    }
}

void start_dispatchers(const MainConfig& main, Worker& here) {
    for (const EventStore& store : main.catalogue->event_stores) {
        std::vector<std::unique_ptr<EventSink>> sinks;
        for (const EventStore::Notified& notified : store.notified) {
            sinks.push_back(notify_sink(notified));
        }
        for (const RedisConfig* redis : store.redis) {
            sinks.push_back(stream_sink(*here.redis.find(redis)->second));
        }
        if (!sinks.empty()) {
            here.event_dispatchers.push_back(
                std::make_unique<EventDispatcher>(store.path, std::move(sinks), *main.events, here.pool));
        }
    }
}

}  // namespace

void Worker::keep_hot(std::shared_ptr<HotFile> file) {
    hot_files.add(std::move(file));
    if (!tidy.timer_set) {
        ngx_add_timer(&tidy, HotFiles::idle_time / 4);
    }
}

Worker* worker() noexcept {
    return current.get();
}

ngx_int_t start_worker(ngx_cycle_t* cycle) {
    // Also called in the cache manager and the cache loader, which render nothing.
    auto* main = static_cast<MainConfig*>(ngx_http_cycle_get_module_main_conf(cycle, ngx_http_media_module));
    if (!renders() || main == nullptr || !main->catalogue->used) {
        return NGX_OK;
    }
    if (const Status status = start_engine(main->catalogue->documents); !status) {
        ngx_log_error(NGX_LOG_EMERG, cycle->log, 0, "media: %s", status.error().detail.c_str());
        return NGX_ERROR;
    }
    set_buildable_formats(encodable_formats());
    note_listening(cycle);
    current = std::make_unique<Worker>();
    for (const WatermarkSpec& spec : main->catalogue->watermarks) {
        auto prepared = prepare_watermark(spec);
        if (!prepared) {
            ngx_log_error(NGX_LOG_ERR, cycle->log, 0, "media: watermark \"%s\": %s", spec.name.c_str(),
                          prepared.error().detail.c_str());
            continue;
        }
        current->watermarks.emplace(spec.name, std::move(*prepared));
    }
    if (current->pool.start(cycle, static_cast<std::size_t>(main->threads),
                            static_cast<std::size_t>(main->queue)) != NGX_OK) {
        current.reset();
        return NGX_ERROR;
    }
    for (const auto& config : main->catalogue->redis) {
        const auto place =
            current->redis.emplace(config.get(), std::make_unique<RedisService>(*config)).first;
        RedisService& service = *place->second;
        current->mirror_debts.emplace(&service, std::make_unique<MirrorDebt>(service));
    }
    current->hot_files.start(hot_limit(cycle));
    current->tidy.handler = guard<on_tidy>;
    current->tidy.data = current.get();
    current->tidy.log = cycle->log;
    current->tidy.cancelable = 1;
    schedule_sweep(cycle, main, *current);
    schedule_mending(cycle, main, *current);
    schedule_purge_watch(cycle, main->purges, *current);
    if (ngx_worker == 0) {
        for (const auto& [config, service] : current->redis) {
            current->purge_exchanges.push_back(
                std::make_unique<PurgeExchange>(*service, *main->purges, current->purge_writer));
        }
        start_dispatchers(*main, *current);
    }
    if (!main->catalogue->watermark_texts.empty()) {
        current->fonts.handler = guard<on_fonts>;
        current->fonts.data = current.get();
        current->fonts.log = cycle->log;
        current->fonts.cancelable = 1;
        ngx_add_timer(&current->fonts, 1);
    }
    return NGX_OK;
}

void stop_worker(ngx_cycle_t* /*cycle*/) {
    if (current) {
        current->purge_exchanges.clear();
        current->mirror_debts.clear();
        current->event_dispatchers.clear();
        for (const auto& [config, service] : current->redis) {
            service->stop();
        }
        current->pool.stop();
        current.reset();
        stop_engine();
    }
}

}  // namespace media
