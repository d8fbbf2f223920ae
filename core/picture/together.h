// One decode for several renditions of one original.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "core/picture/render.h"

namespace media {

/// Planes for a rendition that it need not decode for itself. Any thread may use them.
struct DecodedPlanes;

/// Decodes the original of `tasks`, which is the same for all, once for as many of them as can be made of its
/// planes; what comes of it is to be named in their `decoded` when they are rendered, by any thread. Null for
/// those that have to decode for themselves: they need libvips, nothing would be shared, together they would
/// take more than 64 MB, or something went wrong, which render() will tell of. Those that want the same
/// planes get the same ones. An empty answer where memory has run out.
///
/// It goes on for as long as any task wants it: one that is cancelled or past its deadline is left out and
/// nothing else. A rendition of shared planes has the geometry of one made alone, exactly; its samples may
/// differ by what it makes that larger ones need finer planes (SSIM above 0.99).
std::vector<std::shared_ptr<const DecodedPlanes>> decode_together(std::span<const RenderTask> tasks) noexcept;

/// What render() looks at of the original of a task that has `decoded`: all before a JPEG's first scan; of
/// other formats, and of what is in no order, everything. Large originals need not wait in memory for an
/// encoder.
ByteView header_of(ByteView original) noexcept;

}  // namespace media
