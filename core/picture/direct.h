// The short way for most originals: by the planes of a JPEG, and without RGB where the rendition has planes
// too.
#pragma once

#include <optional>

#include "core/picture/encode.h"
#include "core/picture/frames.h"
#include "core/picture/plan.h"
#include "core/picture/plane_reading.h"
#include "core/picture/planes.h"
#include "core/picture/render.h"
#include "core/picture/source.h"

namespace media {

/// What a rendition is made of, if it can be made of planes. Nothing where it has to come through libvips for
/// what its header says already: the original has no planes, has a colour profile, or would be enlarged.
std::optional<PlaneOrder> order_of(const RenderTask& task, const RenderPlan& plan);

/// The only page of an original: upright, resized and cut, but by content. Lent by `task.decoded` where
/// they are there. Nothing where it has to come through libvips, as above. `halved`: colour in half the size.
/// Throws Failure.
std::optional<LentPlanes> planes_of(const RenderTask& task, const PictureSource& source, const Layout& layout,
                                    bool halved);

/// A rendition that needs no pixels in RGB; nothing where it does, or where there are no planes. Throws
/// Failure.
std::optional<Encoded> render_directly(const RenderTask& task, const PictureSource& source,
                                       const Layout& layout, const EncodeOptions& options);

}  // namespace media
