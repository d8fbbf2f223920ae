// Originals below a folder (media_root).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.h"
#include "module/ngx.h"
#include "module/source.h"

namespace media {

/// The part of the URI behind the location's prefix of that length, or behind its first slash. Nothing where
/// it tries to leave the folder.
std::optional<std::string_view> path_below_location(const ngx_http_request_t* r, std::size_t prefix) noexcept;

class LocalOriginal {
  public:
    /// `root` is the value of media_root, NUL-terminated. The path lives in the request's pool.
    LocalOriginal(ngx_http_request_t* r, std::string_view root, std::string_view below) noexcept;

    std::string_view path() const noexcept { return view(path_); }

    /// Existence and version, cheaply; obeys disable_symlinks and open_file_cache. Errors: 403, 404, 500.
    Result<FileVersion> look(ngx_http_request_t* r);

    /// Opens it; the descriptor belongs to the request's pool or to open_file_cache.
    Result<int> open(ngx_http_request_t* r);

    /// Sends the file as it is.
    ngx_int_t send(ngx_http_request_t* r);

  private:
    Error failure(ngx_http_request_t* r, ngx_err_t code, const char* call) const;

    ngx_str_t path_;
    ngx_open_file_info_t about_{};
};

}  // namespace media
