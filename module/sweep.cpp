// Removing what killed workers leave behind in a cache: nginx' loader skips temporary files, and max_size
// does not count them.

#include <dirent.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "module/config.h"
#include "module/guard.h"
#include "module/worker.h"

namespace media {

namespace {

// A temporary file of ours is written in one go: one that is older than this has no writer any more.
constexpr time_t orphaned_after = 20;
constexpr ngx_msec_t sweep_delay = 25'000;

// 32 hex digits, a dot and 10 digits: the name of an entry in the making.
bool temporary_name(std::string_view name) noexcept {
    constexpr std::size_t key = 2 * NGX_HTTP_CACHE_KEY_LEN;
    return name.size() == key + 11 && name[key] == '.' &&
           name.substr(0, key).find_first_not_of("0123456789abcdef") == std::string_view::npos &&
           name.substr(key + 1).find_first_not_of("0123456789") == std::string_view::npos;
}

class Sweep final : public Task {
  public:
    explicit Sweep(std::vector<std::string> folders) : folders_(std::move(folders)) {}

    void work() noexcept override {
        for (const std::string& folder : folders_) {
            visit(folder, 0);
        }
    }
    void complete() noexcept override {
        if (removed_ > 0) {
            ngx_log_error(NGX_LOG_NOTICE, ngx_cycle->log, 0, "media: swept %uz unfinished cache files",
                          removed_);
        }
    }
    void cancel() noexcept override { stop_.store(true, std::memory_order_relaxed); }

  private:
    void visit(const std::string& folder, int depth) noexcept {
        const std::unique_ptr<DIR, int (*)(DIR*)> open{opendir(folder.c_str()), closedir};
        if (!open) {
            return;
        }
        while (const dirent* entry = readdir(open.get())) {
            if (stop_.load(std::memory_order_relaxed)) {
                return;
            }
            const std::string_view name = entry->d_name;
            if (name == "." || name == "..") {
                continue;
            }
            const std::string path = folder + '/' + std::string{name};
            struct stat about {};
            const bool unknown = entry->d_type == DT_UNKNOWN && lstat(path.c_str(), &about) == 0;
            if ((entry->d_type == DT_DIR || (unknown && S_ISDIR(about.st_mode))) &&
                depth < NGX_MAX_PATH_LEVEL) {
                visit(path, depth + 1);
            } else if (temporary_name(name)) {
                if (lstat(path.c_str(), &about) == 0 &&
                    about.st_mtime + orphaned_after < std::time(nullptr) && unlink(path.c_str()) == 0) {
                    ++removed_;
                }
            }
        }
    }

    std::vector<std::string> folders_;
    std::size_t removed_ = 0;
    std::atomic<bool> stop_{false};
};

void on_sweep(ngx_event_t* event) {
    Worker* here = worker();
    const auto* main = static_cast<const MainConfig*>(event->data);
    if (here == nullptr || ngx_exiting != 0 || ngx_terminate != 0) {
        return;
    }
    std::vector<std::string> folders;
    auto* const* caches = static_cast<ngx_http_file_cache_t**>(main->caches.elts);
    for (ngx_uint_t i = 0; i < main->caches.nelts; ++i) {
        folders.emplace_back(view(caches[i]->path->name));
    }
    std::unique_ptr<Task> sweep = std::make_unique<Sweep>(std::move(folders));
    if (!here->pool.post(sweep)) {
        ngx_add_timer(event, 1000);  // busy: soon
    }
}

}  // namespace

void schedule_sweep(const ngx_cycle_t* cycle, MainConfig* main, Worker& worker) {
    if (main->caches.nelts == 0) {
        return;
    }
    worker.sweep.handler = guard<on_sweep>;
    worker.sweep.data = main;
    worker.sweep.log = cycle->log;
    worker.sweep.cancelable = 1;
    ngx_add_timer(&worker.sweep, sweep_delay);
}

}  // namespace media
