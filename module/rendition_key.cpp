// What tells one rendition from another: the cache key, and what of a request goes into it.
#include <algorithm>

#include "core/base/hash.h"
#include "core/base/plain_text.h"
#include "core/rendition/parse.h"
#include "module/purge_table.h"
#include "module/rendition_request.h"

namespace media {

// Most requests have none of this.
void RenditionRequest::collect_rest() {
    named_ = true;
    rest_.clear();
    if (!local_) {
        // The location that asks the origin may tell tenants apart by the name they were called.
        rest_ += '@';
        rest_ += view(r_->headers_in.server);
    } else if (conf_->root->lengths != nullptr) {
        rest_ += '@';
        rest_ += base_;
    }
    tenant_end_ = rest_.size();
    if (target_) {
        // Where a redirect may lead is part of what comes of a URL.
        rest_ += target_->url() + ' ' + conf_->fetch->fingerprint;
    }
    target_end_ = rest_.size();
    if (!rendition().watermarks.empty()) {
        add_watermarks();
    }
    if (wants_more_effort()) {
        rest_ += "+effort" + std::to_string(conf_->avif_behind->effort);
    }
    if (detour_.arrived) {
        rest_ += "+arrived";
    }
    const std::string purged =
        main_config(r_)->purges->generations(view(conf_->server), view(r_->uri), rendition().presets);
    if (!purged.empty()) {
        rest_ += '!' + purged;
    }
}

void RenditionRequest::add_watermarks() {
    const std::vector<std::string>& names = rendition().watermarks;
    for (const WatermarkSpec& spec : main_config(r_)->catalogue->watermarks) {
        if (std::find(names.begin(), names.end(), spec.name) == names.end()) {
            continue;
        }
        rest_ += '+' + spec.fingerprint;
        if (const auto text = texts_.find(spec.name); text != texts_.end()) {
            // A client may have written it: it could hold anything that keys are made of.
            rest_ += ':' + hex(sha256(bytes_of(text->second)), 16);
        }
    }
}

HotName RenditionRequest::hot_name() const noexcept {
    return {.location = conf_,
            .uri = view(local_ ? r_->uri : origin_uri_),
            .canonical = asked_->canonical,
            .version = version_,
            .rest = rest_,
            .tenant_end = tenant_end_,
            .target_end = target_end_};
}

void RenditionRequest::compose_key() {
    const std::string_view rest = rest_;
    key_ = view(conf_->server);
    key_ += rest.substr(0, tenant_end_);
    key_ += view(local_ ? r_->uri : origin_uri_);
    key_ += rest.substr(tenant_end_, target_end_ - tenant_end_);
    original_length_ = key_.size();
    key_ += '?';
    key_ += asked_->canonical;
    key_ += '#';
    if (local_) {
        key_ += version_.text();
    }
    key_ += '#';
    key_ += view(conf_->fingerprint);
    key_ += rest.substr(target_end_);
}

const std::string& RenditionRequest::key() {
    if (key_.empty() && named_) {
        compose_key();
    }
    return key_;
}

// Each request has its own texts: a name, an address, the time.
bool RenditionRequest::evaluate_texts() {
    texts_.clear();
    const auto& declared = main_config(r_)->catalogue->watermark_texts;
    for (const std::string& name : rendition().watermarks) {
        const auto text = declared.find(name);
        if (text == declared.end()) {
            continue;
        }
        ngx_str_t value{};
        if (ngx_http_complex_value(r_, text->second.value, &value) != NGX_OK) {
            return false;
        }
        texts_.emplace(name, plain_text(view(value), max_watermark_text));
    }
    return true;
}

}  // namespace media
