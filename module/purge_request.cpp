#include "module/purge_request.h"

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "core/rendition/query.h"
#include "module/answer.h"
#include "module/config.h"
#include "module/guard.h"
#include "module/local_original.h"
#include "module/purge_exchange.h"
#include "module/purge_table.h"
#include "module/worker.h"

namespace media {

namespace {

// A disk that takes longer is broken; the answer says so.
constexpr ngx_msec_t patience = 30'000;

/// Lives in its request's pool; all of it belongs to the event loop.
///
/// The way of a purge: it takes effect in the memory that all workers share, it is written down, others are
/// told, and then the client. From the first of these on nothing takes it back.
class PurgeRequest {
  public:
    explicit PurgeRequest(ngx_http_request_t* r) noexcept : r_(r), conf_(location_config(r)) {}
    PurgeRequest(const PurgeRequest&) = delete;
    PurgeRequest& operator=(const PurgeRequest&) = delete;
    ~PurgeRequest() { forget(); }

    /// Returns as a content handler.
    ngx_int_t start();

  private:
    Result<PurgeScope> read_scope();
    void write_down();
    void on_written(int error);
    void announce();
    void on_announced(bool announced);
    ngx_int_t answer(ngx_uint_t status);
    ngx_int_t fail(const Error& error) { return send_problem(r_, error, conf_->intercept_errors != 0); }
    void finish(ngx_int_t outcome);
    void forget() noexcept;
    static void on_timer(ngx_event_t* event);

    ngx_http_request_t* r_;
    const LocationConfig* conf_;
    std::string server_;
    std::string preset_;
    bool prefix_ = false;
    std::vector<PurgeRecord> records_;
    std::shared_ptr<PurgeWrite> write_;  ///< under way
    std::shared_ptr<RedisCall> call_;    ///< likewise
    ngx_event_t timer_{};                ///< ends the wait, and keeps a retiring worker alive
};

ngx_int_t PurgeRequest::start() {
    if (const ngx_int_t outcome = ngx_http_discard_request_body(r_); outcome != NGX_OK) {
        return outcome;
    }
    const Result<PurgeScope> scope = read_scope();
    if (!scope) {
        return fail(scope.error());
    }
    PurgeTable* table = main_config(r_)->purges;
    records_ = table->purge(*scope);
    r_->main->count++;
    if (table->log().empty()) {
        announce();
    } else {
        write_down();
    }
    return NGX_DONE;
}

Result<PurgeScope> PurgeRequest::read_scope() {
    std::string_view query = view(r_->args);
    std::string name;
    std::string value;
    bool given = false;
    while (const auto pair = detail::next_pair(query)) {
        const auto parameter = detail::percent_decode(pair->name, name);
        if (!parameter || *parameter != "p") {
            return Error{400, "a purge takes no parameter but p", std::string{parameter.value_or("")}};
        }
        if (given) {
            return Error{400, "given more than once", "p"};
        }
        given = true;
        const auto preset = detail::percent_decode(pair->value, value);
        const Presets& known = main_config(r_)->catalogue->presets;
        if (!preset || !known.contains(*preset)) {
            return Error{400, "expected the name of one preset", "p"};
        }
        preset_ = *preset;
    }
    std::string_view path = view(r_->uri);
    const auto below = path_below_location(r_, conf_->prefix);
    prefix_ = path.ends_with('*');
    // A folder has no renditions, whereas an origin may serve a picture under any URI.
    const bool folder = conf_->root != nullptr && path.ends_with('/');
    if (!below || folder) {
        return Error{404, "there can be no such original"};
    }
    if (prefix_) {
        path.remove_suffix(1);
    }
    server_ = server_identity(r_);
    return PurgeScope{.server = server_, .path = path, .preset = preset_, .prefix = prefix_};
}

void PurgeRequest::write_down() {
    write_ = std::make_shared<PurgeWrite>();
    for (const PurgeRecord& record : records_) {
        write_->lines += record.to_line();
    }
    write_->done = [this](int error) { on_written(error); };
    worker()->purge_writer.write(main_config(r_)->purges->log(), write_);

    r_->read_event_handler = ngx_http_block_reading;
    r_->write_event_handler = ngx_http_request_empty_handler;
    timer_.handler = guard<&PurgeRequest::on_timer>;
    timer_.data = this;
    timer_.log = r_->connection->log;
    ngx_add_timer(&timer_, patience);
}

void PurgeRequest::on_written(int error) {
    ngx_connection_t* connection = r_->connection;
    ngx_http_set_log_request(connection->log, r_);
    try {
        if (error == 0) {
            announce();
        } else {
            finish(fail({507,
                         "the purge has taken effect, but could not be written down: it will not survive a "
                         "restart"}));
        }
    } catch (...) {
        ngx_log_error(NGX_LOG_ERR, connection->log, 0, "media: out of memory");
        finish(NGX_HTTP_INTERNAL_SERVER_ERROR);
    }
    ngx_http_run_posted_requests(connection);
}

// Others who share the renditions are told. Where that fails it is done when Redis can be reached again.
void PurgeRequest::announce() {
    if (timer_.timer_set) {
        ngx_del_timer(&timer_);
    }
    if (conf_->redis == nullptr) {
        finish(answer(NGX_HTTP_OK));
        return;
    }
    call_ = announce_purges(*worker()->redis.at(conf_->redis), *main_config(r_)->purges, records_,
                            [this](bool announced) {
                                ngx_connection_t* connection = r_->connection;
                                ngx_http_set_log_request(connection->log, r_);
                                on_announced(announced);
                                ngx_http_run_posted_requests(connection);
                            });
    if (call_ == nullptr) {
        on_announced(false);
    }
}

void PurgeRequest::on_announced(bool announced) {
    call_ = nullptr;
    if (!announced) {
        main_config(r_)->purges->note_untold();
    }
    finish(answer(announced ? NGX_HTTP_OK : NGX_HTTP_ACCEPTED));
}

ngx_int_t PurgeRequest::answer(ngx_uint_t status) {
    std::string json = "{\"purged\":" + json_string(view(r_->uri));
    json += ",\"preset\":" + (preset_.empty() ? std::string{"null"} : json_string(preset_));
    json += prefix_ ? ",\"prefix\":true}" : ",\"prefix\":false}";
    const ngx_str_t body = copy(r_->pool, json);
    if (body.data == nullptr ||
        !set_entity(r_, status, "application/json", static_cast<off_t>(body.len), -1, {})) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    r_->allow_ranges = 0;
    return send_memory(r_, body.data, body.len);
}

void PurgeRequest::finish(ngx_int_t outcome) {
    forget();
    ngx_http_finalize_request(r_, outcome);
}

void PurgeRequest::forget() noexcept {
    if (timer_.timer_set) {
        ngx_del_timer(&timer_);
    }
    if (write_) {
        write_->done = nullptr;
        write_.reset();
    }
    if (call_) {
        call_->cancel();
        call_.reset();
    }
}

void PurgeRequest::on_timer(ngx_event_t* event) {
    static_cast<PurgeRequest*>(event->data)->on_written(ETIMEDOUT);
}

}  // namespace

bool asks_for_purge(const ngx_http_request_t* r) noexcept {
    return r->method == NGX_HTTP_UNKNOWN && view(r->method_name) == "PURGE" && location_config(r)->purge != 0;
}

ngx_int_t purge_handler(ngx_http_request_t* r) {
    auto* request = make_in_pool<PurgeRequest>(r->pool, r);
    return request == nullptr ? NGX_HTTP_INTERNAL_SERVER_ERROR : request->start();
}

}  // namespace media
