#include "module/thumbnails.h"

#include <utility>

#include "module/config.h"
#include "module/guard.h"
#include "module/own_call.h"
#include "module/setter.h"

namespace media {

namespace {

constexpr std::size_t width = 2;
constexpr std::size_t most_wanted = 10'000;
constexpr int most_tries = 5;
constexpr ngx_msec_t pause = 500;

// What browsers say about pictures, for presets with fm=auto.
constexpr const char* accept = "image/avif,image/webp,image/*,*/*;q=0.8";

}  // namespace

char* set_thumbnails(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    if (location->thumbnails != nullptr) {
        return duplicate;
    }
    location->thumbnails = make_in_pool<std::vector<std::string>>(cf->pool);
    location->thumbnails_place = make_in_pool<Place>(cf->pool, place_of(cf));
    if (location->thumbnails == nullptr || location->thumbnails_place == nullptr) {
        return fail();
    }
    for (const ngx_str_t& value : values(cf)) {
        location->thumbnails->emplace_back(view(value));
    }
    return ok;
}

Thumbnails::Thumbnails() {
    timer_.handler = guard<&Thumbnails::on_timer>;
    timer_.data = this;
    timer_.log = ngx_cycle->log;
}

Thumbnails::~Thumbnails() {
    if (timer_.timer_set != 0) {
        ngx_del_timer(&timer_);
    }
}

void Thumbnails::make(const ngx_http_core_srv_conf_t* server, std::string_view uri,
                      const std::vector<std::string>& presets) {
    for (const std::string& preset : presets) {
        if (wanted_.size() < most_wanted) {
            wanted_.push_back({.server = server, .uri = std::string{uri}, .preset = preset});
        }
    }
    pump();
}

void Thumbnails::pump() {
    while (under_way_ < width && !wanted_.empty() && timer_.timer_set == 0) {
        Wanted next = std::move(wanted_.front());
        wanted_.pop_front();
        ++next.tries;
        ++under_way_;
        OwnCallContent content{
            .uri = next.uri, .args = "p=" + next.preset, .fields = {{"accept", accept}}, .body = {}};
        call_location(next.server, "making a thumbnail", std::move(content),
                      [this, next](ngx_uint_t status) { on_made(next, status); });
    }
}

void Thumbnails::on_made(Wanted wanted, ngx_uint_t status) {
    --under_way_;
    const bool busy = status == 0 || status == NGX_HTTP_SERVICE_UNAVAILABLE;
    if (busy && wanted.tries < most_tries) {
        wanted_.push_front(std::move(wanted));
        if (timer_.timer_set == 0) {
            ngx_add_timer(&timer_, pause << wanted_.front().tries);
        }
        return;
    }
    if (status >= NGX_HTTP_SPECIAL_RESPONSE || status == 0) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "media: no thumbnail \"%s\" of \"%s\": status %ui",
                      wanted.preset.c_str(), wanted.uri.c_str(), status);
    }
    pump();
}

void Thumbnails::on_timer(ngx_event_t* event) {
    static_cast<Thumbnails*>(event->data)->pump();
}

}  // namespace media
