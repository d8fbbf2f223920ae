// BlurHash: a picture in some thirty characters.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "core/rendition/geometry.h"

namespace media {

/// Cosine waves of a BlurHash, each way.
struct BlurhashComponents {
    int x = 4, y = 3;  ///< 1-9
    bool operator==(const BlurhashComponents&) const = default;
};

/// 4 x 3 for a landscape, 3 x 4 for a portrait, 4 x 4 for what is nearly square (sides differ by less than an
/// eighth); never more than there are pixels.
BlurhashComponents blurhash_components(Size picture, Size pixels) noexcept;

/// The BlurHash of sRGB pixels (three bytes each, line by line). After the algorithm as published with the
/// format (Dag Agren, 2018): a discrete cosine transform of linear light, its factors quantized and written
/// in base 83. Waves are taken at the centres of the pixels, where they are orthogonal: a flat picture has no
/// waves but the first.
std::string blurhash(std::span<const std::uint8_t> rgb, Size size, BlurhashComponents components);

}  // namespace media
