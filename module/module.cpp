// The module as nginx sees it.

#include "module/config.h"
#include "module/guard.h"
#include "module/origin_capture.h"
#include "module/short_life.h"
#include "module/token_access.h"
#include "module/variables.h"
#include "module/worker.h"

namespace {

ngx_int_t install(ngx_conf_t* cf) {
    return media::install_filters(cf) == NGX_OK ? media::install_token_access(cf) : NGX_ERROR;
}

ngx_http_module_t context = {
    media::guard<media::add_variables>,           // preconfiguration
    media::guard<install>,                        // postconfiguration
    media::guard<media::create_main_config>,      // create main configuration
    media::guard<media::init_main_config>,        // init main configuration
    nullptr,                                      // create server configuration
    nullptr,                                      // merge server configuration
    media::guard<media::create_location_config>,  // create location configuration
    media::guard<media::merge_location_config>,   // merge location configuration
};

}  // namespace

extern "C" {

ngx_module_t ngx_http_media_module = {
    NGX_MODULE_V1,
    &context,
    media::commands,
    NGX_HTTP_MODULE,
    nullptr,                            // init master
    nullptr,                            // init module
    media::guard<media::start_worker>,  // init process
    nullptr,                            // init thread
    nullptr,                            // exit thread
    media::guard<media::stop_worker>,   // exit process
    nullptr,                            // exit master
    NGX_MODULE_V1_PADDING,
};
}

// What nginx looks for in a dynamic module. The order puts our filters above copy and range, so that files of
// an origin reach us as files; and the one for short lives behind that of `expires` and `add_header`.
extern "C" {

static char this_module[] = "ngx_http_media_module";
static char next_module[] = "ngx_http_not_modified_filter_module";
static char life_module[] = "ngx_http_media_short_life_filter_module";
static char headers_module[] = "ngx_http_headers_filter_module";

[[gnu::visibility("default")]] ngx_module_t* ngx_modules[] = {
    &ngx_http_media_module, &ngx_http_media_short_life_filter_module, nullptr};
[[gnu::visibility("default")]] char* ngx_module_names[] = {this_module, life_module, nullptr};
[[gnu::visibility("default")]] char* ngx_module_order[] = {life_module, headers_module, this_module,
                                                           next_module, nullptr};
}
