#include "module/event_config.h"

#include <algorithm>
#include <utility>

#include "module/config.h"
#include "module/event_zone.h"
#include "module/guard.h"
#include "module/setter.h"

namespace media {

char* set_notify(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    if (location->notify != NGX_CONF_UNSET_PTR) {
        return duplicate;
    }
    const ngx_str_t& uri = values(cf)[0];
    if (view(uri) == "off") {
        location->notify = nullptr;
        if (values(cf).size() > 1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"media_notify off\" takes no parameters");
            return fail();
        }
        return ok;
    }
    if (uri.len == 0 || uri.data[0] != '/') {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "invalid URI \"%V\" in \"media_notify\", it must begin with \"/\"", &uri);
        return fail();
    }
    NotifyConfig notify;
    const std::size_t mark = std::min(view(uri).find('?'), uri.len);
    notify.uri = view(uri).substr(0, mark);
    notify.args = view(uri).substr(std::min(mark + 1, uri.len));
    if (values(cf).size() > 1) {
        std::vector<SigningKey> keys;
        if (!read_key_option(cf, values(cf)[1], keys)) {
            return fail();
        }
        notify.key = std::move(keys.front());
    }
    location->notify = make_in_pool<NotifyConfig>(cf->pool, std::move(notify));
    return location->notify == nullptr ? fail() : ok;
}

bool add_event_store(ngx_conf_t* cf, std::string_view path, const LocationConfig& conf) {
    MainConfig* main = main_config(cf);
    auto& stores = main->catalogue->event_stores;
    auto store = std::find_if(stores.begin(), stores.end(),
                              [path](const EventStore& known) { return known.path == path; });
    if (store == stores.end()) {
        store = stores.insert(stores.end(), {.path = std::string{path},
                                             .url = std::string{view(conf.upload_url)},
                                             .notified = {},
                                             .redis = {}});
    }
    const auto* server = static_cast<const ngx_http_core_srv_conf_t*>(
        ngx_http_conf_get_module_srv_conf(cf, ngx_http_core_module));
    if (conf.notify != nullptr) {
        const auto same = [&](const EventStore::Notified& known) {
            return known.server == server && known.config->uri == conf.notify->uri &&
                   known.config->args == conf.notify->args && known.config->key == conf.notify->key;
        };
        if (std::none_of(store->notified.begin(), store->notified.end(), same)) {
            store->notified.push_back({conf.notify, server, std::string{view(conf.server)}});
        }
    }
    const auto& redis = store->redis;
    if (conf.redis != nullptr && std::find(redis.begin(), redis.end(), conf.redis) == redis.end()) {
        store->redis.push_back(conf.redis);
    }
    if (store->heard() && main->events == nullptr) {
        main->events = EventZone::declare(cf);
        return main->events != nullptr;
    }
    return true;
}

}  // namespace media
