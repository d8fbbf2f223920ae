// An open file that closes itself.
#pragma once

#include <fcntl.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <utility>

#include "core/base/bytes.h"

namespace media {

class Descriptor {
  public:
    Descriptor() = default;
    explicit Descriptor(int fd) noexcept : fd_(fd) {}
    Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
    Descriptor& operator=(Descriptor&& other) noexcept {
        reset(std::exchange(other.fd_, -1));
        return *this;
    }
    ~Descriptor() { reset(); }

    /// Another descriptor of the same open file, for a thread that may outlive the first one's owner.
    static Descriptor duplicate(int fd) noexcept { return Descriptor{fcntl(fd, F_DUPFD_CLOEXEC, 0)}; }

    explicit operator bool() const noexcept { return fd_ >= 0; }
    int get() const noexcept { return fd_; }

    /// Gives the file away.
    int release() noexcept { return std::exchange(fd_, -1); }

    void reset(int fd = -1) noexcept {
        if (fd_ >= 0) {
            close(fd_);
        }
        fd_ = fd;
    }

    /// Fills `size` bytes from `offset`; false on an error or an early end of the file.
    bool read_at(std::uint8_t* data, std::size_t size, off_t offset) const noexcept {
        while (size > 0) {
            const ssize_t n = pread(fd_, data, size, offset);
            if (n < 0 && errno == EINTR) {
                continue;
            }
            if (n <= 0) {
                return false;
            }
            data += n;
            offset += n;
            size -= static_cast<std::size_t>(n);
        }
        return true;
    }

    /// Writes all of `size` bytes at `offset`.
    bool write_at(const std::uint8_t* data, std::size_t size, off_t offset) const noexcept {
        while (size > 0) {
            const ssize_t n = pwrite(fd_, data, size, offset);
            if (n < 0 && errno == EINTR) {
                continue;
            }
            if (n <= 0) {
                return false;
            }
            data += n;
            offset += n;
            size -= static_cast<std::size_t>(n);
        }
        return true;
    }

    /// Fills an empty file with both. In one go: what is written together lies together in the memory of the
    /// kernel, and is sent in fewer pieces.
    bool write(ByteView first, ByteView second) const noexcept {
        const std::array<iovec, 2> both{iovec{const_cast<std::uint8_t*>(first.data()), first.size()},
                                        iovec{const_cast<std::uint8_t*>(second.data()), second.size()}};
        const ssize_t n = pwritev(fd_, both.data(), both.size(), 0);
        const std::size_t done = n > 0 ? static_cast<std::size_t>(n) : 0;
        if (done < first.size() &&
            !write_at(first.data() + done, first.size() - done, static_cast<off_t>(done))) {
            return false;
        }
        const std::size_t rest = done > first.size() ? done - first.size() : 0;
        return write_at(second.data() + rest, second.size() - rest, static_cast<off_t>(first.size() + rest));
    }

  private:
    int fd_ = -1;
};

}  // namespace media
