#include "core/store/audit.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <set>
#include <utility>
#include <vector>

#include "core/base/hash.h"
#include "core/rendition/format.h"
#include "core/store/disk.h"
#include "core/store/incoming_state.h"
#include "core/store/layout.h"
#include "core/store/shard.h"
#include "core/store/source_index.h"
#include "core/store/walk.h"

namespace media {
namespace {

constexpr std::size_t key_length = 64;
constexpr std::size_t piece_size = std::size_t{1} << 20U;

bool any_name(std::string_view name) {
    return name != "." && name != "..";
}

struct Digests {
    std::uint64_t bytes = 0;
    std::string sha256, md5;
};

// Nothing where the file is not there.
std::optional<Digests> digests_of(int folder, const std::string& name) {
    const Fd file(openat(folder, name.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK));
    if (!file) {
        if (errno == ENOENT) {
            return std::nullopt;
        }
        disk::fail(errno);
    }
    RunningDigest sha256(EVP_sha256());
    RunningDigest md5(EVP_md5());
    Digests digests;
    std::vector<std::uint8_t> piece(piece_size);
    for (;;) {
        const ssize_t count = read(file.get(), piece.data(), piece.size());
        if (count < 0 && errno == EINTR) {
            continue;
        }
        disk::must(static_cast<int>(count));
        if (count == 0) {
            break;
        }
        const ByteView bytes{piece.data(), static_cast<std::size_t>(count)};
        sha256.add(bytes);
        md5.add(bytes);
        digests.bytes += bytes.size();
    }
    digests.sha256 = hex(sha256.finish());
    digests.md5 = hex(md5.finish());
    return digests;
}

bool is_original_name(std::string_view name) {
    if (name.size() < key_length + 2 || !is_key(name.substr(0, key_length)) || name[key_length] != '.') {
        return false;
    }
    const std::string_view extension = name.substr(key_length + 1);
    return std::any_of(formats().begin(), formats().end(),
                       [extension](const FormatInfo& format) { return format.extension == extension; });
}

bool is_record_name(std::string_view name) {
    return name.size() == key_length + 5 && is_key(name.substr(0, key_length)) && name.ends_with(".json");
}

std::vector<std::string> urls_of(const Record& record) {
    std::vector<std::string> urls = record.sources;
    if (!record.source.empty()) {
        urls.push_back(record.source);
    }
    return urls;
}

// Whether the record that an entry leads to names the URL of the entry, of which only the hash is known.
bool leads_somewhere(const Shard& shard, const std::string& key, const std::string& name) {
    const auto record = shard.whole(key);
    const std::vector<std::string> urls = record ? urls_of(*record) : std::vector<std::string>();
    return std::any_of(urls.begin(), urls.end(),
                       [&name](const std::string& url) { return source_name(url) == name; });
}

// Calls `use` with the name below the store, and the folder, of each entry of the index that leads nowhere.
// What it leads to is locked meanwhile: entries come before their record.
void each_stale_entry(const std::string& root,
                      const std::function<void(const std::string& name, const Fd& folder)>& use) {
    const std::string index(store_folder::sources);
    const auto outer = disk::find_folder(AT_FDCWD, below(root, index));
    for (const std::string& part :
         outer ? disk::names_in(outer->get(), any_name) : std::vector<std::string>()) {
        const auto folder = disk::find_folder(outer->get(), part);
        for (const std::string& name :
             folder ? disk::names_in(folder->get(), any_name) : std::vector<std::string>()) {
            const std::string key = disk::read_file(folder->get(), name, key_length).value_or("");
            const auto shard = is_key(key) ? Shard::find(root, key) : std::nullopt;
            if (disk::read_file(folder->get(), name, key_length) == key &&
                !(shard && leads_somewhere(*shard, key, name))) {
                use(below(below(index, part), name), *folder);
            }
        }
    }
}

class Auditor {
  public:
    Auditor(const std::string& root, const Report& report) : root_(root), report_(report) {}

    Audit run() {
        const Fd root = disk::open_folder(root_);
        each_folder(root.get(), "", [this](const std::string& folder) {
            look_into(folder);
            return true;
        });
        each_stale_entry(
            root_, [this](const std::string& name, const Fd& /*folder*/) { wrong(name, "leads nowhere"); });
        return found_;
    }

  private:
    void wrong(const std::string& name, std::string_view what) {
        ++found_.wrong;
        report_(name, what);
    }

    // Under the lock: what is half done is not wrong.
    void look_into(const std::string& folder) {
        const auto shard = Shard::find(root_, folder.substr(0, 2) + folder.substr(3, 2));
        if (!shard) {
            return;
        }
        const std::vector<std::string> names = disk::names_in(shard->fd(), any_name);
        std::set<std::string> expected;
        for (const std::string& name : names) {
            if (is_record_name(name)) {
                judge(*shard, folder + '/', name, expected);
            }
        }
        for (const std::string& name : names) {
            if (!is_record_name(name) && !expected.contains(name)) {
                wrong(below(folder, name), is_original_name(name) ? "has no record" : "does not belong here");
            }
        }
    }

    void judge(const Shard& shard, const std::string& prefix, const std::string& name,
               std::set<std::string>& expected) {
        const std::string key = name.substr(0, key_length);
        const auto record = Record::parse(disk::read_file(shard.fd(), name, longest_record).value_or(""));
        if (!record || record->key != key) {
            wrong(prefix + name, "is damaged");
            return;
        }
        const std::string original = original_name(*record);
        expected.insert(original);
        const auto digests = digests_of(shard.fd(), original);
        ++found_.originals;
        if (!digests) {
            wrong(prefix + name, "has no original");
        } else if (digests->bytes != record->bytes || digests->sha256 != key || digests->md5 != record->md5) {
            wrong(prefix + original, "is not what its record says");
        }
        for (const std::string& url : urls_of(*record)) {
            if (!SourceIndex(root_).find(url)) {
                wrong(prefix + name, "has a source that does not lead to it");
            }
        }
    }

    const std::string& root_;
    const Report& report_;
    Audit found_;
};

}  // namespace

Result<Audit> audit(const std::string& root, const Report& report) noexcept {
    return disk::contained([&]() -> Result<Audit> { return Auditor(root, report).run(); });
}

Status each_record(const std::string& root, const std::function<Status(const Record& record)>& use) noexcept {
    return disk::contained([&]() -> Status {
        const Fd opened = disk::open_folder(root);
        Status status = Nothing{};
        each_key(opened.get(), "", [&](const std::string& folder, std::string_view key) {
            if (const auto record = whole_record(opened.get(), key, folder + '/')) {
                status = use(*record);
            }
            return static_cast<bool>(status);
        });
        return status;
    });
}

Status rebuild_index(const std::string& root) noexcept {
    return disk::contained([&]() -> Status {
        each_stale_entry(root, [](const std::string& name, const Fd& folder) {
            if (unlinkat(folder.get(), name.substr(name.rfind('/') + 1).c_str(), 0) != 0 && errno != ENOENT) {
                disk::fail(errno);
            }
        });
        return each_record(root, [&root](const Record& record) -> Status {
            const auto shard = Shard::find(root, record.key);
            const auto now = shard ? shard->whole(record.key) : std::nullopt;
            for (const std::string& url : now ? urls_of(*now) : std::vector<std::string>()) {
                // Another that gave something for this URL later keeps it.
                if (!SourceIndex(root).find(url)) {
                    SourceIndex(root).put(url, record.key);
                }
            }
            return Nothing{};
        });
    });
}

}  // namespace media
