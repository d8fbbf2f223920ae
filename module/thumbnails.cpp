#include "module/thumbnails.h"

#include <algorithm>
#include <utility>

#include "module/config.h"
#include "module/guard.h"
#include "module/own_call.h"
#include "module/setter.h"

namespace media {

namespace {

constexpr std::size_t most_wanted = 10'000;  // originals
constexpr std::size_t most_at_once = 16;     // what shares a decode
constexpr std::size_t few = 2;
constexpr int most_tries = 5;
constexpr ngx_msec_t pause = 500;

// What browsers say about pictures, for presets with fm=auto.
constexpr const char* accept = "image/avif,image/webp,image/*,*/*;q=0.8";

// Requests at a time.
std::size_t width() noexcept {
    const auto* main =
        static_cast<const MainConfig*>(ngx_http_cycle_get_module_main_conf(ngx_cycle, ngx_http_media_module));
    return main == nullptr ? few : std::clamp(static_cast<std::size_t>(main->queue) / 2, few, most_at_once);
}

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
    if (wanted_.size() < most_wanted) {
        wanted_.push_back({.server = server, .uri = std::string{uri}, .presets = presets});
    }
    pump();
}

void Thumbnails::pump() {
    // The next original when this one is almost done: no thread is left without work in between.
    while (under_way_ < few && !wanted_.empty() && timer_.timer_set == 0) {
        Wanted next = std::move(wanted_.front());
        wanted_.pop_front();
        const std::size_t count = std::min(next.presets.size(), width() - under_way_);
        if (count < next.presets.size()) {
            Wanted rest = next;
            rest.presets.erase(rest.presets.begin(),
                               rest.presets.begin() + static_cast<std::ptrdiff_t>(count));
            wanted_.push_front(std::move(rest));
            next.presets.resize(count);
        }
        ++next.tries;
        under_way_ += count;
        for (const std::string& preset : next.presets) {
            ask(next, preset);
        }
    }
}

void Thumbnails::ask(const Wanted& wanted, const std::string& preset) {
    OwnCallContent content{
        .uri = wanted.uri, .args = "p=" + preset, .fields = {{"accept", accept}}, .body = {}};
    Wanted one{.server = wanted.server, .uri = wanted.uri, .presets = {preset}, .tries = wanted.tries};
    call_location(wanted.server, "making a thumbnail", std::move(content),
                  [this, one = std::move(one)](ngx_uint_t status) { on_made(one, status); });
}

void Thumbnails::on_made(const Wanted& one, ngx_uint_t status) {
    --under_way_;
    const bool busy = status == 0 || status == NGX_HTTP_SERVICE_UNAVAILABLE;
    if (busy && one.tries < most_tries) {
        // What was refused together is asked for together.
        if (!wanted_.empty() && wanted_.front().server == one.server && wanted_.front().uri == one.uri &&
            wanted_.front().tries == one.tries) {
            wanted_.front().presets.push_back(one.presets.front());
        } else {
            wanted_.push_front(one);
        }
        if (timer_.timer_set == 0) {
            ngx_add_timer(&timer_, pause << one.tries);
        }
        return;
    }
    if (status >= NGX_HTTP_SPECIAL_RESPONSE || status == 0) {
        ngx_log_error(NGX_LOG_WARN, ngx_cycle->log, 0, "media: no thumbnail \"%s\" of \"%s\": status %ui",
                      one.presets.front().c_str(), one.uri.c_str(), status);
    }
    pump();
}

void Thumbnails::on_timer(ngx_event_t* event) {
    static_cast<Thumbnails*>(event->data)->pump();
}

}  // namespace media
