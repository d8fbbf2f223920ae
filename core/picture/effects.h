// Colour and filters: what changes pixels but not where they are.
#pragma once

#include <vips/vips8>

#include "core/base/cancellation.h"
#include "core/rendition/rendition.h"

namespace media {

bool has_effects(const Rendition& rendition);

/// Whether it is gray, or may be, and nothing else of this.
bool only_grays(const Rendition& rendition);

/// How many lines of the result to compute at a time.
int effect_lines(const Rendition& rendition);

/// Brightness, saturation, hue, contrast, gray, blur, sharpen, in this order. `image` lies in memory, in
/// 8-bit gray or sRGB, with or without alpha; so does what comes back, but not in memory.
vips::VImage with_effects(vips::VImage image, const Rendition& rendition, const Cancellation& cancellation);

}  // namespace media
