#include "core/store/store.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <ctime>
#include <utility>

#include "core/rendition/format.h"
#include "core/store/disk.h"
#include "core/store/incoming_state.h"
#include "core/store/intent.h"
#include "core/store/layout.h"
#include "core/store/source_index.h"
#include "core/store/walk.h"

namespace media {
namespace {

// URLs that a record remembers beside its first. Whoever appends a number to one could go on for ever.
constexpr std::size_t most_sources = 64;
constexpr std::size_t longest_source = 8192;

const Error no_such_record{404, "there is no such original"};

[[noreturn]] void fail(Error error) {
    throw disk::Failure{std::move(error)};
}

void check(Status status) {
    if (!status) {
        fail(std::move(status).error());
    }
}

// `facts` as the record of what has come in.
Record complete(Record facts, const Incoming& file) {
    facts.key = facts.sha256 = file.sha256();
    facts.md5 = file.md5();
    facts.bytes = file.size();
    facts.created = utc_time(std::time(nullptr));
    facts.sources.clear();
    const std::string json = facts.to_json("");
    auto record = Record::parse(json);
    // What cannot be read back would be a damaged record.
    if (!record || record->source != facts.source || record->subject != facts.subject ||
        facts.source.size() > longest_source || json.size() > longest_record / 2) {
        fail({422, "what is known of the file cannot be written down"});
    }
    return *std::move(record);
}

void write_record(const disk::NewFile& file, const std::string& json) {
    disk::write_all(file.fd(), bytes_of(json));
    disk::sync(file.fd());
}

void unlink_if_there(int folder, const std::string& name) {
    if (unlinkat(folder, name.c_str(), 0) != 0 && errno != ENOENT) {
        disk::fail(errno);
    }
}

void add_source(const std::string& root, const Shard& shard, Record& record, const std::string& url) {
    if (url.empty() || url.size() > longest_source) {
        return;
    }
    if (!record.comes_from(url)) {
        if (record.sources.size() == most_sources) {
            return;
        }
        Record longer = record;
        longer.sources.push_back(url);
        const std::string json = longer.to_json("");
        if (json.size() > longest_record) {
            return;
        }
        disk::NewFile file(root, "", 0600);
        write_record(file, json);
        file.move_to(shard.fd(), record_name(record.key));
        disk::sync(shard.fd());
        record = std::move(longer);
    }
    SourceIndex(root).put(url, record.key);
}

// Puts a file and its record into a locked folder. Takes back what it did where it throws.
class Placing {
  public:
    Placing(const std::string& root, const Shard& shard, const Record& record, std::string_view kind)
        : root_(root), shard_(shard), record_(record), intent_(root, record.key + std::string(kind), 0600) {}
    Placing(const Placing&) = delete;
    Placing& operator=(const Placing&) = delete;

    ~Placing() {
        if (done_) {
            return;
        }
        // The record goes first: without it, mend() would complete what the intent still stands for.
        if (record_placed_) {
            unlinkat(shard_.fd(), record_name(record_.key).c_str(), 0);
        }
        if (original_placed_ && !had_original_) {
            unlinkat(shard_.fd(), original_name(record_).c_str(), 0);
        }
        if (indexed_) {
            try {
                SourceIndex(root_).drop(record_.source, record_.key);
            } catch (...) {
                // An entry that leads nowhere does no harm.
            }
        }
        fsync(shard_.fd());
    }

    void place(disk::NewFile& file, const std::string& json, bool index) {
        disk::sync(file.fd());
        write_record(intent_, json);
        had_original_ = disk::size_of_file(shard_.fd(), original_name(record_)).has_value();
        file.move_to(shard_.fd(), original_name(record_));
        original_placed_ = true;
        disk::sync(shard_.fd());
        if (index) {
            indexed_ = true;
            intent::index_sources(root_, record_);
        }
        unlink_if_there(shard_.fd(), record_name(record_.key));  // a damaged one
        intent_.link_to(shard_.fd(), record_name(record_.key));
        record_placed_ = true;
        disk::sync(shard_.fd());
    }

    void done() { done_ = true; }
    void leave_intent() { intent_.keep(); }

  private:
    const std::string& root_;
    const Shard& shard_;
    const Record& record_;
    disk::NewFile intent_;
    bool had_original_ = false, original_placed_ = false, indexed_ = false, record_placed_ = false;
    bool done_ = false;
};

// What is left where a record is damaged or gone: an original without one.
std::optional<Record> orphan(const Shard& shard, std::string_view key) {
    for (const FormatInfo& format : formats()) {
        Record record{.key = std::string(key),
                      .extension = std::string(format.extension),
                      .type = std::string(format.mime)};
        if (const auto bytes = disk::size_of_file(shard.fd(), original_name(record))) {
            record.bytes = *bytes;
            return record;
        }
    }
    return std::nullopt;
}

}  // namespace

Result<Incoming> Store::begin(std::uint64_t limit) const noexcept {
    return disk::contained(
        [&]() -> Result<Incoming> { return Incoming(std::make_unique<Incoming::State>(path_, limit)); });
}

Result<Store::Published> Store::publish(Incoming&& file, Record facts,
                                        const PublishHook& hook) const noexcept {
    return disk::contained([&]() -> Result<Published> {
        Incoming taken = std::move(file);
        check(taken.finish());
        Record record = complete(std::move(facts), taken);
        const Shard shard = Shard::make(path_, record.key);
        if (auto stored = shard.whole(record.key)) {
            add_source(path_, shard, *stored, record.source);
            if (hook) {
                check(hook(*stored, false));
            }
            return Published{*std::move(stored), false};
        }
        Placing placing(path_, shard, record, intent::publish);
        placing.place(taken.state_->file, record.to_json(""), true);
        if (hook) {
            check(hook(record, true));
        }
        placing.done();
        return Published{record, true};
    });
}

Result<Record> Store::find(std::string_view key) const noexcept {
    return disk::contained([&]() -> Result<Record> {
        if (!is_key(key)) {
            return no_such_record;
        }
        const auto root = disk::find_folder(AT_FDCWD, path_);
        const auto folder = root ? disk::find_folder(root->get(), folder_of(key)) : std::nullopt;
        if (!folder) {
            return no_such_record;
        }
        bool damaged = false;
        auto record = whole_record(folder->get(), key, "", &damaged);
        if (!record) {
            return damaged ? Error{422, "the record is damaged"} : no_such_record;
        }
        return *std::move(record);
    });
}

Result<Record> Store::find_by_source(std::string_view url) const noexcept {
    return disk::contained([&]() -> Result<Record> {
        const auto key = SourceIndex(path_).find(url);
        if (!key) {
            return no_such_record;
        }
        auto record = find(*key);
        if (!record && record.error().status != 422) {
            return record;
        }
        if (!record || !record->comes_from(url)) {
            return no_such_record;
        }
        return record;
    });
}

Result<Record> Store::remove(std::string_view key, const Hook& hook) const noexcept {
    return disk::contained([&]() -> Result<Record> {
        if (!is_key(key)) {
            return no_such_record;
        }
        const auto shard = Shard::find(path_, key);
        if (!shard) {
            return no_such_record;
        }
        const std::string name = record_name(key);
        const bool there = disk::size_of_file(shard->fd(), name).has_value();
        const auto text = disk::read_file(shard->fd(), name, longest_record);
        auto record = text ? Record::parse(*text) : Result<Record>(no_such_record);
        if (!record || record->key != key) {
            const auto left = orphan(*shard, key);
            if (!left && !there) {
                shard->remove_if_empty();
                return no_such_record;
            }
            record = left.value_or(Record{.key = std::string(key)});
        }
        disk::NewFile intent(path_, std::string(key) + std::string(intent::remove), 0600);
        if (there) {
            disk::must(renameat(shard->fd(), name.c_str(), AT_FDCWD, intent.path().c_str()));
        }
        disk::sync(shard->fd());
        const std::string path = intent.path();
        intent.keep();
        // What the hook could not do is done by mend(): the original is gone in any case.
        static_cast<void>(intent::finish_removal(path_, *shard, *record, path, hook));
        return record;
    });
}

Result<Store::Page> Store::list(std::string_view after, std::size_t limit) const noexcept {
    return disk::contained([&]() -> Result<Page> {
        if (!after.empty() && !is_key(after)) {
            return Error{400, "this is no key", "after"};
        }
        limit = std::max<std::size_t>(limit, 1);
        const Fd root = disk::open_folder(path_);
        Page page;
        each_key(root.get(), after, [&](const std::string& folder, std::string_view key) {
            if (page.records.size() == limit) {
                page.next = page.records.back().key;
                return false;
            }
            if (auto record = whole_record(root.get(), key, folder + '/')) {
                page.records.push_back(*std::move(record));
            }
            return true;
        });
        return page;
    });
}

Status Store::reject(Incoming&& file, Record facts, std::string_view reason,
                     const Hook& hook) const noexcept {
    return disk::contained([&]() -> Status {
        Incoming taken = std::move(file);
        check(taken.finish());
        const Record record = complete(std::move(facts), taken);
        std::string json = record.to_json("");
        json.pop_back();
        json += ",\"reason\":" + json_string(reason) + '}';
        const std::string root = below(path_, store_folder::rejected);
        disk::make_folder(AT_FDCWD, path_, root, 0700);
        const Shard shard = Shard::make(root, record.key);
        Placing placing(path_, shard, record, intent::reject);
        placing.place(taken.state_->file, json, false);
        placing.done();
        if (hook && !hook(record)) {
            placing.leave_intent();
        }
        return Nothing{};
    });
}

}  // namespace media
