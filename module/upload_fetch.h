// Originals that an upload names by their URL.
#pragma once

#include <vector>

#include "module/fetch.h"
#include "module/record_mirror.h"
#include "module/request_wait.h"
#include "module/upload_job.h"

namespace media {

/// Brings them, one after another. Part of an object in the pool of a request; belongs to the event loop.
class UploadFetch {
  public:
    UploadFetch(ngx_http_request_t* r, RequestWait& wait) noexcept : r_(r), wait_(wait) {}
    UploadFetch(const UploadFetch&) = delete;
    UploadFetch& operator=(const UploadFetch&) = delete;

    /// Sees to every item that is a URL: in the end it is known already, holds a file that has been examined,
    /// or has failed. URLs that are known are not fetched again unless `again`. What it refers to must live
    /// as long as the request. Returns as a step; `then` is the next one.
    ngx_int_t bring(std::vector<UploadItem>& items, const UploadTerms& terms, const FetchConfig& conf,
                    bool again, RequestWait::Step then);

  private:
    ngx_int_t look_up();
    ngx_int_t next();
    ngx_int_t ask_others();
    ngx_int_t fetch();
    ngx_int_t on_fetched();

    UploadItem& item() noexcept { return (*items_)[at_]; }

    ngx_http_request_t* r_;
    RequestWait& wait_;
    std::vector<UploadItem>* items_ = nullptr;
    const UploadTerms* terms_ = nullptr;
    const FetchConfig* conf_ = nullptr;
    bool again_ = false;
    RequestWait::Step then_;
    ngx_str_t prefix_{};
    std::size_t at_ = 0;  ///< the item whose turn it is
    RecordMirror mirror_;
    Fetch* fetch_ = nullptr;
};

}  // namespace media
