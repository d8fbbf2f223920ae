#include "module/freshness.h"

#include <algorithm>

namespace media {

namespace {

// What does not fit is cut between two directives.
std::string_view cut_list(std::string_view list, std::size_t limit) noexcept {
    if (list.size() <= limit) {
        return list;
    }
    const std::size_t comma = list.rfind(',', limit);
    return list.substr(0, comma == std::string_view::npos ? 0 : comma);
}

}  // namespace

std::int64_t now_in_milliseconds() noexcept {
    const ngx_time_t* now = ngx_timeofday();
    return std::int64_t{now->sec} * 1000 + static_cast<std::int64_t>(now->msec);
}

Freshness Freshness::now(const ngx_array_t* by_status) noexcept {
    Freshness fresh;
    fresh.by_status = by_status;
    fresh.answered = ngx_time();
    fresh.checked = now_in_milliseconds();
    return fresh;
}

void Freshness::continue_from(const StoredFacts& kept) {
    if (!told) {
        const bool keep = life.keep;
        life = kept.life;
        life.keep = keep;
        cache_control = kept.cache_control.view();
    }
    if (validators.etag.empty()) {
        validators.etag = kept.etag.view();
    }
    if (validators.last_modified.empty()) {
        validators.last_modified = kept.last_modified.view();
    }
}

time_t Freshness::valid_until(int status, bool told_by_origin) const noexcept {
    // The function changes nothing, but does not say so.
    const time_t configured =
        ngx_http_file_cache_valid(const_cast<ngx_array_t*>(by_status), static_cast<ngx_uint_t>(status));
    if (!life.keep || (status != NGX_HTTP_OK && configured <= 0)) {
        return 0;
    }
    if (life.states() && (status == NGX_HTTP_OK || told_by_origin)) {
        if (life.fresh > 0) {
            return answered + life.fresh;
        }
        return status == NGX_HTTP_OK && !validators.empty() ? answered - 1 : 0;
    }
    return configured > 0 ? answered + configured : 0;
}

void Freshness::note(StoredFacts& facts) const noexcept {
    facts.life = life;
    facts.born = answered - time_t{age};
    facts.checked = checked;
    facts.cache_control.set(cut_list(cache_control, facts.cache_control.limit));
    facts.etag.set(validators.etag);
    facts.last_modified.set(validators.last_modified);
}

}  // namespace media
