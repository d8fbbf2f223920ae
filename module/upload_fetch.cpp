#include "module/upload_fetch.h"

#include <memory>
#include <utility>

#include "module/config.h"
#include "module/guard.h"
#include "module/worker.h"

namespace media {

namespace {

/// Looks URLs up in the store.
class KnownJob final : public AwaitedTask {
  public:
    explicit KnownJob(const UploadTerms& terms) : store_(terms.store) {}

    std::vector<std::pair<std::size_t, std::string>> urls;  ///< with the item of each
    std::vector<std::pair<std::size_t, Record>> known;

  private:
    void run() override {
        for (const auto& [item, url] : urls) {
            if (auto record = store_->find_by_source(url)) {
                known.emplace_back(item, std::move(*record));
            }
        }
    }

    std::shared_ptr<Store> store_;
};

/// Puts what a fetch has brought beside the store, and examines it.
class ArrivalJob final : public AwaitedTask {
  public:
    ArrivalJob(UploadTerms terms, UploadItem fetched, Source source)
        : item(std::move(fetched)), terms_(std::move(terms)), source_(std::move(source)) {}

    UploadItem item;

  private:
    void run() override {
        if (Status status = take_in(); !status) {
            item.fail(std::move(status).error());
        }
        source_ = {};
    }

    Status take_in() {
        auto file = terms_.store->begin(terms_.max_bytes);
        if (!file) {
            return std::move(file).error();
        }
        Status status = source_.read([this, &file](ByteView bytes) -> Status {
            return cancelled() ? Status{Error{503, "the server is stopping"}} : file->write(bytes);
        });
        if (status) {
            status = file->finish();
        }
        if (status) {
            item.file.emplace(std::move(*file));
            examine_item(item, terms_, cancelled());
        }
        return status;
    }

    UploadTerms terms_;
    Source source_;
};

}  // namespace

ngx_int_t UploadFetch::bring(std::vector<UploadItem>& items, const UploadTerms& terms,
                             const FetchConfig& conf, bool again, RequestWait::Step then) {
    items_ = &items;
    terms_ = &terms;
    conf_ = &conf;
    again_ = again;
    then_ = std::move(then);
    if (ngx_http_complex_value(r_, conf.prefix, &prefix_) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    const bool usable = prefix_.len > 0 && prefix_.data[0] == '/';
    if (!usable) {
        ngx_log_error(NGX_LOG_ERR, r_->connection->log, 0, "media: \"%V\" is no URI prefix to fetch through",
                      &prefix_);
    }
    for (UploadItem& each : items) {
        if (each.url.empty()) {
            continue;
        }
        each.record.source = each.url;
        if (!usable) {
            each.fail({500, "the location does not say how originals are fetched"});
        } else if (const auto target = parse_target(each.url); !target) {
            each.fail(target.error());
        } else if (const Status status = may_fetch(r_, conf, *target); !status) {
            each.fail(status.error());
        }
    }
    at_ = 0;
    return again_ ? next() : look_up();
}

// What is here already: a matter of the disk.
ngx_int_t UploadFetch::look_up() {
    auto job = std::make_unique<KnownJob>(*terms_);
    for (std::size_t i = 0; i < items_->size(); ++i) {
        const UploadItem& each = (*items_)[i];
        if (!each.url.empty() && !each.error) {
            job->urls.emplace_back(i, each.url);
        }
    }
    KnownJob* raw = job.get();
    wait_.post_next(std::move(job), [this, raw] {
        for (auto& [i, record] : raw->known) {
            (*items_)[i].record = std::move(record);
            (*items_)[i].status = UploadItem::Status::exists;
        }
        return next();
    });
    return RequestWait::pending;
}

// Goes on to the next URL that is still open.
ngx_int_t UploadFetch::next() {
    while (at_ < items_->size() && (item().url.empty() || item().status != UploadItem::Status::open)) {
        ++at_;
    }
    if (at_ == items_->size()) {
        return std::exchange(then_, nullptr)();
    }
    return again_ ? fetch() : ask_others();
}

// Another machine may have it.
ngx_int_t UploadFetch::ask_others() {
    RedisConfig* redis = location_config(r_)->redis;
    if (redis == nullptr ||
        !mirror_.find_by_source(*worker()->redis.at(redis), item().url, [this](Result<Record> record) {
            if (record) {
                item().record = std::move(*record);
                item().status = UploadItem::Status::exists;
            }
            wait_.resume([this] { return item().status == UploadItem::Status::open ? fetch() : next(); });
        })) {
        return fetch();
    }
    wait_.hold();
    return RequestWait::pending;
}

ngx_int_t UploadFetch::fetch() {
    fetch_ = make_in_pool<Fetch>(
        r_->pool, r_, *conf_, prefix_, *parse_target(item().url), static_cast<off_t>(terms_->max_bytes),
        [](void* self) {
            auto* upload = static_cast<UploadFetch*>(self);
            upload->wait_.resume([upload] { return upload->on_fetched(); });
        },
        static_cast<void*>(this));
    if (fetch_ == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    fetch_->spill();
    wait_.hold();
    fetch_->start({});
    return RequestWait::pending;
}

ngx_int_t UploadFetch::on_fetched() {
    auto source = fetch_->take();
    if (!source) {
        item().fail(std::move(source).error());
        return next();
    }
    auto job = std::make_unique<ArrivalJob>(*terms_, std::move(item()), std::move(*source));
    ArrivalJob* raw = job.get();
    wait_.post_next(std::move(job), [this, raw] {
        item() = std::move(raw->item);
        ++at_;
        return next();
    });
    return RequestWait::pending;
}

}  // namespace media
