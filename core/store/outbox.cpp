#include "core/store/outbox.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <ctime>

#include "core/store/disk.h"
#include "core/store/layout.h"
#include "core/store/record.h"

namespace media {

namespace {

constexpr std::size_t number_length = 16;
constexpr std::size_t id_length = number_length + 1 + 32;
constexpr std::size_t key_length = 64;
constexpr std::size_t longest_sink = 16;
constexpr std::size_t largest_event = 4U << 20U;
constexpr std::string_view suffix = ".json";
constexpr const char* sequence_file = ".sequence";
constexpr const char* claim_file = ".dispatcher";
constexpr mode_t folder_mode = 0700;
constexpr mode_t file_mode = 0600;

bool is_hex(std::string_view text) noexcept {
    return text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

bool is_event(std::string_view name) noexcept {
    return name.ends_with(suffix);
}

// Of fixed length, so that texts sort as numbers do.
std::string digits_of(std::uint64_t number) {
    std::array<char, number_length + 1> digits{};
    std::snprintf(digits.data(), digits.size(), "%016llx", static_cast<unsigned long long>(number));
    return digits.data();
}

Fd open_own(int folder, const char* name) {
    return Fd(disk::must(openat(folder, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, file_mode)));
}

/// The number of the event that came last, locked.
class Sequence {
  public:
    explicit Sequence(int folder) : file_(open_own(folder, sequence_file)) {
        disk::lock(file_.get());
        std::array<char, number_length> text{};
        if (pread(file_.get(), text.data(), text.size(), 0) == static_cast<ssize_t>(text.size())) {
            std::from_chars(text.data(), text.data() + text.size(), last_, 16);
        }
    }

    std::uint64_t last() const noexcept { return last_; }

    /// The next one: behind the last, and not before the clock.
    std::uint64_t next() {
        using std::chrono::duration_cast, std::chrono::microseconds, std::chrono::system_clock;
        const auto now = duration_cast<microseconds>(system_clock::now().time_since_epoch()).count();
        last_ = std::max(static_cast<std::uint64_t>(now), last_ + 1);
        const std::string digits = digits_of(last_);
        if (pwrite(file_.get(), digits.data(), digits.size(), 0) != static_cast<ssize_t>(digits.size())) {
            disk::fail(errno);
        }
        return last_;
    }

  private:
    Fd file_;
    std::uint64_t last_ = 0;
};

}  // namespace

bool Waiting::delivered_to(std::string_view sink) const noexcept {
    return std::find(delivered.begin(), delivered.end(), sink) != delivered.end();
}

std::string Waiting::file() const {
    std::string name = id + '-' + key;
    for (const std::string& sink : delivered) {
        name += '.' + sink;
    }
    return name.append(suffix);
}

bool Waiting::parse(std::string_view file, Waiting& waiting) {
    if (!is_event(file) || file.size() < id_length + 1 + key_length + suffix.size()) {
        return false;
    }
    file.remove_suffix(suffix.size());
    const std::string_view id = file.substr(0, id_length);
    const std::string_view key = file.substr(id_length + 1, key_length);
    if (id[number_length] != '-' || file[id_length] != '-' || !is_hex(id.substr(0, number_length)) ||
        !is_hex(id.substr(number_length + 1)) || !is_key(key)) {
        return false;
    }
    file.remove_prefix(id_length + 1 + key_length);
    waiting = {std::string(id), std::string(key), {}};
    while (!file.empty()) {
        const std::size_t end = std::min(file.find('.', 1), file.size());
        const std::string_view sink = file.substr(1, end - 1);
        if (file.front() != '.' || sink.empty() || sink.size() > longest_sink || !is_hex(sink)) {
            return false;
        }
        waiting.delivered.emplace_back(sink);
        file.remove_prefix(end);
    }
    return true;
}

Fd Outbox::open_folder() const {
    const Fd store = disk::open_folder(store_);
    const std::string name{store_folder::events};
    disk::make_folder(store.get(), ".", name, folder_mode);
    return std::move(*disk::find_folder(store.get(), name));
}

Status Outbox::add(Event event) const noexcept {
    return disk::contained([&]() -> Status {
        if (!is_key(event.key)) {
            return Error{422, "an event has the key of an original"};
        }
        const Fd folder = open_folder();
        event.id = digits_of(Sequence(folder.get()).next()) + '-' + disk::unique_name();
        event.time = utc_time(std::time(nullptr));
        disk::NewFile file(store_, "event", file_mode);
        const std::string body = event.to_json();
        disk::write_all(file.fd(), bytes_of(body));
        disk::sync(file.fd());
        file.move_to(folder.get(), Waiting{event.id, event.key, {}}.file());
        disk::sync(folder.get());
        return Nothing{};
    });
}

Result<Fd> Outbox::claim() const noexcept {
    return disk::contained([&]() -> Result<Fd> {
        Fd file = open_own(open_folder().get(), claim_file);
        return disk::try_lock(file.get()) ? std::move(file) : Fd();
    });
}

Result<std::vector<Waiting>> Outbox::list() const noexcept {
    return disk::contained([&]() -> Result<std::vector<Waiting>> {
        const Fd folder = open_folder();
        // A folder that is read while files come may show a later one and not an earlier one. Of one key the
        // earlier one was complete before the later one got its number: up to the last number of now nothing
        // is missing. A store that was copied without it has none.
        const std::uint64_t last = Sequence(folder.get()).last();
        const std::string newest = digits_of(last == 0 ? UINT64_MAX : last);
        std::vector<Waiting> found;
        Waiting waiting;
        for (const std::string& name : disk::names_in(folder.get(), &is_event)) {
            if (Waiting::parse(name, waiting) && waiting.id.compare(0, number_length, newest) <= 0) {
                found.push_back(std::move(waiting));
            }
        }
        return found;
    });
}

Result<std::string> Outbox::read(const Waiting& waiting) const noexcept {
    return disk::contained([&]() -> Result<std::string> {
        auto body = disk::read_file(open_folder().get(), waiting.file(), largest_event);
        if (!body) {
            return Error{404, "there is no such event"};
        }
        return std::move(*body);
    });
}

Status Outbox::mark(Waiting& waiting, const std::vector<std::string>& sinks) const noexcept {
    return disk::contained([&]() -> Status {
        Waiting marked = waiting;
        for (const std::string& sink : sinks) {
            if (!marked.delivered_to(sink)) {
                marked.delivered.push_back(sink);
            }
        }
        const Fd folder = open_folder();
        disk::must(renameat(folder.get(), waiting.file().c_str(), folder.get(), marked.file().c_str()));
        waiting = std::move(marked);
        return Nothing{};
    });
}

Status Outbox::remove(const Waiting& waiting) const noexcept {
    return disk::contained([&]() -> Status {
        if (unlinkat(open_folder().get(), waiting.file().c_str(), 0) != 0 && errno != ENOENT) {
            disk::fail(errno);
        }
        return Nothing{};
    });
}

Status Outbox::set_aside(const Waiting& waiting) const noexcept {
    return disk::contained([&]() -> Status {
        const Fd folder = open_folder();
        const std::string name = waiting.file();
        disk::must(renameat(folder.get(), name.c_str(), folder.get(), (name + ".damaged").c_str()));
        return Nothing{};
    });
}

}  // namespace media
