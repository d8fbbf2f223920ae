#include "module/watched_file.h"

#include <fcntl.h>

#include <cerrno>
#include <cstring>
#include <ctime>

#include "module/descriptor.h"

namespace media {

namespace {

bool same(const timespec& a, const timespec& b) noexcept {
    return a.tv_sec == b.tv_sec && a.tv_nsec == b.tv_nsec;
}

}  // namespace

bool FileIdentity::operator==(const FileIdentity& other) const noexcept {
    return device_ == other.device_ && inode_ == other.inode_ && size_ == other.size_ &&
           same(modified_, other.modified_) && same(changed_, other.changed_);
}

bool FileIdentity::fresh() const noexcept {
    return size_ >= 0 && time(nullptr) - changed_.tv_sec <= 2;
}

FileIdentity identity_of(const char* path) noexcept {
    struct stat facts {};
    return stat(path, &facts) == 0 ? FileIdentity{facts} : FileIdentity{};
}

Result<std::string> read_watched_file(const char* path, FileIdentity& identity) noexcept {
    identity = {};
    try {
        // Not waiting: the name may be that of a pipe.
        const Descriptor file{open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)};
        struct stat facts {};
        if (!file || fstat(file.get(), &facts) != 0) {
            return Error{500, std::string{"it cannot be read: "} + std::strerror(errno)};
        }
        identity = FileIdentity{facts};
        if (!S_ISREG(facts.st_mode)) {
            return Error{500, "it is no regular file"};
        }
        if (static_cast<std::uint64_t>(facts.st_size) > most_watched_bytes) {
            return Error{500, "it is larger than 1 MiB"};
        }
        std::string text(static_cast<std::size_t>(facts.st_size), '\0');
        if (!file.read_at(reinterpret_cast<std::uint8_t*>(text.data()), text.size(), 0)) {
            return Error{500, "it changed while it was read"};
        }
        return text;
    } catch (...) {
        return Error{500, "out of memory"};
    }
}

}  // namespace media
