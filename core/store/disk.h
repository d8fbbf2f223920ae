// File operations that either do what they are to do or throw. Inside this room only.
#pragma once

#include <sys/types.h>

#include <cerrno>
#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/error.h"
#include "core/base/fd.h"

namespace media::disk {

/// Thrown; never leaves this room.
struct Failure {
    Error error;
};

/// `cause` is an errno. 507 where there is no room, else 500.
[[noreturn]] void fail(int cause);

/// `result`, which is what a system call returned.
inline int must(int result) {
    if (result < 0) {
        fail(errno);
    }
    return result;
}

/// What `work` returns, a Result, or the Error that stands for what it threw.
template <class Work>
auto contained(Work&& work) noexcept -> decltype(work()) {
    try {
        try {
            return work();
        } catch (Failure& failure) {
            return std::move(failure.error);
        }
    } catch (...) {
        return Error{500, "out of memory"};
    }
}

/// A name that nobody else has: 32 hex digits.
std::string unique_name();

/// Opens a folder. Without `required`, nothing where it does not exist.
Fd open_folder(const std::string& path);
std::optional<Fd> find_folder(int base, const std::string& path);

/// Makes a folder below `base` whose parent is there, and has it on disk before it returns.
void make_folder(int base, const std::string& parent, const std::string& path, mode_t mode);

void write_all(int file, ByteView bytes);

/// Has all of a file, or the entries of a folder, on disk before it returns.
void sync(int file);

/// Waits for the lock of a file or folder, which goes with its last descriptor.
void lock(int file);
/// The same without waiting: whether it was free.
bool try_lock(int file);

/// A whole file, or nothing where there is none, or none of that kind: no regular file, or over `limit`.
std::optional<std::string> read_file(int folder, const std::string& name, std::size_t limit);

/// Its size, or nothing where there is no such regular file.
std::optional<std::uint64_t> size_of_file(int folder, const std::string& name);

/// Names in a folder, all or those that `wanted` takes, sorted. `folder` is left as it is.
std::vector<std::string> names_in(int folder, bool (*wanted)(std::string_view name));

/// A new file in .incoming, locked as long as it lives, so that nobody takes it for a dead one's. Removed
/// when destroyed, unless it has moved on.
class NewFile {
  public:
    /// `prefix` begins its name; below `root`, a store.
    NewFile(const std::string& root, std::string_view prefix, mode_t mode);
    NewFile(NewFile&&) noexcept = default;
    NewFile& operator=(NewFile&&) = delete;
    ~NewFile();

    int fd() const { return file_.get(); }
    const std::string& path() const { return path_; }

    /// Becomes `name` in `folder`, in place of what is there.
    void move_to(int folder, const std::string& name);
    /// Is `name` in `folder` as well, where nothing of that name is.
    void link_to(int folder, const std::string& name) const;

    /// Leaves it where it is.
    void keep() { path_.clear(); }

  private:
    std::string path_;
    Fd file_;
};

}  // namespace media::disk
