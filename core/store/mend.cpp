// What becomes of what somebody was about to do when he died.
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <optional>
#include <utility>

#include "core/rendition/format.h"
#include "core/store/disk.h"
#include "core/store/intent.h"
#include "core/store/layout.h"
#include "core/store/source_index.h"

namespace media {

namespace intent {

void index_sources(const std::string& root, const Record& record) {
    const SourceIndex index(root);
    if (!record.source.empty()) {
        index.put(record.source, record.key);
    }
    for (const std::string& url : record.sources) {
        index.put(url, record.key);
    }
}

void unlink_originals(const Shard& shard, std::string_view key) {
    for (const FormatInfo& format : formats()) {
        const std::string name = std::string(key) + '.' + std::string(format.extension);
        if (unlinkat(shard.fd(), name.c_str(), 0) != 0 && errno != ENOENT) {
            disk::fail(errno);
        }
    }
}

Status finish_removal(const std::string& root, const Shard& shard, const Record& record,
                      const std::string& path, const Store::Hook& hook) {
    unlink_originals(shard, record.key);
    disk::sync(shard.fd());
    const SourceIndex index(root);
    index.drop(record.source, record.key);
    for (const std::string& url : record.sources) {
        index.drop(url, record.key);
    }
    if (hook) {
        if (Status told = hook(record); !told) {
            return told;
        }
    }
    unlink(path.c_str());
    shard.remove_if_empty();
    return Nothing{};
}

}  // namespace intent

namespace {

constexpr std::size_t key_length = 64;

// A file of .incoming, and what it was for.
struct Leftover {
    enum class Kind { publish, remove, reject, other };
    Kind kind = Kind::other;
    std::string name, key;
};

Leftover leftover_of(std::string name) {
    using Kind = Leftover::Kind;
    constexpr std::array<std::pair<std::string_view, Kind>, 3> kinds{
        {{intent::publish, Kind::publish}, {intent::remove, Kind::remove}, {intent::reject, Kind::reject}}};
    Leftover leftover;
    const std::string_view all = name;
    if (all.size() > key_length && is_key(all.substr(0, key_length))) {
        for (const auto& [mark, kind] : kinds) {
            if (all.substr(key_length).starts_with(mark)) {
                leftover.kind = kind;
                leftover.key = all.substr(0, key_length);
            }
        }
    }
    leftover.name = std::move(name);
    return leftover;
}

class Mender {
  public:
    Mender(const std::string& root, int incoming, const Store::PublishHook& published,
           const Store::Hook& removed, const Store::Hook& rejected)
        : root_(root), incoming_(incoming), published_(published), removed_(removed), rejected_(rejected) {}

    Status mend(const Leftover& leftover) {
        if (leftover.kind == Leftover::Kind::other) {
            drop_if_dead(leftover.name);
            return Nothing{};
        }
        const bool reject = leftover.kind == Leftover::Kind::reject;
        const std::string root = reject ? below(root_, store_folder::rejected) : root_;
        if (reject) {
            disk::make_folder(AT_FDCWD, root_, root, 0700);
        }
        const auto shard = Shard::try_make(root, leftover.key);
        // Behind a lock somebody is at work; without its file, somebody has just been.
        if (!shard || !disk::size_of_file(incoming_, leftover.name)) {
            if (shard) {
                shard->remove_if_empty();
            }
            return Nothing{};
        }
        return leftover.kind == Leftover::Kind::remove ? mend_removal(leftover, *shard)
                                                       : mend_placing(leftover, *shard, reject);
    }

  private:
    void drop(const std::string& name) const {
        if (unlinkat(incoming_, name.c_str(), 0) != 0 && errno != ENOENT) {
            disk::fail(errno);
        }
    }

    // A file of its own lock: data, or an entry of the index.
    void drop_if_dead(const std::string& name) const {
        const Fd file(openat(incoming_, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
        if (!file) {
            if (errno == ENOENT) {
                return;
            }
            disk::fail(errno);
        }
        struct stat facts {};
        disk::must(fstat(file.get(), &facts));
        if (!S_ISDIR(facts.st_mode) && disk::try_lock(file.get())) {
            drop(name);
        }
    }

    std::optional<Record> record_of(const Leftover& leftover) const {
        const auto text = disk::read_file(incoming_, leftover.name, longest_record);
        auto record = text ? Record::parse(*text) : Result<Record>(Error{422, ""});
        if (!record && record.error().status == 500) {
            throw disk::Failure{record.error()};
        }
        return record && record->key == leftover.key ? std::optional(*std::move(record)) : std::nullopt;
    }

    bool same_file(const Shard& shard, const Leftover& leftover) const {
        struct stat here {};
        struct stat there {};
        return fstatat(incoming_, leftover.name.c_str(), &here, AT_SYMLINK_NOFOLLOW) == 0 &&
               fstatat(shard.fd(), record_name(leftover.key).c_str(), &there, AT_SYMLINK_NOFOLLOW) == 0 &&
               here.st_ino == there.st_ino && here.st_dev == there.st_dev;
    }

    Status mend_placing(const Leftover& leftover, const Shard& shard, bool reject) const {
        const auto record = record_of(leftover);
        const bool placed = disk::size_of_file(shard.fd(), record_name(leftover.key)).has_value();
        if (!record || (placed && !same_file(shard, leftover)) ||
            disk::size_of_file(shard.fd(), original_name(*record)) != record->bytes) {
            drop(leftover.name);
            shard.remove_if_empty();
            return Nothing{};
        }
        if (!placed) {
            if (!reject) {
                intent::index_sources(root_, *record);
            }
            const std::string name = record_name(leftover.key);
            disk::must(linkat(incoming_, leftover.name.c_str(), shard.fd(), name.c_str(), 0));
        }
        disk::sync(shard.fd());
        Status told = Nothing{};
        if (reject) {
            told = rejected_ ? rejected_(*record) : told;
        } else {
            told = published_ ? published_(*record, true) : told;
        }
        if (told) {
            drop(leftover.name);
        }
        return told;
    }

    Status mend_removal(const Leftover& leftover, const Shard& shard) const {
        if (disk::size_of_file(shard.fd(), record_name(leftover.key))) {
            drop(leftover.name);  // it had not begun, or the same bytes have been stored again since
            return Nothing{};
        }
        const std::string path = below(below(root_, store_folder::incoming), leftover.name);
        const Record record = record_of(leftover).value_or(Record{.key = leftover.key});
        return intent::finish_removal(root_, shard, record, path, removed_);
    }

    const std::string& root_;
    int incoming_;
    const Store::PublishHook& published_;
    const Store::Hook& removed_;
    const Store::Hook& rejected_;
};

bool no_dots(std::string_view name) {
    return name != "." && name != "..";
}

}  // namespace

Status Store::mend(const PublishHook& published, const Hook& removed, const Hook& rejected) const noexcept {
    return disk::contained([&]() -> Status {
        const auto incoming = disk::find_folder(AT_FDCWD, below(path_, store_folder::incoming));
        if (!incoming) {
            return Nothing{};
        }
        Mender mender(path_, incoming->get(), published, removed, rejected);
        Status first = Nothing{};
        for (std::string& name : disk::names_in(incoming->get(), no_dots)) {
            Status each = disk::contained([&] { return mender.mend(leftover_of(std::move(name))); });
            if (!each && first) {
                first = std::move(each);
            }
        }
        return first;
    });
}

}  // namespace media
