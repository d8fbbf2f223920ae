#include "module/events.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "core/store/layout.h"
#include "core/store/outbox.h"
#include "module/event_zone.h"
#include "module/upload_config.h"
#include "module/worker.h"

namespace media {

namespace {

const EventStore* heard_store(const MainConfig& main, std::string_view path) noexcept {
    const auto& stores = main.catalogue->event_stores;
    const auto store = std::find_if(stores.begin(), stores.end(),
                                    [path](const EventStore& known) { return known.path == path; });
    return store != stores.end() && store->heard() ? &*store : nullptr;
}

/// Writes events of one store down. Any thread.
class EventWriter {
  public:
    EventWriter(std::string store, std::string url, EventZone& zone)
        : outbox_(std::move(store)), url_(std::move(url)), zone_(zone) {}

    Status write(std::string_view event, const Record& record) const {
        // Of one that was removed damaged, little more than the key is known.
        const bool whole = !record.sha256.empty();
        Status status = outbox_.add({.id = {},
                                     .time = {},
                                     .name = std::string{event},
                                     .key = record.key,
                                     .record = whole ? record.to_json(url_ + record.path()) : std::string{},
                                     .subject = record.subject});
        if (status) {
            zone_.ring();
        }
        return status;
    }

  private:
    Outbox outbox_;
    std::string url_;
    EventZone& zone_;
};

/// Reads the record of an original that has failed, and writes the event down.
class WriteFailure final : public Task {
  public:
    WriteFailure(std::shared_ptr<const Store> store, EventWriter writer, std::string_view key)
        : store_(std::move(store)), writer_(std::move(writer)), key_(key) {}

    void work() noexcept override {
        try {
            // What has lost its original, or its record, is told by its key alone.
            auto record = store_->find(key_);
            written_ = writer_.write(event_name::rendition_failed, record ? *record : Record{.key = key_});
        } catch (...) {
            written_ = Error{500, "out of memory"};
        }
    }
    void complete() noexcept override {
        if (!written_) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, written_.error().cause,
                          "media: an event cannot be written down: %s", written_.error().detail.c_str());
        }
    }
    void cancel() noexcept override {}

  private:
    std::shared_ptr<const Store> store_;
    EventWriter writer_;
    std::string key_;
    Status written_ = Nothing{};
};

}  // namespace

EventHooks event_hooks(const MainConfig& main, std::string_view store, std::string_view url) {
    const EventStore* heard = heard_store(main, store);
    if (heard == nullptr) {
        return {};
    }
    const auto writer = std::make_shared<const EventWriter>(
        std::string{store}, url.empty() ? heard->url : std::string{url}, *main.events);
    return {
        .published =
            [writer](const Record& record, bool created) {
                return created ? writer->write(event_name::created, record) : Status{Nothing{}};
            },
        .removed = [writer](const Record& record) { return writer->write(event_name::deleted, record); },
        .rejected = [writer](const Record& record) { return writer->write(event_name::rejected, record); }};
}

void note_failed_rendition(const MainConfig& main, std::string_view root, std::string_view below) {
    while (root.size() > 1 && root.ends_with('/')) {
        root.remove_suffix(1);
    }
    const EventStore* heard = heard_store(main, root);
    const std::size_t slash = below.rfind('/');
    const std::string_view name = slash == std::string_view::npos ? below : below.substr(slash + 1);
    const std::string_view key = name.substr(0, name.find('.'));
    if (heard == nullptr || !is_key(key) || !main.events->note_failure(key)) {
        return;
    }
    const auto& stores = main.catalogue->stores;
    const auto store =
        std::find_if(stores.begin(), stores.end(), [root](const auto& known) { return known->path == root; });
    std::unique_ptr<Task> task = std::make_unique<WriteFailure>(
        (*store)->store, EventWriter{std::string{root}, heard->url, *main.events}, key);
    // Where too much work waits, the next hour tells.
    static_cast<void>(worker()->pool.post(task));
}

}  // namespace media
