// Small files that may change while nginx runs.
#pragma once

#include <sys/stat.h>

#include <optional>
#include <string>
#include <utility>

#include "core/base/result.h"
#include "module/ngx.h"

namespace media {

/// What of a file tells that it has changed: also one that was replaced, or written with its times set back.
class FileIdentity {
  public:
    FileIdentity() = default;
    explicit FileIdentity(const struct stat& facts) noexcept
        : device_(facts.st_dev),
          inode_(facts.st_ino),
          size_(facts.st_size),
          modified_(facts.st_mtim),
          changed_(facts.st_ctim) {}

    bool operator==(const FileIdentity& other) const noexcept;

    /// Whether it may be written once more without a new time, which is only so fine.
    bool fresh() const noexcept;

  private:
    dev_t device_ = 0;
    ino_t inode_ = 0;
    off_t size_ = -1;
    timespec modified_{};
    timespec changed_{};
};

/// The whole of a regular file and its identity; an Error for the operator, without its path. Blocks: for
/// files of at most `most_watched_bytes`.
Result<std::string> read_watched_file(const char* path, FileIdentity& identity) noexcept;
FileIdentity identity_of(const char* path) noexcept;

/// A key file as large as this is a mistake, and reading it would hold up the event loop.
inline constexpr std::size_t most_watched_bytes = std::size_t{1} << 20U;

/// A file and what it means, which each worker reads for itself: when it is first asked, and again within a
/// second of a change. Belongs to the event loop, where one stat() a second and a read after a change are
/// what `auth_basic_user_file` costs at every request.
///
/// A file that cannot be read, or is malformed, means nothing at all: a key that somebody meant to take out
/// must not live on.
template <class T>
class WatchedFile {
  public:
    explicit WatchedFile(std::string path) : path_(std::move(path)) {}

    const std::string& path() const noexcept { return path_; }

    /// Reads it once, to see whether that works; for the configuration.
    Status check() const noexcept {
        FileIdentity identity;
        const auto text = read_watched_file(path_.c_str(), identity);
        if (!text) {
            return text.error();
        }
        const auto value = T::parse(*text);
        return value ? Status{Nothing{}} : Status{value.error()};
    }

    /// What the file means now; null where it means nothing, which was then logged.
    const T* current() {
        if (looked_ && ngx_current_msec - looked_at_ < every) {
            return value_ ? &*value_ : nullptr;
        }
        const FileIdentity identity = identity_of(path_.c_str());
        if (!looked_ || unsettled_ || !(identity == identity_)) {
            read();
        }
        looked_ = true;
        looked_at_ = ngx_current_msec;
        return value_ ? &*value_ : nullptr;
    }

  private:
    static constexpr ngx_msec_t every = 1000;

    void read() {
        const auto text = read_watched_file(path_.c_str(), identity_);
        unsettled_ = identity_.fresh();
        auto value = text ? T::parse(*text) : Result<T>{text.error()};
        if (value) {
            value_.emplace(std::move(*value));
            complaint_.clear();
            return;
        }
        value_.reset();
        if (complaint_ != value.error().detail) {
            complaint_ = value.error().detail;
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0,
                          "media: \"%s\": %s; nothing in it counts until that is put right", path_.c_str(),
                          complaint_.c_str());
        }
    }

    std::string path_;
    std::optional<T> value_;
    FileIdentity identity_;
    std::string complaint_;  ///< was logged
    ngx_msec_t looked_at_ = 0;
    bool looked_ = false;
    bool unsettled_ = false;  ///< to be read again, even if it looks the same
};

}  // namespace media
