#include "module/record_mirror.h"

#include <utility>

#include "core/base/hash.h"
#include "core/store/layout.h"
#include "module/worker.h"

namespace media {

namespace {

std::string record_key(const RedisService& service, std::string_view key) {
    return service.config().prefix + "record:{" + std::string{key} + '}';
}

std::string source_key(const RedisService& service, std::string_view url) {
    return service.config().prefix + "source:{" + hex(sha256(bytes_of(url))) + '}';
}

std::vector<std::string> sources_of(const Record& record) {
    std::vector<std::string> all = record.sources;
    if (!record.source.empty()) {
        all.push_back(record.source);
    }
    return all;
}

Error nothing_there() {
    return {404, "there is no such original"};
}

}  // namespace

void RecordMirror::open(RedisService& service) noexcept {
    close();
    service_ = &service;
    service_->enter();
}

void RecordMirror::close() noexcept {
    for (const auto& call : calls_) {
        call->cancel();
    }
    calls_.clear();
    open_ = 0;
    if (service_ != nullptr) {
        std::exchange(service_, nullptr)->leave();
    }
}

bool RecordMirror::store(RedisService& service, const std::vector<Record>& records, Done done) {
    open(service);
    done_ = std::move(done);
    for (const Record& record : records) {
        // The record first: an index that leads nowhere is worse than none.
        set(record_key(service, record.key), record.to_json({}));
        for (const std::string& source : sources_of(record)) {
            set(source_key(service, source), record.key);
        }
    }
    return waits();
}

bool RecordMirror::remove(RedisService& service, const Record& record, Done done) {
    open(service);
    done_ = std::move(done);
    del(record_key(service, record.key));
    for (const std::string& source : sources_of(record)) {
        del(source_key(service, source));
    }
    return waits();
}

void RecordMirror::set(const std::string& key, std::string_view value) {
    std::string command;
    append_command(command, {"SET", key, value});
    send(key, command);
}

void RecordMirror::del(const std::string& key) {
    std::string command;
    append_command(command, {"DEL", key});
    send(key, command);
}

void RecordMirror::send(const std::string& key, const std::string& command) {
    MirrorDebt& debt = *worker()->mirror_debts.at(service_);
    debt.forget(key);
    auto call = service_->call(key, command, 1, [this, &debt, key, command](std::span<RespReply> replies) {
        if (replies.empty() || replies[0].value().error()) {
            debt.owe(key, command);
        }
        if (!replies.empty() && replies[0].value().error()) {
            service_->note_refusal(replies[0].value().text());
        }
        if (--open_ == 0 && done_) {
            std::exchange(done_, nullptr)();
        }
    });
    if (call == nullptr) {
        debt.owe(key, command);
        return;
    }
    calls_.push_back(std::move(call));
    ++open_;
}

bool RecordMirror::waits() {
    if (open_ == 0) {
        done_ = nullptr;
        return false;
    }
    return true;
}

bool RecordMirror::find(RedisService& service, std::string_view key, Found found) {
    open(service);
    found_ = std::move(found);
    return get(record_key(service, key), [this](std::string_view json) {
        auto record = json.empty() ? Result<Record>{nothing_there()} : Record::parse(json);
        std::exchange(found_, nullptr)(record ? std::move(record) : Result<Record>{nothing_there()});
    });
}

bool RecordMirror::find_by_source(RedisService& service, std::string_view url, Found found) {
    open(service);
    found_ = std::move(found);
    return get(source_key(service, url), [this](std::string_view key) {
        auto then = std::exchange(found_, nullptr);
        if (!is_key(key) || !find(*service_, std::string{key}, then)) {
            then(nothing_there());
        }
    });
}

// `then` gets what is there, or nothing.
bool RecordMirror::get(std::string key, std::function<void(std::string_view)> then) {
    std::string command;
    append_command(command, {"GET", key});
    auto call = service_->call(std::move(key), std::move(command), 1,
                               [then = std::move(then)](std::span<RespReply> replies) {
                                   const bool there = !replies.empty() && replies[0].value().string();
                                   then(there ? replies[0].value().text() : std::string_view{});
                               });
    if (call == nullptr) {
        return false;
    }
    calls_.push_back(std::move(call));
    return true;
}

}  // namespace media
