#include "module/watermark_directives.h"

#include <algorithm>
#include <cctype>
#include <utility>

#include "core/base/plain_text.h"
#include "core/base/utf8.h"
#include "core/rendition/color.h"
#include "module/directive_values.h"
#include "module/guard.h"
#include "module/setter.h"

namespace media {

namespace {

// The name, which pictures and texts share.
bool read_name(ngx_conf_t* cf, const Catalogue& catalogue, WatermarkSpec& spec) {
    spec.name = view(values(cf)[0]);
    const auto& known = catalogue.watermark_names;
    if (std::find(known.begin(), known.end(), spec.name) != known.end()) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate watermark \"%V\"", &values(cf)[0]);
        return false;
    }
    if (spec.name.empty() || spec.name.find_first_of(",& =") != std::string::npos) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid watermark name \"%V\"", &values(cf)[0]);
        return false;
    }
    return true;
}

// The content of a file beside the configuration, if `check` has nothing against it.
std::shared_ptr<const Bytes> read_checked(ngx_conf_t* cf, std::string_view name, const char* what,
                                          Status (*check)(ByteView) noexcept) {
    ngx_str_t path = copy(cf->pool, name);
    if (path.data == nullptr || ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
        return nullptr;
    }
    std::string reason;
    auto file = read_file(reinterpret_cast<const char*>(path.data), reason);
    if (file == nullptr) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s \"%V\" cannot be read: %s", what, &path, reason.c_str());
        return nullptr;
    }
    if (const Status status = check(file->view()); !status) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s \"%V\": %s", what, &path, status.error().detail.c_str());
        return nullptr;
    }
    return file;
}

bool refuse(ngx_conf_t* cf, const ngx_str_t& option, const std::string& reason) {
    ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid watermark parameter \"%V\"%s", &option, reason.c_str());
    return false;
}

bool read_overlay_options(ngx_conf_t* cf, WatermarkSpec& spec) {
    for (const ngx_str_t& option : values(cf).subspan(2)) {
        std::string reason;
        if (!read_overlay_option(view(option), spec, reason)) {
            return refuse(cf, option, reason);
        }
    }
    return true;
}

// A font file is told from a font's name by a slash or by how it ends.
bool names_file(std::string_view font) {
    static constexpr std::string_view endings[] = {".ttf", ".otf", ".ttc", ".woff", ".woff2"};
    return font.find('/') != std::string_view::npos ||
           std::any_of(std::begin(endings), std::end(endings),
                       [font](std::string_view ending) { return font.ends_with(ending); });
}

bool read_font(ngx_conf_t* cf, const ngx_str_t& option, std::string_view font, TextStyle& style) {
    if (font.empty() || !is_utf8(font)) {
        return refuse(cf, option, ", a font is a name such as \"DejaVu Sans Bold\", or a file");
    }
    style.font_file = nullptr;
    if (names_file(font)) {
        style.font_file = read_checked(cf, font, "font", check_font);
        return style.font_file != nullptr;
    }
    style.font = font;
    return true;
}

bool read_text_options(ngx_conf_t* cf, WatermarkSpec& spec) {
    constexpr std::string_view font = "font=";
    constexpr std::string_view color = "color=";
    for (const ngx_str_t& option : values(cf).subspan(2)) {
        const std::string_view text = view(option);
        std::string reason;
        if (text.starts_with(font)) {
            if (!read_font(cf, option, text.substr(font.size()), *spec.text)) {
                return false;
            }
        } else if (text.starts_with(color)) {
            const auto read = parse_color(text.substr(color.size()));
            if (!read) {
                return refuse(cf, option, ", a color is rgb, rgba, rrggbb or rrggbbaa in hexadecimal");
            }
            spec.text->color = *read;
        } else if (!read_overlay_option(text, spec, reason)) {
            return refuse(cf, option, reason);
        }
    }
    return true;
}

// What is wrong with a text that is the same for everyone; null: nothing.
const char* fault_of(std::string_view text) {
    const std::string shown = plain_text(text, max_watermark_text);
    if (shown.empty()) {
        return "is empty";
    }
    return shown == plain_text(text, text.size()) ? nullptr : "is too long";
}

}  // namespace

char* set_watermark(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    Catalogue& catalogue = *static_cast<MainConfig*>(conf)->catalogue;
    WatermarkSpec spec;
    if (!read_name(cf, catalogue, spec)) {
        return fail();
    }
    spec.file = read_checked(cf, view(values(cf)[1]), "watermark", check_watermark);
    if (spec.file == nullptr || !read_overlay_options(cf, spec)) {
        return fail();
    }
    spec.fingerprint = overlay_fingerprint(spec);
    catalogue.watermark_names.push_back(spec.name);
    catalogue.watermarks.push_back(std::move(spec));
    return ok;
}

char* set_watermark_text(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    Catalogue& catalogue = *static_cast<MainConfig*>(conf)->catalogue;
    WatermarkSpec spec;
    if (!read_name(cf, catalogue, spec)) {
        return fail();
    }
    ngx_str_t text = values(cf)[1];
    if (!is_utf8(view(text))) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "the text of watermark \"%V\" is not UTF-8", &values(cf)[0]);
        return fail();
    }
    auto* value = compile(cf, &text);
    if (value == nullptr) {
        return fail();
    }
    if (value->lengths == nullptr) {
        if (const char* fault = fault_of(view(text))) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "the text of watermark \"%V\" %s", &values(cf)[0],
                               fault);
            return fail();
        }
    }
    spec.text.emplace();
    if (!read_text_options(cf, spec)) {
        return fail();
    }
    spec.fingerprint = overlay_fingerprint(spec);
    catalogue.watermark_texts.emplace(spec.name, DeclaredText{value, std::string{view(text)}, place_of(cf)});
    catalogue.watermark_names.push_back(spec.name);
    catalogue.watermarks.push_back(std::move(spec));
    return ok;
}

char* set_watermark_force(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    if (location->forced_watermark.data != nullptr) {
        return duplicate;
    }
    const ngx_str_t& name = values(cf)[0];
    location->forced_watermark = copy(cf->pool, view(name) == "off" ? std::string_view{""} : view(name));
    location->forced_place = make_in_pool<Place>(cf->pool, place_of(cf));
    return location->forced_watermark.data == nullptr || location->forced_place == nullptr ? fail() : ok;
}

std::string_view unknown_variable(const ngx_conf_t* cf, std::string_view text) noexcept {
    const auto* main = static_cast<const ngx_http_core_main_conf_t*>(
        ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    const auto same = [](std::string_view a, std::string_view b) {
        return a.size() == b.size() && ngx_strncasecmp(str(a).data, str(b).data, a.size()) == 0;
    };
    const auto known = [&](std::string_view name) {
        const auto* keys = static_cast<const ngx_hash_key_t*>(main->variables_keys->keys.elts);
        const auto* prefixes = static_cast<const ngx_http_variable_t*>(main->prefix_variables.elts);
        return std::any_of(keys, keys + main->variables_keys->keys.nelts,
                           [&](const ngx_hash_key_t& key) { return same(view(key.key), name); }) ||
               std::any_of(prefixes, prefixes + main->prefix_variables.nelts,
                           [&](const ngx_http_variable_t& prefix) {
                               return same(view(prefix.name), name.substr(0, prefix.name.len));
                           });
    };
    const auto part_of_name = [](char c) {
        return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
    };
    for (std::size_t at = text.find('$'); at != std::string_view::npos; at = text.find('$')) {
        text.remove_prefix(at + 1);
        if (text.starts_with('{')) {
            text.remove_prefix(1);
        }
        const auto* end = std::find_if_not(text.begin(), text.end(), part_of_name);
        const std::string_view name = text.substr(0, static_cast<std::size_t>(end - text.begin()));
        // "$1" is a capture of a location's regular expression.
        const bool capture = !name.empty() && name.front() >= '1' && name.front() <= '9';
        if (!capture && !known(name)) {
            return name;
        }
    }
    return {};
}

}  // namespace media
