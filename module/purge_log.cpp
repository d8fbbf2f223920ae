#include "module/purge_log.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "module/descriptor.h"

namespace media {

namespace {

constexpr int flags = O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK;

std::string folder_of(const std::string& path) {
    return path.substr(0, path.rfind('/'));
}

/// Makes names in a folder last.
int sync_folder(const std::string& folder) {
    const Descriptor open{::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)};
    return open && fsync(open.get()) == 0 ? 0 : errno;
}

int lock(int file) noexcept {
    int outcome = 0;
    do {
        outcome = flock(file, LOCK_EX);
    } while (outcome != 0 && errno == EINTR);
    return outcome == 0 ? 0 : errno;
}

/// Opens the log for writing and locks it, which lasts until it is closed. `made`: it was not there before.
int open_locked(const std::string& path, Descriptor& file, struct stat& about, bool& made) {
    for (int attempt = 0; attempt < 100; ++attempt) {
        file.reset(::open(path.c_str(), flags | O_RDWR));
        if (!file && errno == ENOENT) {
            if (mkdir(folder_of(path).c_str(), 0700) != 0 && errno != EEXIST) {
                return errno;
            }
            file.reset(::open(path.c_str(), flags | O_RDWR | O_CREAT, 0600));
            made = true;
        }
        if (!file) {
            return errno;
        }
        if (const int error = lock(file.get()); error != 0) {
            return error;
        }
        struct stat named {};
        if (fstat(file.get(), &about) != 0) {
            return errno;
        }
        if (!S_ISREG(about.st_mode)) {
            return EINVAL;
        }
        if (stat(path.c_str(), &named) == 0 && named.st_ino == about.st_ino && named.st_dev == about.st_dev) {
            return 0;
        }
        // Written anew by somebody while we waited for the lock.
    }
    return EBUSY;
}

int read_range(int file, std::uint64_t from, std::uint64_t to, std::string& text) {
    text.resize(to - from);
    std::size_t at = 0;
    while (at < text.size()) {
        const ssize_t n = pread(file, text.data() + at, text.size() - at, static_cast<off_t>(from + at));
        if (n < 0 && errno == EINTR) {
            continue;
        }
        if (n < 0) {
            return errno;
        }
        if (n == 0) {
            break;
        }
        at += static_cast<std::size_t>(n);
    }
    text.resize(at);
    return 0;
}

bool write_all(const Descriptor& file, const std::string& text, off_t at) noexcept {
    return file.write_at(reinterpret_cast<const std::uint8_t*>(text.data()), text.size(), at);
}

}  // namespace

PurgeLogPart read_purge_log(const std::string& path, PurgeLogPosition from) {
    // Lines are read in pieces: a log may be large, and is read by the master at start.
    constexpr std::uint64_t piece = 1U << 20U;
    PurgeLogPart part;
    part.position = from;
    const Descriptor file{::open(path.c_str(), flags | O_RDONLY)};
    if (!file) {
        part.error = errno == ENOENT ? 0 : errno;
        return part;
    }
    struct stat about {};
    if (fstat(file.get(), &about) != 0 || !S_ISREG(about.st_mode)) {
        part.error = S_ISREG(about.st_mode) ? errno : EINVAL;
        return part;
    }
    const auto size = static_cast<std::uint64_t>(about.st_size);
    if (part.position.inode != about.st_ino || part.position.offset > size) {
        part.position = {about.st_ino, 0};
    }
    std::string text;
    while (part.position.offset < size) {
        const std::uint64_t end = std::min(size, part.position.offset + piece);
        part.error = read_range(file.get(), part.position.offset, end, text);
        const std::size_t read =
            part.error == 0 ? read_purge_lines(text, part.records, part.damaged) : std::size_t{0};
        if (read == 0) {
            if (part.error == 0 && text.size() == piece) {
                part.position.offset = end;  // not a line of ours
                ++part.damaged;
                continue;
            }
            break;
        }
        part.position.offset += read;
    }
    return part;
}

int append_purge_log(const std::string& path, const std::string& lines) noexcept try {
    Descriptor file;
    struct stat about {};
    bool made = false;
    if (const int error = open_locked(path, file, about, made); error != 0) {
        return error;
    }
    std::string text;
    if (about.st_size > 0) {
        // A line that somebody who died has left unfinished ends here.
        const auto size = static_cast<std::uint64_t>(about.st_size);
        if (const int error = read_range(file.get(), size - 1, size, text); error != 0) {
            return error;
        }
        if (text == "\n") {
            text.clear();
        } else {
            text.assign(1, '\n');
        }
    }
    text += lines;
    if (!write_all(file, text, about.st_size)) {
        const int error = errno;
        [[maybe_unused]] const int undone = ftruncate(file.get(), about.st_size);
        return error;
    }
    flock(file.get(), LOCK_UN);  // others need not wait for the disk
    if (fdatasync(file.get()) != 0) {
        return errno;
    }
    if (made || about.st_size == 0) {
        const std::string folder = folder_of(path);
        const int error = sync_folder(folder);
        return error != 0 ? error : sync_folder(folder_of(folder));
    }
    return 0;
} catch (...) {
    return ENOMEM;
}

int rewrite_purge_log(const std::string& path, PurgeLogPosition known, const std::vector<PurgeRecord>& live,
                      PurgeLogPosition& written) {
    Descriptor file;
    struct stat about {};
    bool made = false;
    if (const int error = open_locked(path, file, about, made); error != 0) {
        return error;
    }
    const auto size = static_cast<std::uint64_t>(about.st_size);
    if (!made && (about.st_ino != known.inode || size < known.offset)) {
        written = known;
        return 0;
    }
    const std::uint64_t head = made ? 0 : known.offset;
    std::string tail;
    if (const int error = read_range(file.get(), head, size, tail); error != 0) {
        return error;
    }
    std::string text;
    for (const PurgeRecord& record : live) {
        text += record.to_line();
    }
    const std::size_t position = text.size();
    text += tail;

    const std::string fresh = path + ".new";
    const Descriptor anew{::open(fresh.c_str(), flags | O_RDWR | O_CREAT | O_TRUNC, 0600)};
    struct stat state {};
    if (!anew || !write_all(anew, text, 0) || fdatasync(anew.get()) != 0 || fstat(anew.get(), &state) != 0 ||
        rename(fresh.c_str(), path.c_str()) != 0) {
        const int error = errno;
        unlink(fresh.c_str());
        return error;
    }
    written = {state.st_ino, position};
    return sync_folder(folder_of(path));
}

}  // namespace media
