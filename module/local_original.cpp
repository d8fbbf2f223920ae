#include "module/local_original.h"

#include <sys/stat.h>

#include <algorithm>
#include <array>

#include "module/answer.h"

namespace media {

namespace {

const ngx_http_core_loc_conf_t* core_config(const ngx_http_request_t* r) noexcept {
    return static_cast<const ngx_http_core_loc_conf_t*>(
        ngx_http_get_module_loc_conf(r, ngx_http_core_module));
}

// What fstat() said of files that open_file_cache keeps open. nginx remembers whole seconds of a file's time
// only, and believes them for open_file_cache_valid; so the rest is believed for that long.
class KnownVersions {
  public:
    Result<FileVersion> of(const ngx_open_file_info_t& about) noexcept {
        Known& known = known_[static_cast<std::size_t>(about.fd) % known_.size()];
        if (known.file != about.fd || known.uniq != about.uniq || known.version.size != about.size ||
            known.version.modified.tv_sec != about.mtime || known.until <= ngx_time()) {
            struct stat state {};
            if (fstat(about.fd, &state) != 0) {
                return Error{500, "the original cannot be read"};
            }
            known = {about.fd, about.uniq, FileVersion::of(state), ngx_time() + about.valid};
        }
        return known.version;
    }

  private:
    struct Known {
        ngx_fd_t file = NGX_INVALID_FILE;
        ngx_file_uniq_t uniq = 0;
        FileVersion version;
        time_t until = 0;
    };
    std::array<Known, 1024> known_;
};

bool plain_stat_will_do(const ngx_http_core_loc_conf_t* core) noexcept {
    return core->open_file_cache == nullptr && core->disable_symlinks == NGX_DISABLE_SYMLINKS_OFF;
}

}  // namespace

std::optional<std::string_view> path_below_location(const ngx_http_request_t* r,
                                                    std::size_t prefix) noexcept {
    std::string_view below = view(r->uri);
    // A rewrite inside the location may have taken its prefix away.
    const bool prefixed = prefix > 0 && below.starts_with(view(core_config(r)->name));
    below.remove_prefix(std::min<std::size_t>(prefixed ? prefix : 1, below.size()));
    // nginx has resolved dots between slashes; they can be back where the prefix ends inside a segment.
    for (std::size_t at = 0; at != std::string_view::npos;) {
        const std::size_t slash = below.find('/', at);
        if (below.substr(at, slash == std::string_view::npos ? slash : slash - at) == "..") {
            return std::nullopt;
        }
        at = slash == std::string_view::npos ? slash : slash + 1;
    }
    return below;
}

LocalOriginal::LocalOriginal(ngx_http_request_t* r, std::string_view root, std::string_view below) noexcept {
    // As alias, but a slash that is missing between the two is not a trap.
    const bool slash = !below.empty() && !root.ends_with('/') && !below.starts_with('/');
    path_.len = root.size() + (slash ? 1 : 0) + below.size();
    path_.data = static_cast<u_char*>(ngx_pnalloc(r->pool, path_.len + 1));
    if (path_.data != nullptr) {
        u_char* end = ngx_cpymem(path_.data, root.data(), root.size());
        if (slash) {
            *end++ = '/';
        }
        end = ngx_cpymem(end, below.data(), below.size());
        *end = '\0';
    }
}

Result<FileVersion> LocalOriginal::look(ngx_http_request_t* r) {
    if (path_.data == nullptr) {
        return Error{500, "out of memory"};
    }
    struct stat about {};
    if (plain_stat_will_do(core_config(r))) {
        if (stat(reinterpret_cast<const char*>(path_.data), &about) != 0) {
            return failure(r, ngx_errno, "stat()");
        }
    } else {
        const Result<int> file = open(r);
        if (!file) {
            return file.error();
        }
        if (core_config(r)->open_file_cache != nullptr) {
            static KnownVersions versions;
            return versions.of(about_);
        }
        if (fstat(*file, &about) != 0) {
            return failure(r, ngx_errno, "fstat()");
        }
    }
    if (!S_ISREG(about.st_mode)) {
        return Error{404, "there is no such original"};
    }
    return FileVersion::of(about);
}

Result<int> LocalOriginal::open(ngx_http_request_t* r) {
    auto* core = const_cast<ngx_http_core_loc_conf_t*>(core_config(r));
    ngx_memzero(&about_, sizeof(about_));
    about_.read_ahead = core->read_ahead;
    about_.directio = NGX_OPEN_FILE_DIRECTIO_OFF;
    about_.valid = core->open_file_cache_valid;
    about_.min_uses = core->open_file_cache_min_uses;
    about_.errors = core->open_file_cache_errors;
    about_.events = core->open_file_cache_events;
    if (ngx_http_set_disable_symlinks(r, core, &path_, &about_) != NGX_OK) {
        return Error{500, "the original cannot be opened"};
    }
    if (ngx_open_cached_file(core->open_file_cache, &path_, &about_, r->pool) != NGX_OK) {
        return failure(r, about_.err, about_.failed);
    }
    if (about_.is_file == 0) {
        return Error{404, "there is no such original"};
    }
    return about_.fd;
}

ngx_int_t LocalOriginal::send(ngx_http_request_t* r) {
    struct stat state {};
    if (fstat(about_.fd, &state) != 0) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    const FileVersion version = FileVersion::of(state);
    const ngx_str_t etag = copy(r->pool, '"' + version.text() + '"');
    auto* buffer = static_cast<ngx_buf_t*>(ngx_calloc_buf(r->pool));
    auto* file = static_cast<ngx_file_t*>(ngx_pcalloc(r->pool, sizeof(ngx_file_t)));
    if (etag.data == nullptr || buffer == nullptr || file == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    r->headers_out.status = NGX_HTTP_OK;
    r->headers_out.content_length_n = version.size;
    r->headers_out.last_modified_time = version.modified.tv_sec;
    r->allow_ranges = 1;
    if (!set_etag(r, view(etag)) || add_header(r, "X-Content-Type-Options", "nosniff") == nullptr ||
        ngx_http_set_content_type(r) != NGX_OK) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (r != r->main && version.size == 0) {
        return ngx_http_send_header(r);
    }
    const ngx_int_t outcome = ngx_http_send_header(r);
    if (outcome == NGX_ERROR || outcome > NGX_OK || r->header_only != 0) {
        return outcome;
    }
    file->fd = about_.fd;
    file->name = path_;
    file->log = r->connection->log;
    buffer->file = file;
    buffer->file_last = version.size;
    buffer->in_file = version.size > 0 ? 1 : 0;
    buffer->last_buf = r == r->main ? 1 : 0;
    buffer->last_in_chain = 1;
    ngx_chain_t chain{buffer, nullptr};
    return ngx_http_output_filter(r, &chain);
}

Error LocalOriginal::failure(ngx_http_request_t* r, ngx_err_t code, const char* call) const {
    switch (code) {
        case NGX_ENOENT:
        case NGX_ENOTDIR:
        case NGX_ENAMETOOLONG:
            if (core_config(r)->log_not_found != 0) {
                ngx_log_error(NGX_LOG_ERR, r->connection->log, code, "%s \"%V\" failed", call, &path_);
            }
            return {404, "there is no such original"};
        case NGX_EACCES:
        case NGX_EMLINK:
        case NGX_ELOOP:
            ngx_log_error(NGX_LOG_ERR, r->connection->log, code, "%s \"%V\" failed", call, &path_);
            return {403, "the original may not be read"};
        default:
            ngx_log_error(NGX_LOG_CRIT, r->connection->log, code, "%s \"%V\" failed", call, &path_);
            return {500, "the original cannot be opened"};
    }
}

}  // namespace media
