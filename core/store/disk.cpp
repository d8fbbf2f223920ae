#include "core/store/disk.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/random.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdint>
#include <cstdio>
#include <memory>

#include "core/base/hash.h"
#include "core/store/layout.h"

namespace media::disk {
namespace {

// How often a file or folder may be swept away between two calls before something else must be wrong.
constexpr int attempts = 100;

template <class Call>
auto uninterrupted(Call&& call) {
    auto result = call();
    while (result < 0 && errno == EINTR) {
        result = call();
    }
    return result;
}

}  // namespace

void fail(int cause) {
    const bool full = cause == ENOSPC || cause == EDQUOT || cause == EFBIG;
    throw Failure{full ? Error{507, "there is no room for it", {}, cause}
                       : Error{500, "the store does not work", {}, cause}};
}

std::string unique_name() {
    std::array<std::uint8_t, 16> bytes{};
    if (getrandom(bytes.data(), bytes.size(), 0) != static_cast<ssize_t>(bytes.size())) {
        fail(errno);
    }
    return hex(bytes);
}

Fd open_folder(const std::string& path) {
    return Fd(must(open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)));
}

std::optional<Fd> find_folder(int base, const std::string& path) {
    Fd folder(openat(base, path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (!folder && errno != ENOENT) {
        fail(errno);
    }
    return folder ? std::optional(std::move(folder)) : std::nullopt;
}

void make_folder(int base, const std::string& parent, const std::string& path, mode_t mode) {
    if (mkdirat(base, path.c_str(), mode) == 0) {
        // Without its parent's entry, nothing in it would outlive a loss of power.
        sync(Fd(must(openat(base, parent.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC))).get());
    } else if (errno != EEXIST) {
        fail(errno);
    }
}

void write_all(int file, ByteView bytes) {
    while (!bytes.empty()) {
        const ssize_t count = uninterrupted([&] { return write(file, bytes.data(), bytes.size()); });
        if (count < 0) {
            fail(errno);
        }
        bytes = bytes.subspan(static_cast<std::size_t>(count));
    }
}

void sync(int file) {
    must(uninterrupted([file] { return fsync(file); }));
}

void lock(int file) {
    must(uninterrupted([file] { return flock(file, LOCK_EX); }));
}

bool try_lock(int file) {
    const int result = uninterrupted([file] { return flock(file, LOCK_EX | LOCK_NB); });
    if (result < 0 && errno != EWOULDBLOCK) {
        fail(errno);
    }
    return result == 0;
}

std::optional<std::string> read_file(int folder, const std::string& name, std::size_t limit) {
    // Opening a pipe would wait.
    const Fd file(openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file) {
        if (errno == ENOENT || errno == ELOOP || errno == ENXIO) {
            return std::nullopt;
        }
        fail(errno);
    }
    struct stat facts {};
    must(fstat(file.get(), &facts));
    if (!S_ISREG(facts.st_mode) || static_cast<std::uint64_t>(facts.st_size) > limit) {
        return std::nullopt;
    }
    std::string text(static_cast<std::size_t>(facts.st_size), '\0');
    std::size_t at = 0;
    while (at < text.size()) {
        const ssize_t count = uninterrupted([&] { return read(file.get(), &text[at], text.size() - at); });
        if (count < 0) {
            fail(errno);
        }
        if (count == 0) {
            break;
        }
        at += static_cast<std::size_t>(count);
    }
    text.resize(at);
    return text;
}

std::optional<std::uint64_t> size_of_file(int folder, const std::string& name) {
    struct stat facts {};
    if (fstatat(folder, name.c_str(), &facts, AT_SYMLINK_NOFOLLOW) != 0) {
        if (errno != ENOENT) {
            fail(errno);
        }
        return std::nullopt;
    }
    if (!S_ISREG(facts.st_mode)) {
        return std::nullopt;
    }
    return static_cast<std::uint64_t>(facts.st_size);
}

std::vector<std::string> names_in(int folder, bool (*wanted)(std::string_view name)) {
    // A descriptor of its own: two that read one would share their place in it.
    const int own = must(openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(fdopendir(own), closedir);
    if (!entries) {
        const int cause = errno;
        close(own);
        fail(cause);
    }
    std::vector<std::string> names;
    for (;;) {
        errno = 0;
        const dirent* const entry = readdir(entries.get());
        if (entry == nullptr) {
            if (errno != 0) {
                fail(errno);
            }
            break;
        }
        if (const std::string_view name = entry->d_name; wanted(name)) {
            names.emplace_back(name);
        }
    }
    std::sort(names.begin(), names.end());
    return names;
}

NewFile::NewFile(const std::string& root, std::string_view prefix, mode_t mode) {
    const std::string folder = below(root, store_folder::incoming);
    for (int i = 0; i < attempts; ++i) {
        std::string path = below(folder, prefix);
        path += unique_name();
        Fd file(open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode));
        if (!file) {
            if (errno != ENOENT) {
                fail(errno);
            }
            make_folder(AT_FDCWD, root, folder, 0700);
            continue;
        }
        lock(file.get());
        struct stat facts {};
        must(fstat(file.get(), &facts));
        // Who sweeps up may have come between the two calls and found it without a lock.
        if (facts.st_nlink > 0) {
            path_ = std::move(path);
            file_ = std::move(file);
            return;
        }
    }
    fail(EAGAIN);
}

NewFile::~NewFile() {
    // Before the lock goes with the descriptor.
    if (!path_.empty()) {
        unlink(path_.c_str());
    }
}

void NewFile::move_to(int folder, const std::string& name) {
    must(renameat(AT_FDCWD, path_.c_str(), folder, name.c_str()));
    path_.clear();
}

void NewFile::link_to(int folder, const std::string& name) const {
    must(linkat(AT_FDCWD, path_.c_str(), folder, name.c_str(), 0));
}

}  // namespace media::disk
