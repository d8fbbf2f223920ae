// The life of one request that brings originals, from its header to its answer.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "module/config.h"
#include "module/link_claim.h"
#include "module/moderation.h"
#include "module/ngx.h"
#include "module/presign.h"
#include "module/record_mirror.h"
#include "module/request_wait.h"
#include "module/upload_fetch.h"
#include "module/upload_job.h"

namespace media {

/// Lives in its request's pool; all of it belongs to the event loop. Once the whole body is there the upload
/// takes its way, whether the client waits for the answer or not.
class UploadRequest {
  public:
    explicit UploadRequest(ngx_http_request_t* r) noexcept
        : r_(r), conf_(location_config(r)), wait_(r), fetch_(r, wait_), moderation_(r, wait_) {}
    UploadRequest(const UploadRequest&) = delete;
    UploadRequest& operator=(const UploadRequest&) = delete;

    /// Returns as a content handler.
    ngx_int_t start();

  private:
    Status take_link();
    Result<std::unique_ptr<IntakeJob>> prepare();
    Result<ExpectedDigests> read_digests();
    UploadTerms terms() const;
    static void on_body(ngx_http_request_t* r);
    ngx_int_t check_link();
    ngx_int_t read_body();
    ngx_int_t refuse_body(const Error& error);
    ngx_int_t take_in();
    ngx_int_t on_taken(IntakeJob& job);
    ngx_int_t moderate();
    ngx_int_t claim_link();
    ngx_int_t publish();
    ngx_int_t mirror();
    ngx_int_t answer();
    ngx_int_t answer_failure(std::string_view items, const Error& first);
    ngx_int_t fail(const Error& error);

    ngx_http_request_t* r_;
    const LocationConfig* conf_;
    RequestWait wait_;
    UploadFetch fetch_;
    Moderation moderation_;
    RecordMirror mirror_;
    std::optional<PresignTerms> link_;  ///< through which it comes
    LinkClaim claim_;
    bool claimed_ = false;
    std::unique_ptr<IntakeJob> intake_;  ///< until the body is there
    UploadTerms terms_;
    std::vector<UploadItem> items_;
};

/// Where in an upload location a request goes.
struct UploadTarget {
    enum class Kind : std::uint8_t { collection, original, presign, link, nothing };

    Kind kind = Kind::nothing;
    std::string_view key;  ///< of an original, or the id of a link

    static UploadTarget of(const ngx_http_request_t* r) noexcept;

    /// The value of `Allow`.
    std::string_view methods() const noexcept;
};

/// Writes down why something failed that is not the client's doing.
void log_failure(const ngx_http_request_t* r, const Error& error) noexcept;

/// Answers GET, HEAD and DELETE, of one record or of many. Returns as a content handler.
ngx_int_t record_handler(ngx_http_request_t* r, const UploadTarget& target);

}  // namespace media
