// Everything ends as 8-bit sRGB, or 8-bit gray.
#pragma once

#include <vips/vips8>

namespace media {

/// How the pixels of an original become sRGB. Made from its header.
class Colour {
  public:
    explicit Colour(const vips::VImage& header);

    /// Before resizing: what is in no space that can be resized as it is (Lab, XYZ, floating point, ...) is
    /// converted; all else stays as it was stored.
    vips::VImage prepare(vips::VImage image) const;

    /// After resizing: to 8 bits and sRGB, by the embedded profile where there is a sound one. An original
    /// in gray stays gray; alpha stays.
    vips::VImage finish(vips::VImage image) const;

    /// An embedded profile is obeyed, which says something else than sRGB.
    bool profiled() const { return profile_; }

    /// Whether `finish` goes through colour profiles, which takes longer than decoding.
    bool costly() const { return costly_; }

  private:
    bool profile_ = false;  ///< an embedded profile that fits and is not sRGB itself
    bool gray_ = false;
    bool costly_ = false;
};

}  // namespace media
