// What answers in place of an AVIF that is not there yet, and the request that makes it behind that answer.

#include <utility>

#include "core/rendition/cost.h"
#include "module/refresh.h"
#include "module/rendition_request.h"
#include "module/worker.h"

namespace media {

namespace {

// What a rendition that nobody waits for may wait for a thread, in milliseconds.
constexpr ngx_msec_t spare_patience = 60'000;

}  // namespace

ngx_msec_t RenditionRequest::time_to_render() const noexcept {
    return conf_->timeout + (refreshing_ && behind_ ? spare_patience : 0);
}

// There is time for more effort where nobody waits.
RenderSettings RenditionRequest::settings_behind() const {
    RenderSettings settings = *conf_->settings;
    if (conf_->avif_behind->effort >= 0) {
        settings.effort[static_cast<std::size_t>(Format::avif)] = conf_->avif_behind->effort;
    }
    return settings;
}

// Whether this request does without an AVIF that it would have to wait for. A text that is another one for
// each request makes a rendition that nobody will ask for again.
bool RenditionRequest::may_stand_in() const {
    const std::vector<Format>& accepted = rendition_.auto_formats;
    if (!conf_->avif_behind->on || conf_->cache == nullptr || refreshing_ || expired_ || detour_.stands_in ||
        accepted.empty() || accepted.front() != Format::avif) {
        return false;
    }
    const auto& declared = main_config(r_)->catalogue->watermark_texts;
    for (const auto& [name, text] : texts_) {
        if (declared.find(name)->second.value->lengths != nullptr) {
            return false;
        }
    }
    const Format next = accepted.size() > 1 ? accepted[1] : Format::jpeg;
    const double saved = encoding_seconds(rendition_, settings_behind(), Format::avif) -
                         encoding_seconds(rendition_, *conf_->settings, next);
    return saved >= conf_->avif_behind->from;
}

// The next format that the client accepts, or the original's own.
ngx_int_t RenditionRequest::stand_in(StandIn how) {
    report_.stand_in = how;
    if (how == StandIn::queued) {
        missing_ = key_;
        if (worker()->behind.failed(key_)) {
            miss_nothing();
        }
    }
    detour_.stands_in = true;
    rendition_.auto_formats.erase(rendition_.auto_formats.begin());
    report_.cache = CacheStatus::none;
    return look_elsewhere();
}

void RenditionRequest::miss_nothing() noexcept {
    report_.stand_in = StandIn::none;
    missing_.clear();
}

// With the answer at hand: whoever gets it has not waited for the AVIF, which is begun now.
void RenditionRequest::queue_missing() noexcept {
    if (missing_.empty()) {
        return;
    }
    if (ngx_exiting != 0) {
        report_.stand_in = StandIn::pending;  // the next worker's
        return;
    }
    try {
        const std::string key = std::exchange(missing_, {});
        switch (worker()->behind.begin(key)) {
            case Behind::Answer::failed:
                report_.stand_in = StandIn::none;
                return;
            case Behind::Answer::not_now:
                report_.stand_in = StandIn::pending;
                return;
            case Behind::Answer::yes:
                break;
        }
        if (!make_behind(r_, key)) {
            worker()->behind.end(key, false);
            report_.stand_in = StandIn::pending;
        }
    } catch (...) {
        report_.stand_in = StandIn::pending;  // out of memory: it will be asked again
    }
}

// Of what waits for a spare thread: a worker that winds down does not wait for what nobody waits for, and
// after a purge nobody would find it.
bool RenditionRequest::still_wanted() {
    compose_key();
    return ngx_exiting == 0 && key_ == wanted_;
}

void RenditionRequest::come_behind(RenditionRequest& client, std::string key) {
    detour_ = client.detour_;
    detour_.stands_in = false;
    at_hand_ = std::exchange(client.at_hand_, std::nullopt);
    refreshing_ = true;
    behind_ = true;
    wanted_ = std::move(key);
}

void RenditionRequest::make_spare() {
    ngx_int_t outcome = NGX_OK;
    try {
        outcome = start();
    } catch (...) {
        ngx_log_error(NGX_LOG_ERR, r_->connection->log, 0, "media: out of memory");
    }
    ngx_http_finalize_request(r_, outcome == NGX_DONE ? NGX_DONE : NGX_OK);
}

}  // namespace media
