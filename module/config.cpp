// Making, inheriting and checking configurations.
#include "module/config.h"

#include <algorithm>

#include "module/guard.h"
#include "module/purge_table.h"
#include "module/upload_config.h"
#include "module/watermark_directives.h"

namespace media {

namespace {

template <class T>
T* zeroed(ngx_conf_t* cf) noexcept {
    return static_cast<T*>(ngx_pcalloc(cf->pool, sizeof(T)));
}

char* fail() noexcept {
    return static_cast<char*>(NGX_CONF_ERROR);
}

void report(ngx_conf_t* cf, const Place& place, const std::string& text) {
    ngx_log_error(NGX_LOG_EMERG, cf->log, 0, "%s in %s:%ui", text.c_str(), place.file.c_str(), place.line);
}

ngx_str_t server_identity(ngx_conf_t* cf) {
    const auto* server = static_cast<const ngx_http_core_srv_conf_t*>(
        ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module));
    if (server->server_name.len > 0) {
        return server->server_name;
    }
    const auto* main = static_cast<const ngx_http_core_main_conf_t*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    auto* const* all = static_cast<ngx_http_core_srv_conf_t**>(main->servers.elts);
    return copy(cf->pool, ':' + std::to_string(std::find(all, all + main->servers.nelts, server) - all));
}

// "200 30d; 404 10s": as the directive, rows separated by semicolons.
ngx_array_t* parse_validities(ngx_conf_t* cf, std::string_view rows) noexcept {
    ngx_array_t* array = ngx_array_create(cf->pool, 4, sizeof(ngx_http_cache_valid_t));
    while (array != nullptr && !rows.empty()) {
        const std::size_t end = std::min(rows.find(';'), rows.size());
        const std::string_view row = rows.substr(0, end);
        const std::size_t space = row.find(' ');
        ngx_str_t code = str(row.substr(0, space));
        ngx_str_t time = str(row.substr(space + 1));
        auto* valid = static_cast<ngx_http_cache_valid_t*>(ngx_array_push(array));
        if (valid == nullptr) {
            return nullptr;
        }
        valid->status = static_cast<ngx_uint_t>(ngx_atoi(code.data, code.len));
        valid->valid = static_cast<time_t>(ngx_parse_time(&time, 1));
        rows.remove_prefix(std::min(end + 2, rows.size()));
    }
    return array;
}

template <class T>
void inherit_pointer(T*& child, T* parent) noexcept {
    if (child == nullptr) {
        child = parent;
    }
}

char* compose_settings(ngx_conf_t* cf, LocationConfig* conf) {
    RenderSettings settings;
    if (conf->input != nullptr) {
        settings.input = *conf->input;
    }
    settings.max_source_pixels = static_cast<std::uint64_t>(conf->max_source_pixels);
    settings.max_frames = static_cast<int>(conf->max_frames);
    settings.max_width = static_cast<int>(conf->max_width);
    settings.max_height = static_cast<int>(conf->max_height);
    settings.fail_on = static_cast<FailOn>(conf->fail_on);
    for (std::size_t i = 0; i < format_count; ++i) {
        if (conf->quality != nullptr && (*conf->quality)[i] != 0) {
            settings.quality[i] = (*conf->quality)[i] - 1;
        }
        if (conf->effort != nullptr && (*conf->effort)[i] != 0) {
            settings.effort[i] = (*conf->effort)[i] - 1;
        }
    }
    void* place = ngx_palloc(cf->pool, sizeof(RenderSettings));
    if (place == nullptr) {
        return fail();
    }
    conf->settings = new (place) RenderSettings(settings);
    conf->fingerprint = copy(cf->pool, settings.fingerprint());
    return conf->fingerprint.data == nullptr ? fail() : NGX_CONF_OK;
}

/// The table of purges, which outlives every entry of the caches and is written down in the first of them.
bool declare_purges(ngx_conf_t* cf, MainConfig* main) {
    std::string log;
    time_t lifetime = 0;
    const auto* const* caches = static_cast<ngx_http_file_cache_t**>(main->caches.elts);
    for (ngx_uint_t i = 0; i < main->caches.nelts; ++i) {
        if (log.empty()) {
            // nginx' cache loader leaves a folder of that name alone.
            log = std::string{view(caches[i]->path->name)} + "/temp/purges";
        }
        lifetime = std::max(lifetime, caches[i]->inactive);
    }
    main->purges = PurgeTable::declare(cf, std::move(log), lifetime);
    if (main->purges != nullptr) {
        for (const auto& redis : main->catalogue->redis) {
            main->purges->share(redis->ttl);
        }
    }
    return main->purges != nullptr;
}

}  // namespace

Catalogue::Catalogue() = default;
Catalogue::~Catalogue() = default;

MainConfig* main_config(const ngx_conf_t* cf) noexcept {
    return static_cast<MainConfig*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_media_module));
}

MainConfig* main_config(const ngx_http_request_t* r) noexcept {
    return static_cast<MainConfig*>(ngx_http_get_module_main_conf(r, ngx_http_media_module));
}

const LocationConfig* location_config(const ngx_http_request_t* r) noexcept {
    return static_cast<const LocationConfig*>(ngx_http_get_module_loc_conf(r, ngx_http_media_module));
}

void* create_main_config(ngx_conf_t* cf) {
    auto* conf = zeroed<MainConfig>(cf);
    if (conf == nullptr ||
        ngx_array_init(&conf->caches, cf->pool, 4, sizeof(ngx_http_file_cache_t*)) != NGX_OK) {
        return nullptr;
    }
    conf->threads = NGX_CONF_UNSET;
    conf->queue = NGX_CONF_UNSET;
    conf->catalogue = make_in_pool<Catalogue>(cf->pool);
    return conf->catalogue == nullptr ? nullptr : conf;
}

char* init_main_config(ngx_conf_t* cf, void* conf) {
    auto* main = static_cast<MainConfig*>(conf);
    Catalogue& catalogue = *main->catalogue;
    ngx_conf_init_value(main->threads, ngx_ncpu > 0 ? ngx_ncpu : 1);
    ngx_conf_init_value(main->queue, 4 * main->threads);

    // Only now are all watermarks known that a preset may name, and all variables that a text may hold.
    const RenderSettings settings;
    const ParseContext context{
        .presets = &catalogue.presets, .watermark_names = &catalogue.watermark_names, .settings = &settings};
    for (const DeclaredPreset& preset : catalogue.declared_presets) {
        if (const Status status = check_preset(preset.name, preset.query, context); !status) {
            report(cf, preset.place, "invalid preset \"" + preset.name + "\": " + status.error().detail);
            return fail();
        }
        catalogue.presets.emplace(preset.name, preset.query);
    }
    if (catalogue.used && !declare_purges(cf, main)) {
        return fail();
    }
    for (const auto& [name, text] : catalogue.watermark_texts) {
        if (const std::string_view unknown = unknown_variable(cf, text.written); !unknown.empty()) {
            report(cf, text.place,
                   "unknown variable \"$" + std::string{unknown} + "\" in the text of watermark \"" + name +
                       "\"");
            return fail();
        }
    }
    return NGX_CONF_OK;
}

void* create_location_config(ngx_conf_t* cf) {
    auto* conf = zeroed<LocationConfig>(cf);
    if (conf == nullptr) {
        return nullptr;
    }
    conf->original = NGX_CONF_UNSET;
    conf->intercept_errors = NGX_CONF_UNSET;
    conf->presets_only = NGX_CONF_UNSET;
    conf->purge = NGX_CONF_UNSET;
    conf->client_hints = NGX_CONF_UNSET;
    conf->copy_progressive = NGX_CONF_UNSET;
    conf->cache = static_cast<ngx_shm_zone_t*>(NGX_CONF_UNSET_PTR);
    conf->cache_valid = static_cast<ngx_array_t*>(NGX_CONF_UNSET_PTR);
    conf->redis = static_cast<RedisConfig*>(NGX_CONF_UNSET_PTR);
    conf->signature = static_cast<SignatureConfig*>(NGX_CONF_UNSET_PTR);
    conf->notify = static_cast<NotifyConfig*>(NGX_CONF_UNSET_PTR);
    conf->cache_lock_timeout = NGX_CONF_UNSET_MSEC;
    conf->timeout = NGX_CONF_UNSET_MSEC;
    conf->max_source_size = NGX_CONF_UNSET;
    conf->max_source_pixels = NGX_CONF_UNSET;
    conf->max_frames = NGX_CONF_UNSET;
    conf->max_width = NGX_CONF_UNSET;
    conf->max_height = NGX_CONF_UNSET;
    conf->fail_on = NGX_CONF_UNSET_UINT;
    conf->upload_max = NGX_CONF_UNSET;
    conf->upload_fetch = static_cast<FetchConfig*>(NGX_CONF_UNSET_PTR);
    return conf;
}

char* merge_location_config(ngx_conf_t* cf, void* parent, void* child) {
    auto* above = static_cast<LocationConfig*>(parent);
    auto* conf = static_cast<LocationConfig*>(child);

    if (conf->purge == 1 && !conf->has_source()) {
        report(cf, *conf->purge_place,
               "\"media_purge\" without \"media_root\", \"media_pass\" or \"media_fetch\"");
        return fail();
    }
    if (conf->presign != nullptr && conf->upload == nullptr) {
        report(cf, *conf->presign_place, "\"media_presign\" without \"media_upload\"");
        return fail();
    }
    if (merge_scalars(cf, above, conf) != NGX_CONF_OK) {
        return fail();
    }
    conf->server = server_identity(cf);
    if (conf->server.data == nullptr) {
        return fail();
    }
    inherit_pointer(conf->input, above->input);
    inherit_pointer(conf->auto_formats, above->auto_formats);
    inherit_pointer(conf->quality, above->quality);
    inherit_pointer(conf->effort, above->effort);
    inherit_pointer(conf->tokens, above->tokens);
    ngx_conf_merge_ptr_value(conf->signature, above->signature, nullptr);
    ngx_conf_merge_ptr_value(conf->redis, above->redis, nullptr);
    ngx_conf_merge_ptr_value(conf->notify, above->notify, nullptr);
    if (conf->forced_watermark.data == nullptr) {
        conf->forced_watermark = above->forced_watermark;
        conf->forced_place = above->forced_place;
    }
    if (conf->forced_watermark.len > 0) {
        const auto& names = main_config(cf)->catalogue->watermark_names;
        if (std::find(names.begin(), names.end(), view(conf->forced_watermark)) == names.end()) {
            report(cf, *conf->forced_place,
                   "unknown watermark \"" + std::string{view(conf->forced_watermark)} +
                       "\" of \"media_watermark_force\"");
            return fail();
        }
    }
    if (conf->cache == NGX_CONF_UNSET_PTR) {
        conf->cache = above->cache == NGX_CONF_UNSET_PTR ? nullptr : above->cache;
        conf->cache_place = above->cache_place;
    }
    if (conf->cache != nullptr && conf->cache->data == nullptr) {
        report(cf, *conf->cache_place,
               "unknown cache zone \"" + std::string{view(conf->cache->shm.name)} + "\" of \"media_cache\"");
        return fail();
    }
    if (conf->cache_valid == NGX_CONF_UNSET_PTR) {
        conf->cache_valid = above->cache_valid == NGX_CONF_UNSET_PTR
                                ? parse_validities(cf, default_of("media_cache_valid"))
                                : above->cache_valid;
    }
    if (conf->auto_formats == nullptr) {
        auto* chosen = static_cast<AutoFormats*>(ngx_palloc(cf->pool, sizeof(AutoFormats)));
        if (chosen == nullptr) {
            return fail();
        }
        conf->auto_formats = new (chosen) AutoFormats();
        std::string_view names = default_of("media_auto_format");
        while (!names.empty()) {
            const std::size_t end = std::min(names.find(' '), names.size());
            if (const auto format = format_by_name(names.substr(0, end))) {
                chosen->formats[chosen->count++] = *format;
            }
            names.remove_prefix(std::min(end + 1, names.size()));
        }
    }
    inherit_pointer(conf->avif_behind, above->avif_behind);
    if (conf->avif_behind == nullptr) {
        conf->avif_behind = make_in_pool<AvifBehind>(cf->pool);
        if (conf->avif_behind == nullptr) {
            return fail();
        }
    }
    // A block that is part of a location ("if", "limit_except") serves what the location serves.
    auto* clcf =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    if (clcf->noname != 0 && clcf->handler == nullptr && !conf->has_source() && above->has_source()) {
        conf->root = above->root;
        conf->pass = above->pass;
        conf->fetch = above->fetch;
        conf->prefix = above->prefix;
        conf->purge = above->purge;
        clcf->handler = guard<rendition_handler>;
    }
    if (clcf->noname != 0 && clcf->handler == nullptr && conf->upload == nullptr &&
        above->upload != nullptr) {
        conf->upload = above->upload;
        conf->presign = above->presign;
        conf->prefix = above->prefix;
        clcf->handler = guard<upload_handler>;
    }
    // Not inherited by locations within: what guards the outer one (limit_except) may not reach them.
    ngx_conf_init_value(conf->purge, 0);
    if (conf->fetch != nullptr && !has_resolver(cf, *conf->fetch, "media_fetch")) {
        return fail();
    }
    if (conf->input != nullptr && conf->has_source()) {
        for (const Format document : {Format::svg, Format::pdf}) {
            if (conf->input->has(document)) {
                main_config(cf)->catalogue->documents.add(document);
            }
        }
    }
    if (compose_settings(cf, conf) != NGX_CONF_OK) {
        return fail();
    }
    return merge_upload(cf, above, conf);
}

}  // namespace media
