// Originals by URL: from a URL that a stranger gave to the answer of a host that was looked at first.
#pragma once

#include <optional>
#include <vector>

#include "core/access/target.h"
#include "module/fetch_config.h"
#include "module/origin_capture.h"

namespace media {

/// The URL that a request names behind its location's prefix, where `below` is what nginx has made of it.
/// Errors as of parse_target().
Result<Target> requested_target(const ngx_http_request_t* r, std::size_t prefix, std::string_view below);

/// Whether a location may fetch that URL for that request: 403 where its host is not allowed, or where the
/// request has come through here too often.
Status may_fetch(ngx_http_request_t* r, const FetchConfig& fetch, const Target& target);

/// Fetches one URL: looks its host up, vets the addresses, has the location ask the first of them, follows
/// redirects likewise. Lives in the pool of its request, which has one under way at a time: of several
/// subrequests nginx would let one answer and write the others to files. All of it belongs to the event loop.
/// When the request dies it ends silently.
class Fetch {
  public:
    using Done = void (*)(void* owner);

    /// Of `target` by a subrequest to `prefix`, which must live as long as the request; answers of more than
    /// `limit` bytes are refused.
    Fetch(ngx_http_request_t* r, const FetchConfig& conf, ngx_str_t prefix, Target target, off_t limit,
          Done done, void* owner) noexcept;
    Fetch(const Fetch&) = delete;
    Fetch& operator=(const Fetch&) = delete;
    ~Fetch();

    /// Keeps what comes in a file once it is more than a little. To be called before start().
    void spill() noexcept { spills_ = true; }

    /// Begins. With validators the question is conditional. `done(owner)` is called once, later, from an
    /// event of its own, whatever the outcome.
    void start(Validators known);

    /// Once done: whether the origin still has what was known.
    bool unchanged() const noexcept { return !failure_ && capture_->unchanged(); }

    /// The original, whole. 403: not allowed, or refused there; 404; 413; 502: no such host, no answer, no
    /// good one, too many redirects; 504.
    Result<Source> take();

    /// The life of the answer; `by_status` is the caller's to set.
    Freshness freshness() const;

  private:
    bool approach();
    bool proceed();
    bool connect();
    bool go_on_to(std::string_view location);
    bool fail(int status, const char* detail);
    void wake() noexcept;
    void hear(const ngx_resolver_ctx_t& answer);
    static void on_resolved(ngx_resolver_ctx_t* answer);
    static void on_captured(void* self);
    static void on_event(ngx_event_t* event);
    static void on_deadline(ngx_event_t* event);

    ngx_http_request_t* r_;
    const FetchConfig& conf_;
    ngx_str_t prefix_;
    off_t limit_;
    Done done_;
    void* owner_;
    Validators known_;

    Stranger stranger_;
    bool spills_ = false;
    int redirects_ = 0;
    bool keep_ = true;  ///< no redirect forbids to store what it led to
    ngx_resolver_ctx_t* question_ = nullptr;
    std::vector<Address> addresses_;  ///< of the host, the preferred ones first
    std::size_t tried_ = 0;
    OriginCapture* capture_ = nullptr;  ///< of the connection that is on, or was the last
    std::optional<Error> failure_;
    ngx_event_t next_{};
    ngx_event_t deadline_{};
};

}  // namespace media
