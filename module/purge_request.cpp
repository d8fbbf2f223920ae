#include "module/purge_request.h"

#include <algorithm>
#include <string>

#include "core/rendition/query.h"
#include "module/answer.h"
#include "module/config.h"
#include "module/guard.h"
#include "module/local_original.h"
#include "module/purging.h"

namespace media {

namespace {

/// Lives in its request's pool; all of it belongs to the event loop.
class PurgeRequest {
  public:
    explicit PurgeRequest(ngx_http_request_t* r) noexcept : r_(r), conf_(location_config(r)), purging_(r) {}
    PurgeRequest(const PurgeRequest&) = delete;
    PurgeRequest& operator=(const PurgeRequest&) = delete;

    /// Returns as a content handler.
    ngx_int_t start();

  private:
    Result<PurgeScope> read_scope();
    void on_purged(Purging::Outcome outcome);
    ngx_int_t answer(ngx_uint_t status);
    ngx_int_t fail(const Error& error) { return send_problem(r_, error, conf_->intercept_errors != 0); }

    ngx_http_request_t* r_;
    const LocationConfig* conf_;
    std::string preset_;
    bool prefix_ = false;
    Purging purging_;
};

ngx_int_t PurgeRequest::start() {
    if (const ngx_int_t outcome = ngx_http_discard_request_body(r_); outcome != NGX_OK) {
        return outcome;
    }
    const Result<PurgeScope> scope = read_scope();
    if (!scope) {
        return fail(scope.error());
    }
    r_->main->count++;
    purging_.start(*scope, [this](Purging::Outcome outcome) { on_purged(outcome); });
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
    return PurgeScope{.server = view(conf_->server), .path = path, .preset = preset_, .prefix = prefix_};
}

void PurgeRequest::on_purged(Purging::Outcome outcome) {
    ngx_int_t answered = NGX_HTTP_INTERNAL_SERVER_ERROR;
    try {
        answered =
            outcome == Purging::Outcome::unwritten
                ? fail({507,
                        "the purge has taken effect, but could not be written down: it will not survive "
                        "a restart"})
                : answer(outcome == Purging::Outcome::done ? NGX_HTTP_OK : NGX_HTTP_ACCEPTED);
    } catch (...) {
        ngx_log_error(NGX_LOG_ERR, r_->connection->log, 0, "media: out of memory");
    }
    ngx_http_finalize_request(r_, answered);
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

}  // namespace

bool asks_for_purge(const ngx_http_request_t* r) noexcept {
    return r->method == NGX_HTTP_UNKNOWN && view(r->method_name) == "PURGE" && location_config(r)->purge != 0;
}

ngx_int_t purge_handler(ngx_http_request_t* r) {
    auto* request = make_in_pool<PurgeRequest>(r->pool, r);
    return request == nullptr ? NGX_HTTP_INTERNAL_SERVER_ERROR : request->start();
}

}  // namespace media
