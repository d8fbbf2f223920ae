#include "module/upload_request.h"

#include <algorithm>
#include <array>
#include <utility>

#include "core/access/jwt.h"
#include "core/rendition/header_text.h"
#include "core/store/layout.h"
#include "core/store/used_links.h"
#include "module/answer.h"
#include "module/guard.h"
#include "module/local_original.h"
#include "module/store_call.h"
#include "module/token_access.h"
#include "module/upload_config.h"
#include "module/worker.h"

namespace media {

namespace {

// The media type without its parameters.
std::string_view bare_type(std::string_view type) noexcept {
    return detail::trimmed(type.substr(0, type.find(';')));
}

// Whether the body is the file itself, whose length its header tells.
bool is_bare_file(std::string_view type) noexcept {
    type = bare_type(type);
    return !detail::same_word(type, "application/json") &&
           !detail::same_word(type.substr(0, type.find('/')), "multipart");
}

ngx_int_t refuse(ngx_http_request_t* r, const UploadTarget& target) {
    if (const ngx_int_t outcome = ngx_http_discard_request_body(r); outcome != NGX_OK) {
        return outcome;
    }
    Error error{404, "there is nothing here"};
    if (target.kind != UploadTarget::Kind::nothing) {
        error = {405, "this method is not answered here"};
        if (add_header(r, "Allow", target.methods()) == nullptr) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    return send_problem(r, error, location_config(r)->intercept_errors != 0);
}

}  // namespace

UploadTarget UploadTarget::of(const ngx_http_request_t* r) noexcept {
    const auto path = path_below_location(r, location_config(r)->prefix);
    if (!path) {
        return {};
    }
    const auto* core =
        static_cast<const ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    std::string_view below = *path;
    if (below.starts_with('/')) {
        below.remove_prefix(1);
    } else if (!below.empty() && !view(core->name).ends_with('/')) {
        return {};  // a longer name that begins with the location's
    }
    if (below.empty()) {
        return {.kind = Kind::collection, .key = {}};
    }
    if (is_key(below)) {
        return {.kind = Kind::original, .key = below};
    }
    if (location_config(r)->presign != nullptr) {
        if (below == "presign") {
            return {.kind = Kind::presign, .key = {}};
        }
        if (is_presign_id(below)) {
            return {.kind = Kind::link, .key = below};
        }
    }
    return {};
}

std::string_view UploadTarget::methods() const noexcept {
    switch (kind) {
        case Kind::collection:
            return "GET, HEAD, POST, PUT, OPTIONS";
        case Kind::original:
            return "GET, HEAD, DELETE, OPTIONS";
        case Kind::presign:
            return "POST, OPTIONS";
        case Kind::link:
            return "PUT, OPTIONS";
        case Kind::nothing:
            break;
    }
    return "OPTIONS";
}

void log_failure(const ngx_http_request_t* r, const Error& error) noexcept {
    if (error.status >= 500 && error.status != 503) {
        ngx_log_error(NGX_LOG_ERR, r->connection->log, error.cause, "media: upload: %s",
                      error.detail.c_str());
    }
}

ngx_int_t upload_handler(ngx_http_request_t* r) {
    const UploadTarget target = UploadTarget::of(r);
    const bool collection = target.kind == UploadTarget::Kind::collection;
    const bool original = target.kind == UploadTarget::Kind::original;
    switch (r->method) {
        case NGX_HTTP_OPTIONS:
            return send_options(r, target.methods());
        case NGX_HTTP_POST:
            if (target.kind == UploadTarget::Kind::presign) {
                return presign_handler(r);
            }
            [[fallthrough]];
        case NGX_HTTP_PUT:
            if (collection || comes_with_link(r)) {
                auto* request = make_in_pool<UploadRequest>(r->pool, r);
                return request == nullptr ? NGX_HTTP_INTERNAL_SERVER_ERROR : request->start();
            }
            break;
        case NGX_HTTP_GET:
        case NGX_HTTP_HEAD:
            if (collection || original) {
                return record_handler(r, target);
            }
            break;
        case NGX_HTTP_DELETE:
            if (original) {
                return record_handler(r, target);
            }
            break;
        default:
            break;
    }
    return refuse(r, target);
}

// --- the steps
// ------------------------------------------------------------------------------------------------------

ngx_int_t UploadRequest::start() {
    const Status admitted = take_link();
    auto prepared = admitted ? prepare() : Result<std::unique_ptr<IntakeJob>>{admitted.error()};
    if (!prepared) {
        return refuse_body(prepared.error());
    }
    intake_ = std::move(*prepared);
    r_->request_body_file_log_level = 0;
    return link_ ? wait_.begin(check_link()) : read_body();
}

// The terms of the link, where the request comes through one.
Status UploadRequest::take_link() {
    if (!comes_with_link(r_)) {
        return Nothing{};
    }
    auto link = link_of(r_);
    if (!link) {
        return std::move(link).error();
    }
    if (link->expires <= ngx_time()) {
        return Error{410, "the link has expired"};
    }
    link_ = std::move(*link);
    return Nothing{};
}

// Before the body is sent: a link that was used is good for nothing.
ngx_int_t UploadRequest::check_link() {
    auto job = std::make_unique<StoreCall<Nothing>>(
        conf_->upload->store,
        [id = link_->id](const Store& store) { return UsedLinks{store.path()}.check(id); });
    const StoreCall<Nothing>* raw = job.get();
    const bool posted = wait_.post(std::move(job), [this, raw] {
        return *raw->outcome ? read_body() : refuse_body(raw->outcome->error());
    });
    return posted ? RequestWait::pending : refuse_body({503, "too much work is waiting"});
}

ngx_int_t UploadRequest::read_body() {
    const ngx_int_t outcome = ngx_http_read_client_request_body(r_, guard<&UploadRequest::on_body>);
    return outcome >= NGX_HTTP_SPECIAL_RESPONSE ? outcome : NGX_DONE;
}

// The client is not to send what nobody will look at.
ngx_int_t UploadRequest::refuse_body(const Error& error) {
    r_->expect_tested = 1;
    if (const ngx_int_t outcome = ngx_http_discard_request_body(r_); outcome != NGX_OK) {
        return outcome;
    }
    return fail(error);
}

// All that can be said before the body comes.
Result<std::unique_ptr<IntakeJob>> UploadRequest::prepare() {
    const std::string_view type = request_header(r_, "content-type");
    const std::string_view coding = detail::trimmed(request_header(r_, "content-encoding"));
    if (!coding.empty() && !detail::same_word(coding, "identity")) {
        return Error{415, "a body with a Content-Encoding is not taken"};
    }
    if (!request_header(r_, "content-range").empty()) {
        return Error{400, "a part of a file is not taken"};
    }
    auto intake = std::make_unique<IntakeJob>(terms());
    auto digests = read_digests();
    if (!digests) {
        return std::move(digests).error();
    }
    if (Status ready = intake->expect(type, r_->method == NGX_HTTP_PUT, std::move(*digests)); !ready) {
        return std::move(ready).error();
    }
    if (is_bare_file(type) && r_->headers_in.content_length_n > static_cast<off_t>(intake->terms.max_bytes)) {
        return Error{413, "the file is larger than allowed"};
    }
    return intake;
}

Result<ExpectedDigests> UploadRequest::read_digests() {
    ExpectedDigests digests;
    using Add = Status (ExpectedDigests::*)(std::string_view) noexcept;
    constexpr std::array<std::pair<std::string_view, Add>, 3> fields{
        {{"content-md5", &ExpectedDigests::add_content_md5},
         {"digest", &ExpectedDigests::add_digest},
         {"repr-digest", &ExpectedDigests::add_repr_digest}}};
    for (const auto& [name, add] : fields) {
        const std::string_view value = request_header(r_, name);
        if (value.empty()) {
            continue;
        }
        if (Status status = (digests.*add)(value); !status) {
            return std::move(status).error();
        }
    }
    return digests;
}

UploadTerms UploadRequest::terms() const {
    UploadTerms terms{.store = conf_->upload->store,
                      .max_bytes = static_cast<std::uint64_t>(conf_->upload_max),
                      .types = *conf_->upload_types,
                      .settings = *conf_->settings,
                      .timeout = std::chrono::milliseconds{conf_->timeout},
                      .moderated = conf_->upload_moderate.len > 0,
                      .events = event_hooks(*main_config(r_), conf_->upload->path, view(conf_->upload_url))};
    if (link_) {
        // The location may have become stricter since.
        terms.max_bytes = std::min(terms.max_bytes, link_->max_bytes);
        terms.types = terms.types & link_->types;
        terms.link =
            UploadLink{.id = link_->id, .expires = link_->expires, .shared = conf_->redis != nullptr};
        terms.subject = link_->subject;
        terms.claims = link_->claims;
    } else if (const TokenClaims* token = token_of(r_)) {
        terms.subject = token->subject;
        if (conf_->upload_claims != nullptr) {
            terms.claims = chosen_claims(token->claims_json, *conf_->upload_claims);
        }
    }
    return terms;
}

void UploadRequest::on_body(ngx_http_request_t* r) {
    auto* request = find_in_pool<UploadRequest>(
        r->pool, [r](const UploadRequest& candidate) { return candidate.r_ == r; });
    request->wait_.resume([request] { return request->take_in(); });
}

ngx_int_t UploadRequest::take_in() {
    std::unique_ptr<IntakeJob> job = std::move(intake_);
    const ngx_http_request_body_t* received = r_->request_body;
    for (const ngx_chain_t* link = received == nullptr ? nullptr : received->bufs; link != nullptr;
         link = link->next) {
        const ngx_buf_t* buffer = link->buf;
        const auto size = static_cast<std::size_t>(ngx_buf_size(buffer));
        if (size == 0) {
            continue;
        }
        if (buffer->in_file == 0) {
            job->body.append({buffer->pos, size});
        } else if (!job->body.append(buffer->file->fd, buffer->file_pos, size)) {
            return fail({503, "too many open files"});
        }
    }
    IntakeJob* raw = job.get();
    if (!wait_.post(std::move(job), [this, raw] { return on_taken(*raw); })) {
        return fail({503, "too much work is waiting"});
    }
    return RequestWait::pending;
}

ngx_int_t UploadRequest::on_taken(IntakeJob& job) {
    if (job.failure) {
        return fail(*job.failure);
    }
    terms_ = std::move(job.terms);
    items_ = std::move(job.items);
    if (job.published) {
        return mirror();
    }
    const auto urls =
        std::count_if(items_.begin(), items_.end(), [](const UploadItem& item) { return !item.url.empty(); });
    if (static_cast<std::size_t>(urls) > IntakeJob::max_files) {
        return fail({400, "more than " + std::to_string(IntakeJob::max_files) + " URLs in one request"});
    }
    if (urls > 0 && conf_->upload_fetch != nullptr) {
        return fetch_.bring(items_, terms_, *conf_->upload_fetch, job.again, [this] { return moderate(); });
    }
    for (UploadItem& item : items_) {
        if (!item.url.empty()) {
            item.fail({403, "originals by URL are not taken here"});
        }
    }
    return moderate();
}

ngx_int_t UploadRequest::moderate() {
    if (!terms_.moderated) {
        return claim_link();
    }
    return moderation_.judge(items_, conf_->upload_moderate, [this] { return claim_link(); });
}

// Other machines are asked before this one stores through a link.
ngx_int_t UploadRequest::claim_link() {
    const bool refused = std::all_of(items_.begin(), items_.end(),
                                     [](const UploadItem& item) { return item.error.has_value(); });
    if (!link_ || conf_->redis == nullptr || refused) {
        return publish();
    }
    const auto go_on = [this](bool free) {
        wait_.resume([this, free] {
            if (!free) {
                return fail({409, "the link was used, or is being used"});
            }
            return publish();
        });
    };
    if (!claim_.take(*worker()->redis.at(conf_->redis), link_->id, go_on)) {
        return publish();
    }
    claimed_ = true;
    wait_.hold();
    return RequestWait::pending;
}

ngx_int_t UploadRequest::publish() {
    auto job = std::make_unique<PublishJob>(std::move(terms_), std::move(items_));
    PublishJob* raw = job.get();
    wait_.post_next(std::move(job), [this, raw] {
        items_ = std::move(raw->items);
        if (claimed_) {
            claim_.settle(!items_.front().error, link_->expires);
        }
        return mirror();
    });
    return RequestWait::pending;
}

ngx_int_t UploadRequest::mirror() {
    std::vector<Record> records;
    for (const UploadItem& item : items_) {
        if (item.error) {
            log_failure(r_, *item.error);
        } else {
            records.push_back(item.record);
        }
    }
    if (conf_->redis != nullptr && !records.empty() &&
        mirror_.store(*worker()->redis.at(conf_->redis), records,
                      [this] { wait_.resume([this] { return answer(); }); })) {
        wait_.hold();
        return RequestWait::pending;
    }
    return answer();
}

// --- the answer
// -----------------------------------------------------------------------------------------------------

ngx_int_t UploadRequest::answer() {
    std::string json = "[";
    const Error* first = nullptr;
    std::size_t failed = 0;
    std::size_t created = 0;
    std::string url;
    for (const UploadItem& item : items_) {
        if (item.status == UploadItem::Status::created && conf_->thumbnails != nullptr) {
            worker()->thumbnails.make(static_cast<const ngx_http_core_srv_conf_t*>(
                                          ngx_http_get_module_srv_conf(r_, ngx_http_core_module)),
                                      uri_of(*conf_, item.record), *conf_->thumbnails);
        }
        json += json.size() > 1 ? "," : "";
        if (item.error) {
            first = first == nullptr ? &*item.error : first;
            ++failed;
            json += R"({"status":"error",)";
            json += item.url.empty() ? "" : "\"source\":" + json_string(item.url) + ',';
            json += "\"error\":" + problem_json(*item.error) + '}';
            continue;
        }
        const bool made = item.status == UploadItem::Status::created;
        created += made ? 1 : 0;
        url = std::string{view(conf_->upload_url)} + item.record.path();
        json += item.record.item_json(made ? "created" : "exists", url);
    }
    json += ']';
    if (first != nullptr && failed == items_.size()) {
        return answer_failure(json, *first);
    }
    ngx_uint_t status = created > 0 ? NGX_HTTP_CREATED : NGX_HTTP_OK;
    if (failed > 0) {
        status = 207;
        ngx_str_set(&r_->headers_out.status_line, "207 Multi-Status");
    }
    if (items_.size() == 1) {
        const ngx_str_t place = copy(r_->pool, url);
        if (place.data == nullptr || add_header(r_, "Location", view(place)) == nullptr) {
            return NGX_HTTP_INTERNAL_SERVER_ERROR;
        }
    }
    const ngx_str_t body = copy(r_->pool, "{\"items\":" + json + '}');
    if (body.data == nullptr ||
        !set_entity(r_, status, "application/json", static_cast<off_t>(body.len), -1, {})) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    r_->allow_ranges = 0;
    return send_memory(r_, body.data, body.len);
}

// Nothing of it was stored: the answer is that of the first, and tells of the others beside it.
ngx_int_t UploadRequest::answer_failure(std::string_view items, const Error& first) {
    if (conf_->intercept_errors != 0 && has_error_page(r_, first.status)) {
        return first.status;
    }
    std::string json = problem_json(first);
    json.pop_back();
    json += ",\"items\":";
    json += items;
    json += '}';
    const ngx_str_t body = copy(r_->pool, json);
    if (body.data == nullptr || !set_problem(r_, first.status, view(body))) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return send_memory(r_, body.data, body.len);
}

ngx_int_t UploadRequest::fail(const Error& error) {
    log_failure(r_, error);
    return send_problem(r_, error, conf_->intercept_errors != 0);
}

}  // namespace media
