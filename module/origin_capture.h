// Originals by subrequest (media_pass): nginx' own location answers, and the answer is caught instead of
// sent.
#pragma once

#include <span>
#include <string_view>

#include "core/base/result.h"
#include "module/freshness.h"
#include "module/ngx.h"
#include "module/source.h"

namespace media {

/// Collects the answer to one subrequest. Lives in the pool of the main request.
class OriginCapture {
  public:
    using Done = void (*)(void* owner);

    /// `done(owner)` is called once, on the loop, when the subrequest has ended; not if the request dies
    /// first.
    OriginCapture(off_t size_limit, Done done, void* owner) noexcept
        : limit_(size_limit), done_(done), owner_(owner) {}

    /// Starts the subrequest. `uri` must live as long as the request. With validators it is conditional.
    ngx_int_t start(ngx_http_request_t* r, ngx_str_t* uri, Validators known);

    /// Starts a subrequest that posts `body` and carries none of the client's header fields but its Host. All
    /// it refers to must live as long as the request.
    struct Field {
        std::string_view name, lowcase, value;
    };
    ngx_int_t post(ngx_http_request_t* r, ngx_str_t* uri, ngx_str_t* args, ByteView body,
                   std::span<const Field> fields);

    /// What the location said; 0 where it did not come to that.
    ngx_uint_t status() const noexcept { return status_; }

    /// Whether the origin still has what was known: it said so, or it sent the same strong entity tag.
    bool unchanged() const noexcept { return unchanged_; }

    /// The original, whole; or what its absence means: 403, 404, 413, 502, 504.
    Result<Source> take();

    /// The life of the answer; `by_status` is the caller's to set.
    const Freshness& freshness() const noexcept { return freshness_; }

    /// The capture that a subrequest feeds, or null.
    static OriginCapture* of(const ngx_http_request_t* r) noexcept;

    void on_header(ngx_http_request_t* sr);
    void on_body(ngx_http_request_t* sr, ngx_chain_t* chain);

  private:
    static ngx_int_t on_end(ngx_http_request_t* sr, void* data, ngx_int_t outcome);
    void stop(ngx_http_request_t* sr) noexcept;

    off_t limit_;
    Done done_;
    void* owner_;
    ngx_http_post_subrequest_t hook_{};

    Source source_;
    ngx_uint_t status_ = 0;
    off_t length_ = -1;
    bool complete_ = false;
    bool too_large_ = false;
    bool broken_ = false;
    bool ended_ = false;
    bool unchanged_ = false;
    Validators known_;
    Freshness freshness_;
};

/// Takes a token that has passed out of the header fields of a request, which another location is about to
/// answer: an origin is not shown who asked us. (OriginCapture does so for its own.)
ngx_int_t withhold_token(ngx_http_request_t* r) noexcept;

/// Puts our filters on top of nginx' chains.
ngx_int_t install_filters(ngx_conf_t* cf);

}  // namespace media
