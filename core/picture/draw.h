// SVG and PDF are drawn in processes of their own: their libraries cannot be stopped, take as much memory as
// a document makes them take, and end the process where they meet what they cannot handle.
#pragma once

#include <vips/vips8>

#include "core/base/bytes.h"
#include "core/base/cancellation.h"
#include "core/base/result.h"
#include "core/rendition/format.h"

namespace media {

struct Drawing {
    Format format = Format::svg;
    int page = 0;
    int pages = 1;
    double scale = 1;
    VipsFailOn fail_on = VIPS_FAIL_ON_TRUNCATED;
    bool pixels = true;  ///< otherwise the header alone
};

/// Starts the process from which those that draw are forked. Once, with libvips initialised, before the first
/// thread. Error 500.
Status start_drawing() noexcept;

/// Ends it and waits for it. No thread may draw any more.
void stop_drawing() noexcept;

/// Draws the pages of a document, one below another, in a new process that is ended with the cancellation.
/// Without `pixels`, what comes back is a header that has none. Any thread.
/// Throws VError where nothing can be drawn, Failure where the work is to stop, or 503 where no process can
/// be had.
vips::VImage draw(ByteView document, const Drawing& drawing, const Cancellation& cancellation);

}  // namespace media
