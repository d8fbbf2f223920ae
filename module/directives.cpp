// The directives: how each is read. What they are is said in directives.inc alone.

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <utility>

#include "module/config.h"
#include "module/directive_values.h"
#include "module/format_directives.h"
#include "module/guard.h"
#include "module/presign.h"
#include "module/setter.h"
#include "module/thumbnails.h"
#include "module/token_access.h"
#include "module/upload_config.h"
#include "module/watermark_directives.h"

namespace media {

namespace {

// Before a location's source is read.
bool may_have_source(ngx_conf_t* cf, const LocationConfig* conf) {
    if (conf->has_source() || conf->upload != nullptr) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s", one_source);
        return false;
    }
    const auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    if (core->named != 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" cannot be used in a named location",
                           &arguments(cf)[0]);
        return false;
    }
    return true;
}

// Once it has one.
void serve_renditions(ngx_conf_t* cf, LocationConfig* conf) {
    auto* core =
        static_cast<ngx_http_core_loc_conf_t*>(ngx_http_conf_get_module_loc_conf(cf, ngx_http_core_module));
    core->handler = guard<rendition_handler>;
    conf->prefix = core->regex == nullptr ? core->name.len : 0;
    main_config(cf)->catalogue->used = true;
}

char* set_source(ngx_conf_t* cf, LocationConfig* conf, ngx_http_complex_value_t** field, bool path) {
    if (*field != nullptr) {
        return duplicate;
    }
    if (!may_have_source(cf, conf)) {
        return fail();
    }
    ngx_str_t* text = &arguments(cf)[1];
    if (text->len == 0 || (!path && text->data[0] != '/' && text->data[0] != '$')) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid %s \"%V\" in \"%V\"",
                           path ? "path" : "URI prefix, it must begin with \"/\",", text, &arguments(cf)[0]);
        return fail();
    }
    *field = compile(cf, text);
    if (*field == nullptr) {
        return fail();
    }
    serve_renditions(cf, conf);
    return ok;
}

char* set_root(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    return set_source(cf, location, &location->root, true);
}

char* set_pass(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    return set_source(cf, location, &location->pass, false);
}

char* set_fetch(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    if (location->fetch != nullptr) {
        return duplicate;
    }
    if (!may_have_source(cf, location)) {
        return fail();
    }
    location->fetch = read_fetch(cf);
    if (location->fetch == nullptr) {
        return fail();
    }
    serve_renditions(cf, location);
    return ok;
}

char* set_cache_path(ngx_conf_t* cf, ngx_command_t* command, void* conf) {
    char* outcome = ngx_http_file_cache_set_slot(cf, command, conf);
    if (outcome != NGX_CONF_OK) {
        return outcome;
    }
    const auto* main = static_cast<MainConfig*>(conf);
    auto* cache = static_cast<ngx_http_file_cache_t**>(main->caches.elts)[main->caches.nelts - 1];
    // Beside their final place unless asked otherwise: publishing is then always one rename.
    bool said = false;
    for (const ngx_str_t& value : values(cf)) {
        said = said || view(value).starts_with("use_temp_path=");
    }
    if (!said) {
        cache->use_temp_path = 0;
    }
    return ok;
}

char* set_cache(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    if (location->cache != NGX_CONF_UNSET_PTR) {
        return duplicate;
    }
    ngx_str_t* name = &arguments(cf)[1];
    if (view(*name) == "off") {
        location->cache = nullptr;
        return ok;
    }
    if (name->len == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "empty zone name");
        return fail();
    }
    location->cache = ngx_shared_memory_add(cf, name, 0, &ngx_http_media_module);
    location->cache_place = make_in_pool<Place>(cf->pool, place_of(cf));
    return location->cache == nullptr || location->cache_place == nullptr ? fail() : ok;
}

char* set_purge(ngx_conf_t* cf, ngx_command_t* command, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    char* outcome = ngx_conf_set_flag_slot(cf, command, conf);
    if (outcome == NGX_CONF_OK) {
        location->purge_place = make_in_pool<Place>(cf->pool, place_of(cf));
        return location->purge_place == nullptr ? fail() : ok;
    }
    return outcome;
}

char* set_preset(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    Catalogue& catalogue = *static_cast<MainConfig*>(conf)->catalogue;
    const std::string_view name = view(values(cf)[0]);
    const bool plain = !name.empty() && name.find_first_not_of(
                                            "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                                            "0123456789._-") == std::string_view::npos;
    if (!plain) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid preset name \"%V\"", &values(cf)[0]);
        return fail();
    }
    for (const DeclaredPreset& preset : catalogue.declared_presets) {
        if (preset.name == name) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate preset \"%V\"", &values(cf)[0]);
            return fail();
        }
    }
    catalogue.declared_presets.push_back({std::string{name}, std::string{view(values(cf)[1])}, place_of(cf)});
    return ok;
}

char* set_signature(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    if (location->signature != NGX_CONF_UNSET_PTR) {
        return duplicate;
    }
    if (values(cf).size() == 1 && view(values(cf)[0]) == "off") {
        location->signature = nullptr;
        return ok;
    }
    SignatureConfig signature;
    for (const ngx_str_t& value : values(cf)) {
        if (view(value) == "required") {
            signature.required = true;
        } else if (!read_key_option(cf, value, signature.keys)) {
            return fail();
        }
    }
    if (signature.keys.empty()) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"media_signature\" needs a key");
        return fail();
    }
    location->signature = make_in_pool<SignatureConfig>(cf->pool, std::move(signature));
    return location->signature == nullptr ? fail() : ok;
}

char* set_threads(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* main = static_cast<MainConfig*>(conf);
    if (main->threads != NGX_CONF_UNSET) {
        return duplicate;
    }
    const ngx_str_t& count = values(cf)[0];
    main->threads = ngx_atoi(count.data, count.len);
    if (main->threads == NGX_ERROR || main->threads < 1 || main->threads > 1024) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid number of threads \"%V\", it must be from 1 to 1024", &count);
        return fail();
    }
    if (values(cf).size() == 2) {
        const ngx_str_t& queue = values(cf)[1];
        main->queue = view(queue).starts_with("queue=") ? ngx_atoi(queue.data + 6, queue.len - 6) : NGX_ERROR;
        if (main->queue == NGX_ERROR) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\", expected queue=number",
                               &queue);
            return fail();
        }
    }
    return ok;
}

struct Range {
    ngx_int_t low, high;
};
Range frames_range{1, 100000};
Range side_range{1, 65535};

char* set_number(ngx_conf_t* cf, ngx_command_t* command, void* conf) {
    auto* field = reinterpret_cast<ngx_int_t*>(static_cast<char*>(conf) + command->offset);
    if (*field != NGX_CONF_UNSET) {
        return duplicate;
    }
    const auto* range = static_cast<const Range*>(command->post);
    const ngx_str_t& text = values(cf)[0];
    *field = ngx_atoi(text.data, text.len);
    if (*field == NGX_ERROR || *field < range->low || *field > range->high) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value \"%V\", it must be from %i to %i", &text,
                           range->low, range->high);
        return fail();
    }
    return ok;
}

char* set_pixels(ngx_conf_t* cf, ngx_command_t* command, void* conf) {
    auto* field = reinterpret_cast<off_t*>(static_cast<char*>(conf) + command->offset);
    if (*field != NGX_CONF_UNSET) {
        return duplicate;
    }
    *field = parse_pixels(view(values(cf)[0]));
    if (*field <= 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid number of pixels \"%V\"", &values(cf)[0]);
        return fail();
    }
    return ok;
}

char* set_timeout(ngx_conf_t* cf, ngx_command_t* command, void* conf) {
    char* outcome = ngx_conf_set_msec_slot(cf, command, conf);
    if (outcome == NGX_CONF_OK &&
        *reinterpret_cast<ngx_msec_t*>(static_cast<char*>(conf) + command->offset) == 0) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "the time must be more than 0");
        return fail();
    }
    return outcome;
}

constexpr std::pair<std::string_view, ngx_uint_t> stale_words[] = {{"off", use_stale::off},
                                                                   {"error", use_stale::error},
                                                                   {"updating", use_stale::updating},
                                                                   {"http_403", use_stale::http_403},
                                                                   {"http_404", use_stale::http_404}};

// The bit of a word of media_cache_use_stale; 0 where there is none.
ngx_uint_t stale_bit(std::string_view word) noexcept {
    for (const auto& [name, bit] : stale_words) {
        if (name == word) {
            return bit;
        }
    }
    return 0;
}

ngx_uint_t stale_bits(std::string_view words) noexcept {
    ngx_uint_t bits = 0;
    while (!words.empty()) {
        const std::size_t space = std::min(words.find(' '), words.size());
        bits |= stale_bit(words.substr(0, space));
        words.remove_prefix(std::min(space + 1, words.size()));
    }
    return bits;
}

char* set_use_stale(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    if (location->use_stale != 0) {
        return duplicate;
    }
    for (const ngx_str_t& value : values(cf)) {
        const ngx_uint_t bit = stale_bit(view(value));
        if (bit == 0 || (location->use_stale & bit) != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s \"%V\" in \"media_cache_use_stale\"",
                               bit == 0 ? "unknown word" : "duplicate word", &value);
            return fail();
        }
        location->use_stale |= bit;
    }
    if ((location->use_stale & use_stale::off) != 0 && location->use_stale != use_stale::off) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"media_cache_use_stale off\" takes no other word");
        return fail();
    }
    return ok;
}

ngx_conf_enum_t fail_on_choices[] = {
    {ngx_string("none"), static_cast<ngx_uint_t>(FailOn::none)},
    {ngx_string("truncated"), static_cast<ngx_uint_t>(FailOn::truncated)},
    {ngx_string("error"), static_cast<ngx_uint_t>(FailOn::error)},
    {ngx_string("warning"), static_cast<ngx_uint_t>(FailOn::warning)},
    {ngx_null_string, 0},
};

/// How a location comes by a value that it does not set.
enum class Kind : std::uint8_t { own, flag, msec, size, pixels, number, choice, words };

struct Inherited {
    std::string_view name;
    Kind kind;
    std::size_t offset;
    const char* initial;
};

constexpr ngx_uint_t M = NGX_HTTP_MAIN_CONF;
constexpr ngx_uint_t S = NGX_HTTP_SRV_CONF;
constexpr ngx_uint_t L = NGX_HTTP_LOC_CONF;

#define LOCATION(field) offsetof(LocationConfig, field)
#define MAIN(field) offsetof(MainConfig, field)

#define DIRECTIVE(name, contexts, count, set, level, offset, kind, initial, post) \
    {name, Kind::kind, offset, initial},
constexpr Inherited inherited[] = {
#include "module/directives.inc"
};
#undef DIRECTIVE

template <class T>
void inherit(LocationConfig* parent, LocationConfig* child, std::size_t offset, T unset, T initial) noexcept {
    T& mine = *reinterpret_cast<T*>(reinterpret_cast<char*>(child) + offset);
    const T& theirs = *reinterpret_cast<const T*>(reinterpret_cast<const char*>(parent) + offset);
    if (mine == unset) {
        mine = theirs == unset ? initial : theirs;
    }
}

}  // namespace

#define DIRECTIVE(name, contexts, count, set, level, offset, kind, initial, post) \
    {ngx_string(name), (contexts) | (count), guard<&(set)>, level, offset, post},
ngx_command_t commands[] = {
#include "module/directives.inc"
    ngx_null_command};
#undef DIRECTIVE

std::string_view default_of(std::string_view directive) noexcept {
    for (const Inherited& row : inherited) {
        if (row.name == directive) {
            return row.initial;
        }
    }
    return {};
}

char* merge_scalars(ngx_conf_t* /*cf*/, LocationConfig* parent, LocationConfig* child) {
    for (const auto& [name, kind, offset, initial] : inherited) {
        ngx_str_t text = str(initial);
        switch (kind) {
            case Kind::own:
                break;
            case Kind::flag:
                inherit<ngx_flag_t>(parent, child, offset, NGX_CONF_UNSET, view(text) == "on" ? 1 : 0);
                break;
            case Kind::msec:
                inherit<ngx_msec_t>(parent, child, offset, NGX_CONF_UNSET_MSEC,
                                    static_cast<ngx_msec_t>(ngx_parse_time(&text, 0)));
                break;
            case Kind::size:
                inherit<off_t>(parent, child, offset, NGX_CONF_UNSET, ngx_parse_offset(&text));
                break;
            case Kind::pixels:
                inherit<off_t>(parent, child, offset, NGX_CONF_UNSET, parse_pixels(view(text)));
                break;
            case Kind::number:
                inherit<ngx_int_t>(parent, child, offset, NGX_CONF_UNSET, ngx_atoi(text.data, text.len));
                break;
            case Kind::words:
                inherit<ngx_uint_t>(parent, child, offset, 0, stale_bits(initial));
                break;
            case Kind::choice:
                for (const ngx_conf_enum_t* choice = fail_on_choices; choice->name.len != 0; ++choice) {
                    if (view(choice->name) == view(text)) {
                        inherit<ngx_uint_t>(parent, child, offset, NGX_CONF_UNSET_UINT, choice->value);
                    }
                }
                break;
        }
    }
    return ok;
}

}  // namespace media
