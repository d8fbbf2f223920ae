#include "module/format_directives.h"

#include <algorithm>
#include <array>
#include <string_view>
#include <utility>

#include "module/directive_values.h"
#include "module/guard.h"
#include "module/setter.h"

namespace media {

namespace {

/// Reads `format=number` pairs; `range` gives the limits for a format, {0, 0} where it has no such setting.
template <class Range>
char* set_by_format(ngx_conf_t* cf, std::array<int, format_count>** field, const char* what, Range range) {
    if (*field != nullptr) {
        return duplicate;
    }
    auto* table = static_cast<std::array<int, format_count>*>(
        ngx_pcalloc(cf->pool, sizeof(std::array<int, format_count>)));
    if (table == nullptr) {
        return fail();
    }
    for (const ngx_str_t& value : values(cf)) {
        const std::string_view text = view(value);
        const std::size_t equals = text.find('=');
        const auto format = format_by_name(text.substr(0, equals));
        if (equals == std::string_view::npos || !format) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\", expected format=number",
                               &value);
            return fail();
        }
        if ((*table)[static_cast<std::size_t>(*format)] != 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate format in \"%V\"", &value);
            return fail();
        }
        const auto [low, high] = range(info(*format));
        if (low == 0 && high == 0) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "format in \"%V\" has no %s", &value, what);
            return fail();
        }
        const ngx_int_t number = ngx_atoi(value.data + equals + 1, value.len - equals - 1);
        if (number == NGX_ERROR || number < low || number > high) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid %s in \"%V\", it must be from %d to %d", what,
                               &value, low, high);
            return fail();
        }
        // 0 stands for "the default": keep a real 0 apart.
        (*table)[static_cast<std::size_t>(*format)] = static_cast<int>(number) + 1;
    }
    *field = table;
    return ok;
}

}  // namespace

char* set_input(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    if (location->input != nullptr) {
        return duplicate;
    }
    auto* set = static_cast<FormatSet*>(ngx_palloc(cf->pool, sizeof(FormatSet)));
    if (set == nullptr) {
        return fail();
    }
    new (set) FormatSet();
    for (const ngx_str_t& value : values(cf)) {
        const auto format = format_by_name(view(value));
        if (!format) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "unknown format \"%V\"", &value);
            return fail();
        }
        set->add(*format);
    }
    location->input = set;
    return ok;
}

char* set_auto_format(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    if (location->auto_formats != nullptr) {
        return duplicate;
    }
    auto* chosen = static_cast<AutoFormats*>(ngx_palloc(cf->pool, sizeof(AutoFormats)));
    if (chosen == nullptr) {
        return fail();
    }
    new (chosen) AutoFormats();
    location->auto_formats = chosen;
    if (values(cf).size() == 1 && view(values(cf)[0]) == "off") {
        return ok;
    }
    FormatSet seen;
    for (const ngx_str_t& value : values(cf)) {
        const auto format = format_by_name(view(value));
        if (!format || !info(*format).output) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "unknown output format \"%V\"", &value);
            return fail();
        }
        if (seen.has(*format)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "duplicate format \"%V\"", &value);
            return fail();
        }
        seen.add(*format);
        chosen->formats[chosen->count++] = *format;
    }
    return ok;
}

char* set_avif_behind(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    if (location->avif_behind != nullptr) {
        return duplicate;
    }
    AvifBehind behind;
    const std::string_view word = view(values(cf)[0]);
    if (word != "on" && word != "off") {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid value \"%V\", it must be \"on\" or \"off\"",
                           &values(cf)[0]);
        return fail();
    }
    behind.on = word == "on";
    for (const ngx_str_t& value : values(cf).subspan(1)) {
        const std::string_view text = view(value);
        const std::size_t equals = std::min(text.find('='), text.size());
        const std::string_view name = text.substr(0, equals);
        ngx_str_t number = str(text.substr(std::min(equals + 1, text.size())));
        ngx_int_t read = NGX_ERROR;
        if (behind.on && number.len > 0) {
            read = name == "from"       ? ngx_parse_time(&number, 0)
                   : name == "lifetime" ? ngx_parse_time(&number, 1)
                   : name == "effort"   ? ngx_atoi(number.data, number.len)
                                        : NGX_ERROR;
        }
        if (read == NGX_ERROR || read > 86'400'000 ||
            (name == "effort" && read > info(Format::avif).effort_max)) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\" of \"media_avif_behind\"",
                               &value);
            return fail();
        }
        if (name == "from") {
            behind.from = static_cast<double>(read) / 1000;
        } else if (name == "lifetime") {
            behind.lifetime = static_cast<std::uint32_t>(read);
        } else {
            behind.effort = static_cast<int>(read);
        }
    }
    location->avif_behind = make_in_pool<AvifBehind>(cf->pool, behind);
    return location->avif_behind == nullptr ? fail() : ok;
}

char* set_quality(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    return set_by_format(cf, &static_cast<LocationConfig*>(conf)->quality, "quality",
                         [](const FormatInfo& format) {
                             return format.quality == 0 ? std::pair{0, 0} : std::pair{1, 100};
                         });
}

char* set_effort(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    return set_by_format(cf, &static_cast<LocationConfig*>(conf)->effort, "effort",
                         [](const FormatInfo& format) {
                             return std::pair{format.effort_min, format.effort_max};
                         });
}

}  // namespace media
