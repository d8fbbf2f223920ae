// What `Watermark` is inside this room.
#pragma once

#include <list>
#include <memory>
#include <mutex>

#include "core/picture/pixels.h"
#include "core/picture/watermark.h"

namespace media {

class Watermark {
  public:
    /// `picture` is sRGB with alpha.
    Watermark(Pixels picture, const WatermarkSpec& spec);

    /// Lays it over an sRGB picture, with or without alpha, in place. Touches only what lies under it.
    void lay_over(Pixels& pixels);

  private:
    struct Scaled {
        Size size;
        std::shared_ptr<const Pixels> pixels;
    };

    std::shared_ptr<const Pixels> scaled_to(Size size);

    const Pixels picture_;
    const double opacity_;
    const OverlayPlacement placement_;
    std::mutex mutex_;
    std::list<Scaled> scaled_;  ///< last used first
    std::size_t scaled_bytes_ = 0;
};

}  // namespace media
