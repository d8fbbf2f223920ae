// What is settled of a rendition before anything is decoded.
#pragma once

#include "core/picture/encode.h"
#include "core/picture/frames.h"
#include "core/picture/render.h"
#include "core/picture/source.h"

namespace media {

/// A rendition of one original as far as the header tells. Throws Failure for what the limits or the format
/// do not allow, vips::VError for what cannot be read.
struct RenderPlan {
    explicit RenderPlan(const RenderTask& task);

    PictureSource source;
    int first;  ///< page
    Format format;
    int pages = 1;
    Layout layout;
    EncodeOptions options;
};

}  // namespace media
