// Reading the directives of watermarks.
#pragma once

#include "module/config.h"

namespace media {

char* set_watermark(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_watermark_text(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_watermark_force(ngx_conf_t* cf, ngx_command_t* command, void* conf);

/// A variable in `text` that no module and no directive declares, or nothing. To be asked once all of the
/// configuration is read: nginx itself would name neither file nor line.
std::string_view unknown_variable(const ngx_conf_t* cf, std::string_view text) noexcept;

}  // namespace media
