// What tells one rendition from another: the cache key, and what of a request goes into it.
#include <algorithm>

#include "core/base/hash.h"
#include "core/base/plain_text.h"
#include "core/rendition/parse.h"
#include "module/purge_table.h"
#include "module/rendition_request.h"

namespace media {

namespace {

constexpr std::size_t usual_length = 256;

}  // namespace

void RenditionRequest::compose_key() {
    const std::string server = server_identity(r_);
    key_.reserve(usual_length);
    key_ = server;
    if (!local_) {
        // The location that asks the origin may tell tenants apart by the name they were called.
        key_ += '@';
        key_ += view(r_->headers_in.server);
    } else if (conf_->root->lengths != nullptr) {
        key_ += '@';
        key_ += base_;
    }
    key_ += view(local_ ? r_->uri : origin_uri_);
    if (target_) {
        // Where a redirect may lead is part of what comes of a URL.
        key_ += target_->url() + ' ' + conf_->fetch->fingerprint;
    }
    original_length_ = key_.size();
    key_ += '?';
    key_ += canonical(rendition_, *conf_->settings);
    key_ += '#';
    if (local_) {
        key_ += version_.text();
    }
    key_ += '#';
    key_ += view(conf_->fingerprint);
    if (!rendition_.watermarks.empty()) {
        const Catalogue& catalogue = *main_config(r_)->catalogue;
        for (const WatermarkSpec& spec : catalogue.watermarks) {
            if (std::find(rendition_.watermarks.begin(), rendition_.watermarks.end(), spec.name) !=
                rendition_.watermarks.end()) {
                key_ += '+' + spec.fingerprint;
                if (const auto text = texts_.find(spec.name); text != texts_.end()) {
                    // A client may have written it: it could hold anything that keys are made of.
                    key_ += ':' + hex(sha256(bytes_of(text->second)), 16);
                }
            }
        }
    }
    if (wants_more_effort()) {
        key_ += "+effort" + std::to_string(conf_->avif_behind->effort);
    }
    if (detour_.arrived) {
        key_ += "+arrived";
    }
    const std::string purged =
        main_config(r_)->purges->generations(server, view(r_->uri), rendition_.presets);
    if (!purged.empty()) {
        key_ += '!' + purged;
    }
}

// Each request has its own texts: a name, an address, the time.
bool RenditionRequest::evaluate_texts() {
    texts_.clear();
    const auto& declared = main_config(r_)->catalogue->watermark_texts;
    for (const std::string& name : rendition_.watermarks) {
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
