// What a rendition leaves open, settled by the original: its format and its pages.
#pragma once

#include "core/picture/source.h"
#include "core/rendition/rendition.h"
#include "core/rendition/settings.h"

namespace media {

/// Whether a rendition that can hold them gets several frames of an animation. One frame alone is a picture
/// like any other.
bool moving(const Rendition& rendition, const PictureSource& source, int max_frames);

/// The format to write. Throws Failure 415 where the build cannot write it, 400 for `lossless` on a format
/// without it.
Format choose_format(const Rendition& rendition, const PictureSource& source, int max_frames);

/// How many pages to read from the first on, and whether that was asked for in so many words.
struct Pages {
    int count = 1;
    bool asked = false;
};

/// Throws Failure 400 when the format holds one page and several were asked for.
Pages choose_pages(const Rendition& rendition, const PictureSource& source, Format format, int max_frames);

/// Throws Failure 422 when the original has more pixels in `pages` pages than are allowed. `trim`: it will be
/// looked at in its own size, which of vectors is else not drawn.
void check_source_size(const PictureSource& source, int pages, bool trim, const RenderSettings& settings);

}  // namespace media
