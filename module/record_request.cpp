// What is asked of an upload location beside uploads: records, lists of them, and the end of an original.

#include <charconv>
#include <string>
#include <utility>

#include "core/rendition/query.h"
#include "module/answer.h"
#include "module/events.h"
#include "module/guard.h"
#include "module/purging.h"
#include "module/record_mirror.h"
#include "module/request_wait.h"
#include "module/store_call.h"
#include "module/upload_config.h"
#include "module/upload_request.h"
#include "module/worker.h"

namespace media {

namespace {

constexpr std::size_t usual_page = 100;
constexpr std::size_t largest_page = 1000;

/// What the query says.
struct RecordQuery {
    std::string source;
    std::string after;
    std::size_t limit = usual_page;
    bool by_source = false;
};

Status read_limit(std::string_view text, std::size_t& limit) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), limit);
    if (error != std::errc{} || end != text.data() + text.size() || limit < 1 || limit > largest_page) {
        return Error{400, "expected a number from 1 to " + std::to_string(largest_page), "limit"};
    }
    return Nothing{};
}

/// Of a list or, with `source`, of one record.
Result<RecordQuery> read_query(std::string_view query) {
    RecordQuery asked;
    bool after = false;
    bool limit = false;
    std::string name_text;
    std::string value_text;
    while (const auto pair = detail::next_pair(query)) {
        const auto name = detail::percent_decode(pair->name, name_text);
        const auto value = detail::percent_decode(pair->value, value_text);
        bool* seen = !name               ? nullptr
                     : *name == "source" ? &asked.by_source
                     : *name == "after"  ? &after
                     : *name == "limit"  ? &limit
                                         : nullptr;
        if (seen == nullptr) {
            return Error{400, "unknown parameter", std::string{name.value_or("")}};
        }
        if (std::exchange(*seen, true)) {
            return Error{400, "given more than once", std::string{*name}};
        }
        if (!value || value->empty()) {
            return Error{400, "expected a value", std::string{*name}};
        }
        if (seen == &asked.by_source) {
            asked.source = *value;
        } else if (seen == &after) {
            asked.after = *value;
        } else if (Status status = read_limit(*value, asked.limit); !status) {
            return std::move(status).error();
        }
    }
    if (asked.by_source && (after || limit)) {
        return Error{400, "one record is not a list", after ? "after" : "limit"};
    }
    return asked;
}

/// Lives in its request's pool; all of it belongs to the event loop.
class RecordRequest {
  public:
    RecordRequest(ngx_http_request_t* r, const UploadTarget& target) noexcept
        : r_(r), conf_(location_config(r)), key_(target.key), wait_(r), purging_(r) {}
    RecordRequest(const RecordRequest&) = delete;
    RecordRequest& operator=(const RecordRequest&) = delete;

    /// Returns as a content handler.
    ngx_int_t start();

  private:
    ngx_int_t begin();
    ngx_int_t look_up();
    ngx_int_t look_in_redis(const Error& missing);
    ngx_int_t list();
    ngx_int_t remove();
    ngx_int_t on_removed(Record record);
    ngx_int_t purge();
    ngx_int_t on_purged(Purging::Outcome outcome);

    template <class T>
    ngx_int_t call(typename StoreCall<T>::Work work, std::function<ngx_int_t(T)> then);
    RedisService* redis() const {
        return conf_->redis == nullptr ? nullptr : worker()->redis.at(conf_->redis).get();
    }
    std::string url_of(const Record& record) const {
        return std::string{view(conf_->upload_url)} + record.path();
    }
    ngx_int_t answer(std::string_view json);
    ngx_int_t fail(const Error& error) {
        log_failure(r_, error);
        return send_problem(r_, error, conf_->intercept_errors != 0);
    }

    ngx_http_request_t* r_;
    const LocationConfig* conf_;
    const std::string key_;  ///< empty where the collection was asked
    RequestWait wait_;
    RecordMirror mirror_;
    Purging purging_;
    RecordQuery asked_;
    Record removed_;
};

ngx_int_t RecordRequest::start() {
    if (const ngx_int_t outcome = ngx_http_discard_request_body(r_); outcome != NGX_OK) {
        return outcome;
    }
    return wait_.begin(begin());
}

ngx_int_t RecordRequest::begin() {
    if (!key_.empty()) {
        if (r_->args.len > 0) {
            return fail({400, "one record takes no parameters"});
        }
        return r_->method == NGX_HTTP_DELETE ? remove() : look_up();
    }
    auto asked = read_query(view(r_->args));
    if (!asked) {
        return fail(asked.error());
    }
    asked_ = std::move(*asked);
    return asked_.by_source ? look_up() : list();
}

template <class T>
ngx_int_t RecordRequest::call(typename StoreCall<T>::Work work, std::function<ngx_int_t(T)> then) {
    auto task = std::make_unique<StoreCall<T>>(conf_->upload->store, std::move(work));
    StoreCall<T>* raw = task.get();
    const bool posted = wait_.post(std::move(task), [this, raw, then = std::move(then)] {
        if (!*raw->outcome) {
            const Error& error = raw->outcome->error();
            const bool elsewhere = error.status == 404 && r_->method != NGX_HTTP_DELETE;
            return elsewhere ? look_in_redis(error) : fail(error);
        }
        return then(std::move(**raw->outcome));
    });
    return posted ? RequestWait::pending : fail({503, "too much work is waiting"});
}

ngx_int_t RecordRequest::look_up() {
    return call<Record>(
        [key = key_, source = asked_.source](const Store& store) {
            return key.empty() ? store.find_by_source(source) : store.find(key);
        },
        [this](const Record& record) { return answer(record.to_json(url_of(record))); });
}

// What another machine has stored.
ngx_int_t RecordRequest::look_in_redis(const Error& missing) {
    RedisService* service = redis();
    if (service == nullptr) {
        return fail(missing);
    }
    const auto found = [this](Result<Record> record) {
        wait_.resume([this, &record] {
            return record ? answer(record->to_json(url_of(*record))) : fail(record.error());
        });
    };
    const bool asked = key_.empty() ? mirror_.find_by_source(*service, asked_.source, found)
                                    : mirror_.find(*service, key_, found);
    if (!asked) {
        return fail(missing);
    }
    wait_.hold();
    return RequestWait::pending;
}

ngx_int_t RecordRequest::list() {
    return call<Store::Page>(
        [after = asked_.after, limit = asked_.limit](const Store& store) { return store.list(after, limit); },
        [this](const Store::Page& page) {
            std::string json = R"({"items":[)";
            for (const Record& record : page.records) {
                json += &record == page.records.data() ? "" : ",";
                json += record.to_json(url_of(record));
            }
            json += R"(],"next":)" + (page.next.empty() ? std::string{"null"} : json_string(page.next)) + '}';
            return answer(json);
        });
}

ngx_int_t RecordRequest::remove() {
    const EventHooks events = event_hooks(*main_config(r_), conf_->upload->path, view(conf_->upload_url));
    return call<Record>(
        [key = key_, told = events.removed](const Store& store) { return store.remove(key, told); },
        [this](Record record) { return on_removed(std::move(record)); });
}

// It is gone here. Next its record is taken away from the other machines, then all that was made of it.
ngx_int_t RecordRequest::on_removed(Record record) {
    removed_ = std::move(record);
    RedisService* service = redis();
    if (service != nullptr &&
        mirror_.remove(*service, removed_, [this] { wait_.resume([this] { return purge(); }); })) {
        wait_.hold();
        return RequestWait::pending;
    }
    return purge();
}

ngx_int_t RecordRequest::purge() {
    const std::string path = uri_of(*conf_, removed_);
    if (path.empty()) {
        return on_purged(Purging::Outcome::done);
    }
    wait_.hold();
    // It may be done, and we gone with our request, before this returns.
    purging_.start(
        {.server = view(conf_->server), .path = path, .preset = {}, .prefix = false},
        [this](Purging::Outcome outcome) { wait_.resume([this, outcome] { return on_purged(outcome); }); });
    return RequestWait::pending;
}

ngx_int_t RecordRequest::on_purged(Purging::Outcome outcome) {
    // Others hear of it later where Redis cannot be reached; that the original is gone is true already.
    r_->headers_out.status = outcome == Purging::Outcome::untold ? NGX_HTTP_ACCEPTED : NGX_HTTP_NO_CONTENT;
    r_->headers_out.content_length_n = outcome == Purging::Outcome::untold ? 0 : -1;
    r_->header_only = 1;
    return ngx_http_send_header(r_);
}

ngx_int_t RecordRequest::answer(std::string_view json) {
    const ngx_str_t body = copy(r_->pool, json);
    if (body.data == nullptr ||
        !set_entity(r_, NGX_HTTP_OK, "application/json", static_cast<off_t>(body.len), -1, {}) ||
        add_header(r_, "Cache-Control", "no-store") == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    r_->allow_ranges = 0;
    return send_memory(r_, body.data, body.len);
}

}  // namespace

ngx_int_t record_handler(ngx_http_request_t* r, const UploadTarget& target) {
    auto* request = make_in_pool<RecordRequest>(r->pool, r, target);
    return request == nullptr ? NGX_HTTP_INTERNAL_SERVER_ERROR : request->start();
}

}  // namespace media
