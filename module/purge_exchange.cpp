#include "module/purge_exchange.h"

#include <algorithm>
#include <utility>

#include "core/base/hash.h"
#include "module/guard.h"
#include "module/worker.h"

namespace media {

namespace {

constexpr ngx_msec_t poll_period = 200;
constexpr std::size_t most_read = 1000;  // entries at a time
constexpr std::size_t most_told = 200;   // likewise, of those that the stream lacks
constexpr time_t touch_period = 60;

// One hash tag: both lie on one server of a cluster.
std::string stream_of(const RedisService& service) {
    return service.config().prefix + "{purges}";
}

std::string epoch_of(const RedisService& service) {
    return stream_of(service) + ":epoch";
}

std::string new_epoch() {
    std::array<std::uint8_t, 16> bytes{};
    for (auto& byte : bytes) {
        byte = static_cast<std::uint8_t>(static_cast<unsigned long>(ngx_random()) >> 8U);
    }
    return hex(bytes) + '.' + std::to_string(ngx_time()) + '.' + std::to_string(ngx_pid);
}

// Remembers on disk that this machine has heard all until now (PurgeTable::heard_file).
class Touch final : public Task {
  public:
    explicit Touch(std::string path) : path_(std::move(path)) {}
    void work() noexcept override {
        Descriptor file{open(path_.c_str(), O_CREAT | O_WRONLY | O_CLOEXEC | O_NOFOLLOW, 0600)};
        if (file) {
            futimens(file.get(), nullptr);
        }
    }
    void complete() noexcept override {}
    void cancel() noexcept override {}

  private:
    std::string path_;
};

}  // namespace

std::shared_ptr<RedisCall> announce_purges(RedisService& service, const PurgeTable& table,
                                           std::span<const PurgeRecord> records,
                                           std::function<void(bool announced)> done) {
    // What nobody has to hear of any more leaves the stream by the way.
    const auto time = static_cast<std::uint64_t>(std::max<time_t>(time_t{ngx_time()}, 0));
    const std::string oldest =
        std::to_string((time - std::min<std::uint64_t>(time, table.lifetime())) * 1000);
    const std::string key = stream_of(service);
    std::string batch;
    for (const PurgeRecord& record : records) {
        append_command(batch, {"XADD", key, "MINID", "~", oldest, "*", "purge", record.to_text()});
    }
    auto call =
        service.call(key, std::move(batch), records.size(), [&service, done = std::move(done)](auto replies) {
            bool good = !replies.empty();
            for (const RespReply& reply : replies) {
                if (reply.value().error()) {
                    service.note_refusal(reply.value().text());
                    good = false;
                }
            }
            done(good);
        });
    return call;
}

PurgeExchange::PurgeExchange(RedisService& service, PurgeTable& table, PurgeWriter& writer)
    : service_(service), table_(table), writer_(writer) {
    timer_.handler = guard<&PurgeExchange::on_timer>;
    timer_.data = this;
    timer_.log = ngx_cycle->log;
    timer_.cancelable = 1;
    begin_anew();
    wait(0);
}

PurgeExchange::~PurgeExchange() {
    if (timer_.timer_set != 0) {
        ngx_del_timer(&timer_);
    }
    if (call_ != nullptr) {
        call_->cancel();
    }
}

void PurgeExchange::wait(ngx_msec_t time) {
    if (timer_.timer_set == 0) {
        ngx_add_timer(&timer_, time);
    }
}

void PurgeExchange::on_timer(ngx_event_t* event) {
    static_cast<PurgeExchange*>(event->data)->poll();
}

void PurgeExchange::begin_anew() noexcept {
    comparing_ = true;
    cursor_ = "0-0";
    told_.clear();
    missing_.clear();
    untold_ = table_.untold();
}

void PurgeExchange::poll() {
    if (!comparing_ && table_.untold() != untold_) {
        begin_anew();
    }
    if (!missing_.empty()) {
        tell_missing();
        return;
    }
    std::string batch;
    append_command(batch, {"SET", epoch_of(service_), new_epoch(), "NX"});
    append_command(batch, {"GET", epoch_of(service_)});
    append_command(batch,
                   {"XREAD", "COUNT", std::to_string(most_read), "STREAMS", stream_of(service_), cursor_});
    call_ = service_.call(stream_of(service_), std::move(batch), 3, [this](std::span<RespReply> replies) {
        call_ = nullptr;
        on_read(replies);
    });
    if (call_ == nullptr) {
        out_of_touch();
    }
}

void PurgeExchange::out_of_touch() noexcept {
    in_touch_ = false;
    wait(poll_period);
}

void PurgeExchange::on_read(std::span<RespReply> replies) {
    if (replies.empty() || !replies[1].value().string() || replies[2].value().error()) {
        if (!replies.empty() && replies[2].value().error()) {
            service_.note_refusal(replies[2].value().text());
        }
        out_of_touch();
        return;
    }
    const std::string_view epoch = replies[1].value().text();
    if (!std::exchange(in_touch_, true) || epoch != epoch_) {
        epoch_ = epoch;
        if (!comparing_ || cursor_ != "0-0") {
            begin_anew();
            wait(0);
            return;
        }
    }
    // [[stream, entries]], or nil where there is nothing new.
    if (take(replies[2].value()[0][1]) == most_read) {
        wait(0);
        return;
    }
    keep_in_touch();
    if (comparing_) {
        comparing_ = false;
        // Older ones have left the stream for good.
        const auto oldest = static_cast<std::uint64_t>(ngx_time() - time_t{table_.lifetime()}) * 1'000'000;
        for (const PurgeRecord& record : table_.recent(0)) {
            const auto known = told_.find(record.scope);
            if (record.generation > oldest && (known == told_.end() || known->second < record.generation)) {
                missing_.push_back(record);
            }
        }
        told_.clear();
    }
    wait(missing_.empty() ? poll_period : 0);
}

// [[id, [field, value, ...]], ...]
std::size_t PurgeExchange::take(RespValue entries) {
    std::vector<PurgeRecord> records;
    for (std::size_t i = 0; i < entries.size(); ++i) {
        const RespValue fields = entries[i][1];
        for (std::size_t field = 0; field + 1 < fields.size(); field += 2) {
            if (const auto record = PurgeRecord::from_text(fields[field + 1].text())) {
                records.push_back(*record);
                if (comparing_) {
                    std::uint64_t& told = told_[record->scope];
                    told = std::max(told, record->generation);
                }
            }
        }
        cursor_ = entries[i][0].text();
    }
    const std::vector<PurgeRecord> fresh = table_.merge(records);
    if (!fresh.empty() && !table_.log().empty()) {
        auto write = std::make_shared<PurgeWrite>();
        for (const PurgeRecord& record : fresh) {
            write->lines += record.to_line();
        }
        writer_.write(table_.log(), std::move(write));
    }
    return entries.size();
}

void PurgeExchange::tell_missing() {
    const std::size_t count = std::min(missing_.size(), most_told);
    std::vector<PurgeRecord> some(missing_.end() - static_cast<std::ptrdiff_t>(count), missing_.end());
    missing_.resize(missing_.size() - count);
    call_ = announce_purges(service_, table_, some, [this](bool announced) {
        call_ = nullptr;
        if (announced) {
            wait(0);
            return;
        }
        begin_anew();
        out_of_touch();
    });
    if (call_ == nullptr) {
        begin_anew();
        out_of_touch();
    }
}

void PurgeExchange::keep_in_touch() {
    if (table_.log().empty() || ngx_time() - touched_ < touch_period) {
        return;
    }
    touched_ = ngx_time();
    worker()->pool.post_first(std::make_unique<Touch>(PurgeTable::heard_file(table_.log())));
}

}  // namespace media
