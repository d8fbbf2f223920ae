#include "module/purging.h"

#include <utility>

#include "module/config.h"
#include "module/guard.h"
#include "module/purge_exchange.h"
#include "module/worker.h"

namespace media {

namespace {

// A disk that takes longer is broken; the answer says so.
constexpr ngx_msec_t patience = 30'000;

}  // namespace

void Purging::start(const PurgeScope& scope, std::function<void(Outcome)> done) {
    done_ = std::move(done);
    PurgeTable* table = main_config(r_)->purges;
    records_ = table->purge(scope);
    if (table->log().empty()) {
        announce();
    } else {
        write_down();
    }
}

void Purging::write_down() {
    write_ = std::make_shared<PurgeWrite>();
    for (const PurgeRecord& record : records_) {
        write_->lines += record.to_line();
    }
    write_->done = [this](int error) { on_written(error); };
    worker()->purge_writer.write(main_config(r_)->purges->log(), write_);

    r_->read_event_handler = ngx_http_block_reading;
    r_->write_event_handler = ngx_http_request_empty_handler;
    timer_.handler = guard<&Purging::on_timer>;
    timer_.data = this;
    timer_.log = r_->connection->log;
    ngx_add_timer(&timer_, patience);
}

void Purging::on_written(int error) {
    ngx_connection_t* connection = r_->connection;
    ngx_http_set_log_request(connection->log, r_);
    if (error == 0) {
        announce();
    } else {
        finish(Outcome::unwritten);
    }
    ngx_http_run_posted_requests(connection);
}

// Others who share the renditions are told. Where that fails it is done when Redis can be reached again.
void Purging::announce() {
    if (timer_.timer_set) {
        ngx_del_timer(&timer_);
    }
    const LocationConfig* conf = location_config(r_);
    if (conf->redis == nullptr) {
        finish(Outcome::done);
        return;
    }
    try {
        call_ = announce_purges(*worker()->redis.at(conf->redis), *main_config(r_)->purges, records_,
                                [this](bool announced) {
                                    ngx_connection_t* connection = r_->connection;
                                    ngx_http_set_log_request(connection->log, r_);
                                    on_announced(announced);
                                    ngx_http_run_posted_requests(connection);
                                });
    } catch (...) {
        call_ = nullptr;  // out of memory: later
    }
    if (call_ == nullptr) {
        on_announced(false);
    }
}

void Purging::on_announced(bool announced) {
    call_ = nullptr;
    if (!announced) {
        main_config(r_)->purges->note_untold();
    }
    finish(announced ? Outcome::done : Outcome::untold);
}

void Purging::finish(Outcome outcome) {
    forget();
    std::exchange(done_, nullptr)(outcome);
}

void Purging::forget() noexcept {
    if (timer_.timer_set) {
        ngx_del_timer(&timer_);
    }
    if (write_) {
        write_->done = nullptr;
        write_.reset();
    }
    if (call_) {
        call_->cancel();
        call_.reset();
    }
}

void Purging::on_timer(ngx_event_t* event) {
    static_cast<Purging*>(event->data)->on_written(ETIMEDOUT);
}

}  // namespace media
