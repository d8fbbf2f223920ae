// Bytes of an original on their way into a thread.
#pragma once

#include <sys/stat.h>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "module/descriptor.h"

namespace media {

/// What distinguishes one content of a local file from another.
struct FileVersion {
    off_t size = 0;
    timespec modified{};

    static FileVersion of(const struct stat& about) noexcept { return {about.st_size, about.st_mtim}; }
    bool operator==(const FileVersion& other) const noexcept {
        return size == other.size && modified.tv_sec == other.modified.tv_sec &&
               modified.tv_nsec == other.modified.tv_nsec;
    }
    std::string text() const;
};

/// An original as it was captured: pieces in memory and ranges of files, in order.
class Source {
  public:
    std::size_t size() const noexcept { return size_; }

    /// Appends a copy of `bytes`.
    void append(ByteView bytes);
    /// Appends a range of an open file, which is duplicated. False where that fails.
    bool append(int file, off_t offset, std::size_t size);
    void reserve(std::size_t size);

    /// Bytes that were gathered already.
    explicit Source(Bytes whole) noexcept : size_(whole.size()), whole_(std::move(whole)) {}
    Source() = default;

    /// A whole local file, of which `version` was said.
    static std::optional<Source> local(int file, const FileVersion& version);

    /// Pool thread: all bytes in one block. Errors: 502 when a file ends early, 503 when a local file is not
    /// (any more) of its version, which `changed` then tells.
    Result<Bytes> gather(bool& changed) noexcept;

    /// Pool thread: the first bytes, as many as there are and at most so many, which stay. None where they
    /// cannot be read.
    std::vector<std::uint8_t> head(std::size_t most) const;

    /// Pool thread: hands all bytes over, in order and in pieces of bounded size, until `take` fails. Errors:
    /// its own; 500 when a file ends early.
    Status read(const std::function<Status(ByteView)>& take) const;

  private:
    struct Piece {
        std::vector<std::uint8_t> bytes;
        Descriptor file;
        int source = -1;  ///< the descriptor that `file` duplicates
        off_t offset = 0;
        std::size_t size = 0;
    };
    std::vector<Piece> pieces_;
    std::size_t size_ = 0;
    std::optional<Bytes> whole_;
    std::optional<FileVersion> version_;
};

}  // namespace media
