// The life of an answer that stands in for a better one.
#pragma once

#include "module/ngx.h"

/// A header filter of its own, which comes after nginx' own `expires` and `add_header`: however long these
/// say that answers live, one that stands in for an AVIF does not live so long.
extern "C" ngx_module_t ngx_http_media_short_life_filter_module;
