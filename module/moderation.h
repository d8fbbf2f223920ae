// Asking a location of the operator's whether files may be published.
#pragma once

#include <string>
#include <vector>

#include "module/ngx.h"
#include "module/origin_capture.h"
#include "module/request_wait.h"
#include "module/upload_job.h"

namespace media {

/// Shows the sample of each file, one after another, to the location behind `media_upload_moderate`: 2xx lets
/// it pass, 403 and 422 refuse it, anything else fails it, for a file that nobody has judged is not
/// published. Part of an object in the pool of a request; belongs to the event loop.
class Moderation {
  public:
    Moderation(ngx_http_request_t* r, RequestWait& wait) noexcept : r_(r), wait_(wait) {}
    Moderation(const Moderation&) = delete;
    Moderation& operator=(const Moderation&) = delete;

    /// A step that judges what has a sample; `then` goes on when all are judged.
    ngx_int_t judge(std::vector<UploadItem>& items, const ngx_str_t& uri, RequestWait::Step then);

  private:
    ngx_int_t next();
    bool ask(const UploadItem& item);
    ngx_int_t on_judged();
    static void on_done(void* self);

    ngx_http_request_t* r_;
    RequestWait& wait_;
    std::vector<UploadItem>* items_ = nullptr;
    std::size_t at_ = 0;
    ngx_str_t uri_{};
    ngx_str_t arguments_{};
    RequestWait::Step then_;
    OriginCapture* capture_ = nullptr;
};

}  // namespace media
