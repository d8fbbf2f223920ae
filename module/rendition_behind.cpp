// What answers in place of an AVIF that is not there yet, and the request that makes it behind that answer.

#include <algorithm>
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
RenderSettings RenditionRequest::settings_to_render() const {
    RenderSettings settings = *conf_->settings;
    if (behind_ && wants_more_effort()) {
        settings.effort[static_cast<std::size_t>(Format::avif)] = conf_->avif_behind->effort;
    }
    return settings;
}

// Whether what is asked for is an AVIF that may be made behind the answer. A text that is another one for
// each request makes a rendition that nobody will ask for again.
bool RenditionRequest::may_come_behind() const {
    const std::vector<Format>& accepted = rendition().auto_formats;
    if (!conf_->avif_behind->on || conf_->cache == nullptr || accepted.empty() ||
        accepted.front() != Format::avif) {
        return false;
    }
    const auto& declared = main_config(r_)->catalogue->watermark_texts;
    return std::none_of(texts_.begin(), texts_.end(), [&declared](const auto& text) {
        return declared.find(text.first)->second.value->lengths != nullptr;
    });
}

// Whether that AVIF is one of more effort than anybody waits for. It has a key of its own.
bool RenditionRequest::wants_more_effort() const {
    return !detour_.hasty &&
           conf_->avif_behind->effort > conf_->settings->effort[static_cast<std::size_t>(Format::avif)] &&
           may_come_behind();
}

// Whether this request does without an AVIF that it would have to wait for.
bool RenditionRequest::may_stand_in() const {
    if (refreshing_ || expired_ || detour_.stands_in || !may_come_behind()) {
        return false;
    }
    const std::vector<Format>& accepted = rendition().auto_formats;
    const Format next = accepted.size() > 1 ? accepted[1] : Format::jpeg;
    const double saved = encoding_seconds(rendition(), *conf_->settings, Format::avif) -
                         encoding_seconds(rendition(), *conf_->settings, next);
    return wants_more_effort() || saved >= conf_->avif_behind->from;
}

// An AVIF of the usual effort, if that is what is lacking more of it, or else the next format that the client
// accepts, or the original's own. Whatever answers, what was wanted first is what is made behind.
ngx_int_t RenditionRequest::stand_in(StandIn how) {
    if (report_.stand_in == StandIn::none) {
        report_.stand_in = how;
        if (how == StandIn::queued) {
            missing_ = Missing{key_, detour_};
            if (worker()->behind.failed(key_)) {
                miss_nothing();
            }
        }
    }
    if (wants_more_effort()) {
        detour_.hasty = true;
    } else {
        detour_.stands_in = true;
        do_without_first();
    }
    report_.cache = CacheStatus::none;
    return look_elsewhere();
}

// After a second pass whose original has become another one: a first pass of that is lacking now. So nobody
// is shown the old one for as long as the effort takes, and effort stays with spare threads.
ngx_int_t RenditionRequest::begin_with_less(Source source, Freshness freshness) {
    disk_.drop(r_);
    keep_at_hand(std::move(source), std::move(freshness));
    expired_ = false;
    if (!refreshing_) {
        return stand_in(StandIn::queued);
    }
    detour_.hasty = true;
    return look_elsewhere();
}

void RenditionRequest::miss_nothing() noexcept {
    report_.stand_in = StandIn::none;
    missing_.reset();
}

// With the answer at hand: whoever gets it has not waited for the AVIF, which is begun now.
void RenditionRequest::queue_missing() noexcept {
    if (!missing_) {
        return;
    }
    try {
        report_.stand_in = begin_missing();
    } catch (...) {
        report_.stand_in = StandIn::pending;  // out of memory: it will be asked again
    }
    missing_.reset();
}

StandIn RenditionRequest::begin_missing() {
    if (ngx_exiting != 0) {
        return StandIn::pending;  // the next worker's
    }
    switch (worker()->behind.begin(missing_->key)) {
        case Behind::Answer::failed:
            return StandIn::none;
        case Behind::Answer::not_now:
            return StandIn::pending;
        case Behind::Answer::yes:
            break;
    }
    if (!make_behind(r_)) {
        worker()->behind.end(missing_->key, false);
        return StandIn::pending;
    }
    return StandIn::queued;
}

// Of what waits for a spare thread: a worker that winds down does not wait for what nobody waits for, and
// after a purge nobody would find it.
bool RenditionRequest::still_wanted() {
    if (detour_.copies) {
        return copy_still_wanted();
    }
    collect_rest();
    compose_key();
    return ngx_exiting == 0 && key_ == wanted_;
}

void RenditionRequest::come_behind(RenditionRequest& client) noexcept {
    detour_ = client.missing_->detour;
    at_hand_ = std::move(client.at_hand_);
    refreshing_ = true;
    behind_ = true;
    wanted_ = std::move(client.missing_->key);
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
