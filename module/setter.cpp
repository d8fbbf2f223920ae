#include "module/setter.h"

#include <utility>

namespace media {

bool read_key_option(ngx_conf_t* cf, const ngx_str_t& value, std::vector<SigningKey>& keys) {
    constexpr std::string_view key = "key=";
    constexpr std::string_view file = "file:";
    if (!view(value).starts_with(key)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"", &value);
        return false;
    }
    std::string text{view(value).substr(key.size())};
    if (text.starts_with(file)) {
        ngx_str_t path = copy(cf->pool, std::string_view{text}.substr(file.size()));
        if (path.data == nullptr || ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
            return false;
        }
        text = std::string{file} + std::string{view(path)};
    }
    auto read = read_signing_key(text);
    if (!read) {
        // The key itself stays out of the log.
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid key of \"%V\": %s", &arguments(cf)[0],
                           read.error().detail.c_str());
        return false;
    }
    keys.push_back(std::move(*read));
    return true;
}

}  // namespace media
