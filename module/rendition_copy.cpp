// Copies of originals that are read slowly: who makes them and who reads them instead.

#include <chrono>
#include <memory>
#include <string>
#include <utility>

#include "module/purge_table.h"
#include "module/refresh.h"
#include "module/rendition_request.h"
#include "module/worker.h"

namespace media {

// What tells one content of an original from another; empty where nothing does (RFC 9110, 8.8.1).
std::string RenditionRequest::content_of(const Freshness& freshness) const {
    if (local_) {
        return version_.text();
    }
    const std::string& etag = freshness.validators.etag;
    return etag.starts_with('"') ? etag : std::string{};
}

// Of the original alone: no location's settings, no preset and no watermark has a say in it.
std::string RenditionRequest::key_of_copy(const std::string& content) const {
    std::string copied = key_.substr(0, original_length_) + "?in one scan#" + content;
    const std::string purged = main_config(r_)->purges->generations(view(conf_->server), view(r_->uri), {});
    return purged.empty() ? copied : copied + "#!" + purged;  // copy_still_wanted() knows it by that
}

// Names the copy that would do, and where it is if there is one. What is one client's own is not copied.
void RenditionRequest::offer_copy(RenderJob& job) {
    if (conf_->copy_progressive == 0 || conf_->cache == nullptr || rendition().original ||
        rendition().describe || job.freshness.valid_until(NGX_HTTP_OK, false) <= 0) {
        return;
    }
    const std::string content = content_of(job.freshness);
    if (content.empty()) {
        return;
    }
    (void)key();
    std::string copied = key_of_copy(content);
    if (copied.size() > StoredBody::max_key) {
        return;
    }
    job.copy_key = std::move(copied);
    job.copy_path = DiskTier::path_of(r_, conf_->cache, job.copy_key);
    job.copy_wanted = worker()->slow_originals.knows(job.copy_key);
}

// With the answer at hand. The first rendition of a slow original says only that it is one: what is asked
// together shares a decode anyway.
void RenditionRequest::queue_copy(const RenderJob& job) noexcept {
    if (job.copied()) {
        report_.copy = Copy::used;
        return;
    }
    if (!job.lacks_copy() || ngx_exiting != 0 || (!local_ && !at_hand_)) {
        return;
    }
    Behind& behind = worker()->behind;
    bool begun = false;
    try {
        begun = behind.begin(job.copy_key) == Behind::Answer::yes;
        if (begun && copy_behind(r_, job.copy_key)) {
            report_.copy = Copy::queued;
            return;
        }
    } catch (...) {
        // Out of memory: it will be asked again.
    }
    if (begun) {
        behind.end(job.copy_key, false);
    }
}

// A purge since would leave nobody who looks for it.
bool RenditionRequest::copy_still_wanted() const {
    const std::string purged = main_config(r_)->purges->generations(view(conf_->server), view(r_->uri), {});
    return ngx_exiting == 0 && (purged.empty() || wanted_.ends_with("#!" + purged));
}

void RenditionRequest::come_to_copy(RenditionRequest& client, std::string key) noexcept {
    detour_.copies = true;
    at_hand_ = std::move(client.at_hand_);
    refreshing_ = true;
    behind_ = true;
    wanted_ = std::move(key);
}

// In place of look_up().
ngx_int_t RenditionRequest::look_for_copy() {
    collect_rest();
    compose_key();
    const std::string content = local_     ? version_.text()
                                : at_hand_ ? content_of(at_hand_->second)
                                           : std::string{};
    key_ = key_of_copy(content);
    if (content.empty() || key_ != wanted_ || conf_->cache == nullptr) {
        return NGX_OK;  // another original, or a purge since
    }
    return on_cache(disk_.open(r_, conf_->cache, key_, 0));
}

ngx_int_t RenditionRequest::copy_original(Source source, Freshness freshness) {
    auto job = std::make_unique<RenderJob>(this, std::move(source), rendition(), *conf_->settings,
                                           std::chrono::milliseconds{time_to_render()});
    job->copies = true;
    job->freshness = std::move(freshness);
    job->time_from_begin = std::chrono::milliseconds{conf_->timeout};
    if (disk_.ours()) {
        job->file = disk_.prepare(r_);
    }
    return post(std::move(job));
}

}  // namespace media
