#include "module/fetch.h"

#include <algorithm>
#include <string>
#include <utility>

#include "core/rendition/query.h"
#include "module/answer.h"
#include "module/guard.h"

namespace media {

namespace {

constexpr int most_redirects = 3;
constexpr int most_passes = 3;             // through one of us, of what is one request for somebody out there
constexpr std::size_t most_addresses = 3;  // of one host, one after another

/// Slashes in a row as one, as nginx has merged them.
std::string merged(std::string_view path) {
    std::string once;
    for (const char c : path) {
        if (c != '/' || !once.ends_with('/')) {
            once += c;
        }
    }
    return once;
}

/// A path that nginx has merged the slashes of, with those behind the scheme as they were.
std::string with_slashes(std::string_view below) {
    const std::size_t colon = below.find(":/");
    if (colon == std::string_view::npos || below.substr(colon).starts_with("://")) {
        return std::string{below};
    }
    return std::string{below.substr(0, colon)} + ":/" + std::string{below.substr(colon + 1)};
}

bool redirects(ngx_uint_t status) noexcept {
    return status == 301 || status == 302 || status == 303 || status == 307 || status == 308;
}

std::optional<Address> address_of(const sockaddr* address) noexcept {
    if (address->sa_family == AF_INET) {
        const auto* in = reinterpret_cast<const sockaddr_in*>(address);
        return Address::v4(
            std::span<const std::uint8_t, 4>{reinterpret_cast<const std::uint8_t*>(&in->sin_addr.s_addr), 4});
    }
    if (address->sa_family == AF_INET6) {
        const auto* in = reinterpret_cast<const sockaddr_in6*>(address);
        return Address::v6(
            std::span<const std::uint8_t, 16>{static_cast<const std::uint8_t*>(in->sin6_addr.s6_addr), 16});
    }
    return std::nullopt;
}

}  // namespace

Result<Target> requested_target(const ngx_http_request_t* r, std::size_t prefix, std::string_view below) {
    if (r->valid_unparsed_uri == 0) {
        return parse_target(with_slashes(below));  // of a rewrite: there is nothing else to go by
    }
    // What nginx has normalized is no longer the URL that was named: slashes are merged.
    const std::string_view path = view(r->unparsed_uri).substr(0, view(r->unparsed_uri).find('?'));
    std::string scratch;
    const auto decoded = detail::percent_decode(path, scratch);
    if (!decoded) {
        return Error{400, "the URL of the original is not well encoded"};
    }
    const auto* core =
        static_cast<const ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    const std::string_view front = prefix > 0 ? view(core->name) : "/";
    // Both must mean the same place: locations guard by what nginx has made of it.
    if (!decoded->starts_with(front) || merged(decoded->substr(front.size())) != merged(below)) {
        return Error{400,
                     "the URL of the original must stand as it is behind the location, without dot segments"};
    }
    return parse_target(decoded->substr(front.size()));
}

Status may_fetch(ngx_http_request_t* r, const FetchConfig& fetch, const Target& target) {
    const std::string_view trail = request_header(r, "cdn-loop");
    int times = 0;
    for (std::size_t at = trail.find(loop_name); at != std::string_view::npos;
         at = trail.find(loop_name, at + loop_name.size())) {
        ++times;
    }
    if (times >= most_passes) {
        return Error{403, "this request goes in circles"};
    }
    return fetch.allow.check(target);
}

Fetch::Fetch(ngx_http_request_t* r, const FetchConfig& conf, ngx_str_t prefix, Target target, off_t limit,
             Done done, void* owner) noexcept
    : r_(r), conf_(conf), prefix_(prefix), limit_(limit), done_(done), owner_(owner) {
    stranger_.target = std::move(target);
    next_.handler = guard<&Fetch::on_event>;
    next_.data = this;
    next_.log = r->connection->log;
    deadline_.handler = guard<&Fetch::on_deadline>;
    deadline_.data = this;
    deadline_.log = r->connection->log;
}

Fetch::~Fetch() {
    if (question_ != nullptr) {
        ngx_resolve_name_done(question_);
    }
    if (next_.posted != 0) {
        ngx_delete_posted_event(&next_);
    }
    if (deadline_.timer_set != 0) {
        ngx_del_timer(&deadline_);
    }
}

void Fetch::start(Validators known) {
    known_ = std::move(known);
    ngx_add_timer(&deadline_, conf_.timeout);
    if (!approach()) {
        wake();
    }
}

Result<Source> Fetch::take() {
    if (failure_) {
        return *failure_;
    }
    return capture_->take();
}

Freshness Fetch::freshness() const {
    Freshness freshness = failure_ || capture_ == nullptr ? Freshness::now(nullptr) : capture_->freshness();
    freshness.life.keep = freshness.life.keep && keep_;
    return freshness;
}

bool Fetch::fail(int status, const char* detail) {
    failure_.emplace(Error{status, detail});
    return false;
}

void Fetch::wake() noexcept {
    ngx_post_event(&next_, &ngx_posted_events);
}

// Looks at the host of a URL and for its addresses. False where that has failed.
bool Fetch::approach() {
    const Target& target = stranger_.target;
    capture_ = nullptr;
    addresses_.clear();
    tried_ = 0;
    if (const Status status = conf_.allow.check(target); !status) {
        failure_ = status.error();
        return false;
    }
    if (target.address) {
        addresses_.push_back(*target.address);
        wake();
        return true;
    }
    const auto* core =
        static_cast<const ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r_, ngx_http_core_module));
    ngx_resolver_ctx_t* question = ngx_resolve_start(core->resolver, nullptr);
    if (question == nullptr || question == NGX_NO_RESOLVER) {
        return fail(500, "the host of the original cannot be looked up");
    }
    question->name = copy(r_->pool, target.host);  // nginx writes to it
    question->handler = guard<&Fetch::on_resolved>;
    question->data = this;
    question->timeout = core->resolver_timeout;
    if (question->name.data == nullptr) {
        ngx_resolve_name_done(question);
        return fail(500, "out of memory");
    }
    question_ = question;
    if (ngx_resolve_name(question) != NGX_OK) {
        question_ = nullptr;
        return fail(502, "the host of the original cannot be looked up");
    }
    return true;
}

void Fetch::on_resolved(ngx_resolver_ctx_t* answer) {
    auto* fetch = static_cast<Fetch*>(answer->data);
    fetch->question_ = nullptr;
    try {
        fetch->hear(*answer);
    } catch (...) {
        fetch->fail(500, "out of memory");
    }
    ngx_resolve_name_done(answer);
    fetch->wake();
}

void Fetch::hear(const ngx_resolver_ctx_t& answer) {
    if (answer.state != NGX_OK) {
        ngx_log_error(NGX_LOG_ERR, r_->connection->log, 0, "media: %V could not be resolved (%i: %s)",
                      &answer.name, answer.state, ngx_resolver_strerror(answer.state));
        const bool late = answer.state == NGX_RESOLVE_TIMEDOUT;
        fail(late ? 504 : 502, late ? "the host of the original could not be looked up in time"
                                    : "the host of the original is not known");
        return;
    }
    for (ngx_uint_t i = 0; i < answer.naddrs; ++i) {
        const auto address = address_of(answer.addrs[i].sockaddr);
        if (!address) {
            fail(502, "the host of the original has no address");
            return;
        }
        addresses_.push_back(*address);
    }
    // Many networks have no way to IPv6, few have none to IPv4.
    std::stable_partition(addresses_.begin(), addresses_.end(),
                          [](const Address& address) { return !address.is_v6(); });
}

// Goes on from what has come. True when there is an outcome.
bool Fetch::proceed() {
    if (failure_) {
        return true;
    }
    if (capture_ == nullptr) {
        return !connect();
    }
    if (capture_->answered() && redirects(capture_->status())) {
        return !go_on_to(capture_->location());
    }
    const bool silent = !capture_->answered() && capture_->status() == NGX_HTTP_BAD_GATEWAY;
    return !silent || tried_ >= std::min(addresses_.size(), most_addresses) || !connect();
}

// Has the next address asked. Only if all that the host was said to have will do: who mixes them is up to
// something.
bool Fetch::connect() {
    const Target& target = stranger_.target;
    for (const Address& address : addresses_) {
        if (const Status status = conf_.allow.check(address, target.port); !status) {
            const ngx_str_t host = str(target.host);
            const std::string text = address.text();
            ngx_log_error(NGX_LOG_WARN, r_->connection->log, 0,
                          "media: %V is at %s, which is not fetched from", &host, text.c_str());
            failure_ = status.error();
            return false;
        }
    }
    if (addresses_.empty()) {
        return fail(502, "the host of the original has no address");
    }
    stranger_.address = addresses_[tried_++].text() + ':' + std::to_string(target.port);
    capture_ = make_in_pool<OriginCapture>(r_->pool, limit_, &Fetch::on_captured, static_cast<void*>(this),
                                           stranger_);
    if (capture_ != nullptr && spills_) {
        capture_->spill();
    }
    if (capture_ == nullptr || capture_->start(r_, &prefix_, known_) != NGX_OK) {
        return fail(500, "the origin cannot be asked");
    }
    return true;
}

bool Fetch::go_on_to(std::string_view location) {
    if (location.empty()) {
        return fail(502, "the origin redirects to nowhere");
    }
    if (++redirects_ > most_redirects) {
        return fail(502, "the origin redirects too often");
    }
    keep_ = keep_ && capture_->freshness().life.keep;
    Result<Target> target = follow(stranger_.target, location);
    if (!target) {
        return target.error().status == 403
                   ? fail(403, "the origin redirects to where nothing is fetched from")
                   : fail(502, "the origin redirects to what is no URL");
    }
    stranger_.target = std::move(*target);
    return approach();
}

void Fetch::on_captured(void* self) {
    static_cast<Fetch*>(self)->wake();
}

void Fetch::on_event(ngx_event_t* event) {
    auto* fetch = static_cast<Fetch*>(event->data);
    ngx_connection_t* connection = fetch->r_->connection;
    ngx_http_set_log_request(connection->log, fetch->r_);
    bool over = true;
    try {
        over = fetch->proceed();
    } catch (...) {
        fetch->failure_.emplace(Error{500, {}});
    }
    if (over) {
        if (fetch->deadline_.timer_set != 0) {
            ngx_del_timer(&fetch->deadline_);
        }
        fetch->done_(fetch->owner_);
    }
    ngx_http_run_posted_requests(connection);
}

// A host that sends a byte now and then would hold the request for ever.
void Fetch::on_deadline(ngx_event_t* event) {
    auto* fetch = static_cast<Fetch*>(event->data);
    ngx_connection_t* connection = fetch->r_->connection;
    ngx_http_set_log_request(connection->log, fetch->r_);
    ngx_log_error(NGX_LOG_ERR, connection->log, 0, "media: a fetch has taken too long");
    fetch->fail(504, "the origin took too long");
    if (fetch->question_ != nullptr) {
        ngx_resolve_name_done(std::exchange(fetch->question_, nullptr));
    }
    if (fetch->capture_ == nullptr) {
        fetch->wake();
    } else {
        fetch->capture_->cut();
    }
    ngx_http_run_posted_requests(connection);
}

}  // namespace media
