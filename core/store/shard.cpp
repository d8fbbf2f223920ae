#include "core/store/shard.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "core/store/disk.h"
#include "core/store/layout.h"

namespace media {
namespace {

// How often a folder may go between making and locking it before something else must be wrong.
constexpr int attempts = 100;

bool still_there(int root, const std::string& name, int folder) {
    struct stat named {};
    struct stat opened {};
    disk::must(fstat(folder, &opened));
    if (fstatat(root, name.c_str(), &named, 0) != 0) {
        return errno == ENOENT ? false : (disk::fail(errno), false);
    }
    return named.st_ino == opened.st_ino && named.st_dev == opened.st_dev;
}

bool make_path(int root, const std::string& name) {
    disk::make_folder(root, ".", name.substr(0, 2), 0755);
    try {
        disk::make_folder(root, name.substr(0, 2), name, 0755);
        return true;
    } catch (const disk::Failure& failure) {
        if (failure.error.cause != ENOENT) {
            throw;
        }
        return false;  // the outer folder was removed between the two
    }
}

}  // namespace

std::optional<Shard> Shard::open(const std::string& root, std::string_view key, Mode mode) {
    std::string name = folder_of(key);
    const bool make = mode != Mode::find;
    const auto base = make ? disk::open_folder(root) : disk::find_folder(AT_FDCWD, root);
    if (!base) {
        return std::nullopt;
    }
    for (int i = 0; i < attempts; ++i) {
        if (make && !make_path(base->get(), name)) {
            continue;
        }
        auto folder = disk::find_folder(base->get(), name);
        if (!folder) {
            if (make) {
                continue;
            }
            return std::nullopt;
        }
        if (mode != Mode::try_make) {
            disk::lock(folder->get());
        } else if (!disk::try_lock(folder->get())) {
            return std::nullopt;
        }
        if (still_there(base->get(), name, folder->get())) {
            return Shard(root, std::move(name), std::move(*folder));
        }
    }
    disk::fail(EAGAIN);
}

Shard Shard::make(const std::string& root, std::string_view key) {
    return *open(root, key, Mode::make);
}

std::optional<Shard> Shard::find(const std::string& root, std::string_view key) {
    return open(root, key, Mode::find);
}

std::optional<Shard> Shard::try_make(const std::string& root, std::string_view key) {
    return open(root, key, Mode::try_make);
}

std::optional<Record> Shard::whole(std::string_view key) const {
    return whole_record(fd(), key, "");
}

void Shard::remove_if_empty() const noexcept {
    const Fd base(::open(root_.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (base && unlinkat(base.get(), name_.c_str(), AT_REMOVEDIR) == 0) {
        unlinkat(base.get(), name_.substr(0, 2).c_str(), AT_REMOVEDIR);
    }
}

std::string record_name(std::string_view key) {
    return std::string(key) + ".json";
}

std::string original_name(const Record& record) {
    return record.key + '.' + record.extension;
}

std::optional<Record> whole_record(int folder, std::string_view key, const std::string& prefix,
                                   bool* damaged) {
    const std::string name = prefix + record_name(key);
    const auto text = disk::read_file(folder, name, longest_record);
    auto record = Record::parse(text.value_or(""));
    if (!record || record->key != key) {
        if (!record && record.error().status == 500) {
            throw disk::Failure{record.error()};
        }
        if (damaged != nullptr) {
            *damaged = disk::size_of_file(folder, name).has_value();
        }
        return std::nullopt;
    }
    // Of another size it is not what its record says; its bytes are looked at by `ngx-media-store check`.
    if (disk::size_of_file(folder, prefix + original_name(*record)) != record->bytes) {
        return std::nullopt;
    }
    return *std::move(record);
}

}  // namespace media
