// The short way for most originals: by the planes of a JPEG, and without RGB where the rendition has planes
// too.
#pragma once

#include <optional>

#include "core/picture/encode.h"
#include "core/picture/frames.h"
#include "core/picture/planes.h"
#include "core/picture/render.h"
#include "core/picture/source.h"

namespace media {

/// The only page of an original: upright, resized and cut, but by content. Nothing where it has to come
/// through libvips: the original is no such JPEG, has a colour profile, or would be enlarged. `halved`:
/// colour in half the size. Throws Failure.
std::optional<Planes> planes_of(const RenderTask& task, const PictureSource& source, const Layout& layout,
                                bool halved);

/// A rendition that needs no pixels in RGB; nothing where it does, or where there are no planes. Throws
/// Failure.
std::optional<Encoded> render_directly(const RenderTask& task, const PictureSource& source,
                                       const Layout& layout, const EncodeOptions& options);

}  // namespace media
