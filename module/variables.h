// $media_* variables.
#pragma once

#include "module/ngx.h"

namespace media {

/// Declares the variables; for the module's preconfiguration.
ngx_int_t add_variables(ngx_conf_t* cf);

}  // namespace media
