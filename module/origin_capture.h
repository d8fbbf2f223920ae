// Originals by subrequest (media_pass, media_fetch): nginx' own location answers, and the answer is caught
// instead of sent.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "core/access/target.h"
#include "core/base/result.h"
#include "module/freshness.h"
#include "module/ngx.h"
#include "module/source.h"

namespace media {

/// A host out there that a subrequest is for, as $media_fetch_* tell the location.
struct Stranger {
    Target target;
    std::string address;  ///< that was vetted, with the port
};

/// What stands in the CDN-Loop field (RFC 8586) of requests to strangers, once for each time that they came
/// through here.
inline constexpr std::string_view loop_name = "ngx_media";

/// Collects the answer to one subrequest. Lives in the pool of the main request.
class OriginCapture {
  public:
    using Done = void (*)(void* owner);

    /// `done(owner)` is called once, on the loop, when the subrequest has ended; not if the request dies
    /// first.
    OriginCapture(off_t size_limit, Done done, void* owner) noexcept
        : limit_(size_limit), done_(done), owner_(owner) {}

    /// The same with a host that is not trusted, which must live as long as the request: it gets nothing of
    /// what the client sent, and a status other than 200 ends its answer at once.
    OriginCapture(off_t size_limit, Done done, void* owner, const Stranger& stranger) noexcept
        : limit_(size_limit), done_(done), owner_(owner), stranger_(&stranger) {}

    /// Keeps an answer of more than 1 MiB in a temporary file, as nginx does with the bodies of requests.
    void spill() noexcept { spills_ = true; }

    /// Starts the subrequest. `uri` must live as long as the request. With validators it is conditional.
    ngx_int_t start(ngx_http_request_t* r, ngx_str_t* uri, Validators known);

    /// Starts a subrequest that posts `body` and carries none of the client's header fields but its Host. All
    /// it refers to must live as long as the request.
    struct Field {
        std::string_view name, lowcase, value;
    };
    ngx_int_t post(ngx_http_request_t* r, ngx_str_t* uri, ngx_str_t* args, ByteView body,
                   std::span<const Field> fields) {
        return ask(r, uri, args, &body, fields);
    }

    /// The same without a body, as GET.
    ngx_int_t get(ngx_http_request_t* r, ngx_str_t* uri, ngx_str_t* args, std::span<const Field> fields) {
        return ask(r, uri, args, nullptr, fields);
    }

    /// What the location said; 0 where it did not come to that.
    ngx_uint_t status() const noexcept { return status_; }

    /// Whether the origin still has what was known: it said so, or it sent the same strong entity tag.
    bool unchanged() const noexcept { return unchanged_; }

    /// The original, whole; or what its absence means: 403, 404, 413, 502, 504.
    Result<Source> take();

    /// What the host that is not trusted was called; null where the origin is the operator's own.
    const Stranger* stranger() const noexcept { return stranger_; }

    /// Whether the origin itself gave the answer.
    bool answered() const noexcept { return answered_; }
    /// Its Location, if it has one.
    const std::string& location() const noexcept { return location_; }

    /// The life of the answer; `by_status` is the caller's to set.
    const Freshness& freshness() const noexcept { return freshness_; }

    /// Ends the subrequest at once, if it has come to ask somebody; `done` is called.
    void cut();

    /// The capture that a subrequest feeds, or null.
    static OriginCapture* of(const ngx_http_request_t* r) noexcept;

    /// As a header filter: an error ends the subrequest, whose answer is then the status alone.
    ngx_int_t on_header(ngx_http_request_t* sr);
    void on_body(ngx_http_request_t* sr, ngx_chain_t* chain);

  private:
    ngx_int_t ask(ngx_http_request_t* r, ngx_str_t* uri, ngx_str_t* args, const ByteView* body,
                  std::span<const Field> fields);
    static ngx_int_t on_end(ngx_http_request_t* sr, void* data, ngx_int_t outcome);
    void stop(ngx_http_request_t* sr) noexcept;
    void keep(ngx_http_request_t* sr, ByteView bytes);
    bool write(ngx_http_request_t* sr, ByteView bytes);

    off_t limit_;
    Done done_;
    void* owner_;
    const Stranger* stranger_ = nullptr;
    ngx_http_post_subrequest_t hook_{};
    ngx_http_request_t* sr_ = nullptr;

    Source source_;
    ngx_uint_t status_ = 0;
    std::string location_;
    off_t length_ = -1;
    bool answered_ = false;
    bool spills_ = false;
    ngx_fd_t file_ = NGX_INVALID_FILE;  ///< the pool's
    off_t written_ = 0;
    bool full_ = false;  ///< the disk is
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

/// Puts our filters on top of nginx' chains, and a guard before its rewrites.
ngx_int_t install_filters(ngx_conf_t* cf);

}  // namespace media
