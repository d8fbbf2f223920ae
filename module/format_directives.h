// Reading the directives of formats: which are taken, which are made, and how.
#pragma once

#include "module/config.h"

namespace media {

char* set_input(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_auto_format(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_avif_behind(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_quality(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_effort(ngx_conf_t* cf, ngx_command_t* command, void* conf);

}  // namespace media
