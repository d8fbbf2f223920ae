#include "module/redis_config.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <memory>
#include <string_view>

#include "module/config.h"
#include "module/guard.h"

namespace media {

namespace {

char* fail() noexcept {
    return static_cast<char*>(NGX_CONF_ERROR);
}

template <class T>
bool read_number(std::string_view text, T low, T high, T& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size() && number >= low && number <= high;
}

// host:port, [v6]:port or unix:/path.
bool read_address(std::string_view text, RedisAddress& address) {
    constexpr std::string_view socket = "unix:";
    if (text.starts_with(socket)) {
        address.path = text.substr(socket.size());
        return address.path.starts_with('/') && address.path.size() < sizeof(sockaddr_un::sun_path);
    }
    const std::size_t colon = text.rfind(':');
    if (colon == std::string_view::npos || colon == 0) {
        return false;
    }
    std::string_view host = text.substr(0, colon);
    if (host.front() == '[') {
        if (host.back() != ']') {
            return false;
        }
        host = host.substr(1, host.size() - 2);
    } else if (host.find(':') != std::string_view::npos) {
        return false;  // an IPv6 address wants brackets
    }
    address.node.host = host;
    return !host.empty() && read_number<std::uint16_t>(text.substr(colon + 1), 1, 65535, address.node.port);
}

bool read_addresses(std::string_view text, std::vector<RedisAddress>& addresses) {
    while (true) {
        const std::size_t comma = std::min(text.find(','), text.size());
        RedisAddress address;
        if (!read_address(text.substr(0, comma), address)) {
            return false;
        }
        addresses.push_back(std::move(address));
        if (comma == text.size()) {
            return true;
        }
        text.remove_prefix(comma + 1);
    }
}

// Every option of media_redis, once.
struct Option {
    std::string_view name;
    bool (*read)(std::string_view value, RedisConfig& config);
};

constexpr std::array<Option, 8> options{{
    {"db",
     [](std::string_view value, RedisConfig& config) { return read_number(value, 0, 1'000'000, config.db); }},
    {"user",
     [](std::string_view value, RedisConfig& config) {
         config.user = value;
         return !value.empty();
     }},
    {"password",
     [](std::string_view value, RedisConfig& config) {
         config.password = value;
         return !value.empty();
     }},
    {"prefix",
     [](std::string_view value, RedisConfig& config) {
         config.prefix = value;
         // Braces would become the hash tag of every key.
         return value.find_first_of("{}") == std::string_view::npos && value.size() <= 256;
     }},
    {"ttl",
     [](std::string_view value, RedisConfig& config) {
         ngx_str_t text = str(value);
         const ngx_int_t seconds = ngx_parse_time(&text, 1);
         config.ttl = seconds;
         return seconds > 0;
     }},
    {"max_object",
     [](std::string_view value, RedisConfig& config) {
         ngx_str_t text = str(value);
         const off_t size = ngx_parse_offset(&text);
         config.max_object = static_cast<std::size_t>(size);
         return size > 0 && size <= (off_t{512} << 20U);  // what a Redis string holds at most
     }},
    {"timeout",
     [](std::string_view value, RedisConfig& config) {
         ngx_str_t text = str(value);
         const ngx_int_t time = ngx_parse_time(&text, 0);
         config.timeout = static_cast<ngx_msec_t>(time);
         return time > 0;
     }},
    {"pool", [](std::string_view value,
                RedisConfig& config) { return read_number<std::size_t>(value, 1, 64, config.pool); }},
}};

}  // namespace

std::string RedisAddress::text() const {
    if (!path.empty()) {
        return "unix:" + path;
    }
    const bool v6 = node.host.find(':') != std::string::npos;
    return (v6 ? '[' + node.host + ']' : node.host) + ':' + std::to_string(node.port);
}

bool RedisConfig::operator==(const RedisConfig& other) const {
    const auto same_seeds = [](const RedisAddress& a, const RedisAddress& b) { return a.text() == b.text(); };
    return std::equal(seeds.begin(), seeds.end(), other.seeds.begin(), other.seeds.end(), same_seeds) &&
           db == other.db && user == other.user && password == other.password && prefix == other.prefix &&
           ttl == other.ttl && max_object == other.max_object && timeout == other.timeout &&
           pool == other.pool;
}

char* set_redis(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    if (location->redis != NGX_CONF_UNSET_PTR) {
        static char duplicate[] = "is duplicate";
        return duplicate;
    }
    const std::span<const ngx_str_t> values{static_cast<ngx_str_t*>(cf->args->elts) + 1, cf->args->nelts - 1};
    if (view(values[0]) == "off") {
        location->redis = nullptr;
        if (values.size() > 1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"media_redis off\" takes no parameters");
            return fail();
        }
        return NGX_CONF_OK;
    }
    auto config = std::make_unique<RedisConfig>();
    if (!read_addresses(view(values[0]), config->seeds)) {
        ngx_conf_log_error(
            NGX_LOG_EMERG, cf, 0,
            "invalid address \"%V\" in \"media_redis\", expected host:port, [v6]:port or unix:/path",
            &values[0]);
        return fail();
    }
    std::string seen;
    for (const ngx_str_t& value : values.subspan(1)) {
        const std::string_view text = view(value);
        const std::string_view name = text.substr(0, std::min(text.find('='), text.size()));
        const auto* option = std::find_if(options.begin(), options.end(),
                                          [name](const Option& known) { return known.name == name; });
        if (option == options.end() || name.size() == text.size()) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\" in \"media_redis\"", &value);
            return fail();
        }
        const std::string mark = ' ' + std::string{name} + ' ';
        if (seen.find(mark) != std::string::npos || !option->read(text.substr(name.size() + 1), *config)) {
            // The value stays out of the log: it may be a password.
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "%s parameter \"%s\" in \"media_redis\"",
                               seen.find(mark) != std::string::npos ? "duplicate" : "invalid value of",
                               std::string{name}.c_str());
            return fail();
        }
        seen += mark;
    }
    if (!config->user.empty() && config->password.empty()) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"user\" of \"media_redis\" needs a \"password\"");
        return fail();
    }
    auto& known = main_config(cf)->catalogue->redis;
    for (const auto& other : known) {
        if (*other == *config) {
            location->redis = other.get();
            return NGX_CONF_OK;
        }
    }
    location->redis = config.get();
    known.push_back(std::move(config));
    return NGX_CONF_OK;
}

}  // namespace media
