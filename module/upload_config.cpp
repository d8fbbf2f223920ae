#include "module/upload_config.h"

#include <algorithm>
#include <utility>

#include "core/rendition/query.h"
#include "module/guard.h"
#include "module/setter.h"

namespace media {

namespace {

// The path of a URL's prefix, where it names a host too.
std::string_view path_of(std::string_view prefix) noexcept {
    const std::size_t scheme = prefix.find("://");
    return scheme == std::string_view::npos ? prefix : prefix.substr(prefix.find('/', scheme + 3));
}

/// The store of that folder, which nginx makes, and gives to the user of its workers, if it is not there.
UploadStore* declare_store(ngx_conf_t* cf, const ngx_str_t& path) {
    auto& stores = main_config(cf)->catalogue->stores;
    for (const auto& store : stores) {
        if (store->path == view(path)) {
            return store.get();
        }
    }
    auto* folder = static_cast<ngx_path_t*>(ngx_pcalloc(cf->pool, sizeof(ngx_path_t)));
    if (folder == nullptr) {
        return nullptr;
    }
    folder->name = path;
    folder->conf_file = cf->conf_file->file.name.data;
    folder->line = cf->conf_file->line;
    if (ngx_add_path(cf, &folder) != NGX_OK) {
        return nullptr;
    }
    std::string text{view(path)};
    auto store = std::make_shared<Store>(text);
    stores.push_back(std::make_unique<UploadStore>(UploadStore{std::move(text), std::move(store)}));
    return stores.back().get();
}

}  // namespace

std::string uri_of(const LocationConfig& conf, const Record& record) {
    std::string scratch;
    const auto prefix = detail::percent_decode(path_of(view(conf.upload_url)), scratch);
    return prefix ? std::string{*prefix} + record.path() : std::string{};
}

char* set_upload(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    if (location->upload != nullptr) {
        return duplicate;
    }
    if (location->has_source()) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", one_source);
        return fail();
    }
    auto* clcf =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    if (clcf->named != 0 || clcf->regex != nullptr) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"media_upload\" needs a location that is given by a prefix of URIs");
        return fail();
    }
    ngx_str_t path = values(cf)[0];
    while (path.len > 1 && path.data[path.len - 1] == '/') {
        --path.len;
    }
    if (path.len == 0 || ngx_http_script_variables_count(&path) > 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid path \"%V\", it is without variables", &path);
        return fail();
    }
    path = copy(cf->pool, view(path));
    if (path.data == nullptr || ngx_conf_full_name(cf->cycle, &path, 0) != NGX_OK) {
        return fail();
    }
    location->upload = declare_store(cf, path);
    if (location->upload == nullptr) {
        return fail();
    }
    clcf->handler = guard<upload_handler>;
    location->prefix = clcf->name.len;
    main_config(cf)->catalogue->used = true;
    return ok;
}

char* set_upload_url(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    if (location->upload_url.data != nullptr) {
        return duplicate;
    }
    const std::string_view prefix = view(values(cf)[0]);
    const std::size_t scheme = prefix.starts_with("https://") ? 8 : prefix.starts_with("http://") ? 7 : 0;
    const bool rooted = scheme == 0
                            ? prefix.starts_with('/')
                            : prefix.find('/', scheme) != std::string_view::npos && prefix[scheme] != '/';
    if (!rooted || !prefix.ends_with('/')) {
        ngx_conf_log_error(
            NGX_LOG_EMERG, cf, 0,
            "invalid prefix \"%V\", it must begin with \"/\" or \"https://host/\" and end with \"/\"",
            &values(cf)[0]);
        return fail();
    }
    location->upload_url = values(cf)[0];
    return ok;
}

char* set_upload_types(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    if (location->upload_types != nullptr) {
        return duplicate;
    }
    auto* types = make_in_pool<FormatSet>(cf->pool);
    if (types == nullptr) {
        return fail();
    }
    for (const ngx_str_t& value : values(cf)) {
        const auto format = format_by_mime(view(value));
        if (!format) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "unknown type \"%V\"", &value);
            return fail();
        }
        if (types->has(*format)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate type \"%V\"", &value);
            return fail();
        }
        types->add(*format);
    }
    location->upload_types = types;
    return ok;
}

char* set_upload_fetch(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    if (location->upload_fetch != NGX_CONF_UNSET_PTR) {
        return duplicate;
    }
    if (values(cf).size() == 1 && view(values(cf)[0]) == "off") {
        location->upload_fetch = nullptr;
        return ok;
    }
    location->upload_fetch = read_fetch(cf);
    return location->upload_fetch == nullptr ? fail() : ok;
}

char* set_upload_claims(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    if (location->upload_claims != nullptr) {
        return duplicate;
    }
    location->upload_claims = make_in_pool<std::vector<std::string>>(cf->pool);
    if (location->upload_claims == nullptr) {
        return fail();
    }
    for (const ngx_str_t& value : values(cf)) {
        if (value.len == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "empty name of a claim");
            return fail();
        }
        location->upload_claims->emplace_back(view(value));
    }
    return ok;
}

char* set_upload_moderate(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    if (location->upload_moderate.data != nullptr) {
        return duplicate;
    }
    const ngx_str_t& uri = values(cf)[0];
    if (view(uri) != "off" && !view(uri).starts_with('/')) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid URI \"%V\", it must begin with \"/\"", &uri);
        return fail();
    }
    location->upload_moderate = uri;
    if (view(uri) == "off") {
        location->upload_moderate.len = 0;
    }
    return ok;
}

char* merge_upload(ngx_conf_t* cf, LocationConfig* parent, LocationConfig* child) {
    ngx_conf_merge_str_value(child->upload_url, parent->upload_url, "/");
    if (child->upload_moderate.data == nullptr) {
        child->upload_moderate = parent->upload_moderate;
    }
    if (child->upload_claims == nullptr) {
        child->upload_claims = parent->upload_claims;
    }
    if (child->upload_types == nullptr) {
        child->upload_types = parent->upload_types;
    }
    ngx_conf_merge_ptr_value(child->upload_fetch, parent->upload_fetch, nullptr);
    if (child->thumbnails == nullptr) {
        child->thumbnails = parent->thumbnails;
        child->thumbnails_place = parent->thumbnails_place;
    }
    if (child->upload == nullptr) {
        return ok;
    }
    if (child->upload_fetch != nullptr && !has_resolver(cf, *child->upload_fetch, "media_upload_fetch")) {
        return fail();
    }
    for (const std::string& preset :
         child->thumbnails == nullptr ? std::vector<std::string>{} : *child->thumbnails) {
        if (!main_config(cf)->catalogue->presets.contains(preset)) {
            ngx_log_error(NGX_LOG_EMERG, cf->log, 0,
                          "unknown preset \"%s\" of \"media_upload_thumbnails\" in %s:%ui", preset.c_str(),
                          child->thumbnails_place->file.c_str(), child->thumbnails_place->line);
            return fail();
        }
    }
    if (child->upload_types == nullptr) {
        // Documents are code: whoever wants to take them from strangers says so in this place.
        auto* types = make_in_pool<FormatSet>(cf->pool);
        if (types == nullptr) {
            return fail();
        }
        for (const FormatInfo& format : formats()) {
            if (format.raster && child->settings->input.has(format.format)) {
                types->add(format.format);
            }
        }
        child->upload_types = types;
    }
    for (const Format document : {Format::svg, Format::pdf}) {
        if (child->upload_types->has(document)) {
            main_config(cf)->catalogue->documents.add(document);
        }
    }
    return add_event_store(cf, child->upload->path, *child) ? ok : fail();
}

}  // namespace media
