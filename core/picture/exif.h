// EXIF blocks (Exif 2.32, chapter 4: a small TIFF), edited where they stand.
#pragma once

#include <cstdint>
#include <vector>

namespace media {

/// Sets the orientation to upright, cuts the thumbnail off, and with `gps` the places: the GPS directory and
/// the maker's note, which may hold one. What goes is overwritten with zeros. False when the block is not
/// understood: it must not be used then.
bool edit_exif(std::vector<std::uint8_t>& block, bool gps) noexcept;

}  // namespace media
