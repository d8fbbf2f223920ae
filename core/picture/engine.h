// Life of the picture engine in one process.
#pragma once

#include "core/base/result.h"
#include "core/rendition/format.h"

namespace media {

/// Starts the engine: once per worker process, after fork, before any thread renders. Error 500 with a detail
/// for the log. `untrusted`: document formats (SVG, PDF) that some location allows; all other risky loaders
/// stay shut.
Status start_engine(FormatSet untrusted) noexcept;

/// Ends it; no thread may render any more.
void stop_engine() noexcept;

/// To be called by each rendering thread before it ends.
void end_engine_thread() noexcept;

/// What the engine of this build can decode and encode; needs start_engine.
FormatSet decodable_formats() noexcept;
FormatSet encodable_formats() noexcept;

}  // namespace media
