#include "core/store/source_index.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "core/base/hash.h"
#include "core/store/disk.h"
#include "core/store/layout.h"

namespace media {
namespace {

constexpr std::size_t longest_entry = 128;

std::string folder_of_name(const std::string& root, const std::string& name) {
    return below(below(root, store_folder::sources), name.substr(0, 2));
}

std::optional<std::string> read_entry(int folder, const std::string& name) {
    auto key = disk::read_file(folder, name, longest_entry);
    if (!key || !is_key(*key)) {
        return std::nullopt;
    }
    return key;
}

}  // namespace

SourceIndex::SourceIndex(const std::string& root) : root_(root) {}

std::optional<std::string> SourceIndex::find(std::string_view url) const {
    const std::string name = source_name(url);
    const auto folder = disk::find_folder(AT_FDCWD, folder_of_name(root_, name));
    return folder ? read_entry(folder->get(), name) : std::nullopt;
}

void SourceIndex::put(std::string_view url, std::string_view key) const {
    const std::string name = source_name(url);
    const std::string path = folder_of_name(root_, name);
    const std::string outer = below(root_, store_folder::sources);
    disk::make_folder(AT_FDCWD, root_, outer, 0700);
    disk::make_folder(AT_FDCWD, outer, path, 0700);
    const Fd folder = disk::open_folder(path);
    disk::lock(folder.get());
    if (read_entry(folder.get(), name) == key) {
        return;
    }
    disk::NewFile entry(root_, "", 0600);
    disk::write_all(entry.fd(), bytes_of(key));
    disk::sync(entry.fd());
    entry.move_to(folder.get(), name);
    disk::sync(folder.get());
}

void SourceIndex::drop(std::string_view url, std::string_view key) const {
    const std::string name = source_name(url);
    const auto folder = disk::find_folder(AT_FDCWD, folder_of_name(root_, name));
    if (!folder) {
        return;
    }
    disk::lock(folder->get());
    if (read_entry(folder->get(), name) == key && unlinkat(folder->get(), name.c_str(), 0) != 0 &&
        errno != ENOENT) {
        disk::fail(errno);
    }
}

std::string source_name(std::string_view url) {
    return hex(sha256(bytes_of(url)));
}

}  // namespace media
