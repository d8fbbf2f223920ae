// Where the pixels go: sizes, boxes and offsets, exactly as the contract states them.
#pragma once

#include "core/base/result.h"
#include "core/rendition/rendition.h"
#include "core/rendition/settings.h"

namespace media {

struct Size {
    int width = 0;
    int height = 0;
    bool operator==(const Size&) const = default;
};

struct Box {
    int x = 0, y = 0, width = 0, height = 0;
    bool operator==(const Box&) const = default;
};

/// How a picture becomes a rendition: resize the whole to `resized`, cut `cut` out of it (`cover`; otherwise
/// all of it), lay it at `offset_x`, `offset_y` on a canvas of size `canvas` (`contain`; otherwise the same
/// size).
struct Geometry {
    Size resized;
    Box cut;  ///< in the resized picture; for attention and entropy its x, y are to be chosen
    bool cut_by_content = false;  ///< `g=attention` or `entropy`, and there is something to choose
    Size canvas;
    int offset_x = 0, offset_y = 0;
};

/// The geometry of a rendition of a picture of size `source` (upright; after rotation, crop and trim).
/// `vector`: the original has no size of its own to stop at. No side ever becomes 0.
/// Errors: 400 when the result is larger than max_width x max_height.
Result<Geometry> plan(const Rendition& rendition, Size source, const RenderSettings& settings,
                      bool vector = false) noexcept;

/// The pixels that `crop` means in a picture of size `source`, clipped to it. 422 when nothing is left.
Result<Box> crop_box(const Crop& crop, Size source) noexcept;

/// Watermark options as configured.
struct OverlayPlacement {
    Gravity position = Gravity::se;  ///< center and the eight compass points only
    double size = 0.20;              ///< share of the rendition's width
    double margin = 0.02;            ///< share of the rendition's shorter side
    bool tile = false;
};

/// Size of an overlay of proportions `overlay` on a rendition: width is a share of the rendition's width,
/// never higher than the rendition, at least 1 x 1.
Size overlay_size(Size overlay, Size rendition, double share) noexcept;

/// Top left corner of an overlay of size `scaled` on a rendition (not for tile). May be clipped to stay
/// inside.
Box overlay_box(Size scaled, Size rendition, const OverlayPlacement& placement) noexcept;

}  // namespace media
