#include "core/store/used_links.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <utility>

#include "core/store/disk.h"
#include "core/store/layout.h"

namespace media {

namespace {

// A file for each link: empty while it is being used, with the end of its time once it was.
constexpr std::size_t longest_mark = 32;
constexpr std::size_t id_length = 32;

// How long a used link is remembered beyond its end, for clocks that were set back.
constexpr std::int64_t margin = 3600;

// An empty file that is younger may be about to be locked.
constexpr std::time_t settled = 60;

const Error was_used{409, "the link was used before"};

bool is_id(std::string_view name) {
    return name.size() == id_length && name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_gone(int file) {
    struct stat facts {};
    disk::must(fstat(file, &facts));
    return facts.st_nlink == 0;
}

}  // namespace

LinkInUse::~LinkInUse() {
    // Still locked: nobody has the same file, and who opens it now sees that it is gone.
    if (file_ && !used_) {
        unlinkat(folder_.get(), name_.c_str(), 0);
    }
}

Status LinkInUse::use_up() noexcept {
    return disk::contained([&]() -> Status {
        disk::write_all(file_.get(), bytes_of(std::to_string(expires_)));
        disk::sync(file_.get());
        disk::sync(folder_.get());
        used_ = true;
        return Nothing{};
    });
}

std::string UsedLinks::path() const {
    return root_ + '/' + std::string(store_folder::links);
}

Result<LinkInUse> UsedLinks::reserve(std::string_view id, std::int64_t expires) const noexcept {
    return disk::contained([&]() -> Result<LinkInUse> {
        disk::make_folder(AT_FDCWD, root_, path(), 0700);
        Fd folder = disk::open_folder(path());
        const std::string name{id};
        while (true) {
            Fd file(disk::must(
                openat(folder.get(), name.c_str(), O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600)));
            const bool free = disk::try_lock(file.get());
            if (!disk::read_file(folder.get(), name, longest_mark).value_or("").empty()) {
                return was_used;
            }
            if (!free) {
                return Error{409, "the link is being used"};
            }
            if (!is_gone(file.get())) {
                return LinkInUse{std::move(folder), std::move(file), name, expires};
            }
        }
    });
}

Status UsedLinks::check(std::string_view id) const noexcept {
    return disk::contained([&]() -> Status {
        const auto folder = disk::find_folder(AT_FDCWD, path());
        if (folder && !disk::read_file(folder->get(), std::string{id}, longest_mark).value_or("").empty()) {
            return was_used;
        }
        return Nothing{};
    });
}

Status UsedLinks::sweep(std::time_t now) const noexcept {
    return disk::contained([&]() -> Status {
        const auto folder = disk::find_folder(AT_FDCWD, path());
        if (!folder) {
            return Nothing{};
        }
        for (const std::string& name : disk::names_in(folder->get(), is_id)) {
            const Fd file(openat(folder->get(), name.c_str(), O_RDWR | O_CLOEXEC | O_NOFOLLOW));
            struct stat facts {};
            if (!file || fstat(file.get(), &facts) != 0 ||
                (facts.st_size == 0 && facts.st_mtime > now - settled) || !disk::try_lock(file.get())) {
                continue;
            }
            const std::string mark = disk::read_file(folder->get(), name, longest_mark).value_or("");
            std::int64_t expires = 0;
            const auto [end, error] = std::from_chars(mark.data(), mark.data() + mark.size(), expires);
            if (error == std::errc{} && expires > now - margin) {
                continue;
            }
            unlinkat(folder->get(), name.c_str(), 0);
        }
        return Nothing{};
    });
}

}  // namespace media
