// Pictures as JPEG keeps them: brightness and two differences of colour, each a plane of its own.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <utility>

#include "core/picture/turn.h"
#include "core/rendition/geometry.h"

namespace media {

/// One sample of 8 bits for each of its pixels. Lines are far enough apart to be worked on in whole blocks of
/// any codec and any vector: what lies behind a line's end may be read and written.
class Plane {
  public:
    Plane() = default;
    /// Not initialised. Sides are at least 1.
    explicit Plane(Size size);

    Plane copy() const;

    Size size() const noexcept { return size_; }
    int width() const noexcept { return size_.width; }
    int height() const noexcept { return size_.height; }
    std::size_t stride() const noexcept { return stride_; }
    bool empty() const noexcept { return samples_ == nullptr; }

    std::uint8_t* row(int y) noexcept { return samples_.get() + static_cast<std::size_t>(y) * stride_; }
    const std::uint8_t* row(int y) const noexcept {
        return samples_.get() + static_cast<std::size_t>(y) * stride_;
    }

  private:
    Size size_;
    std::size_t stride_ = 0;
    std::unique_ptr<std::uint8_t[]> samples_;
};

/// Y, Cb, Cr of ITU-R BT.601 in full range, as in JFIF; Y alone for a gray picture. The planes of colour are
/// as large as that of brightness, or half as large each way, rounded up, each of their samples in the middle
/// of four.
struct Planes {
    std::array<Plane, 3> plane;
    Plane alpha;          ///< as large as that of brightness; none: the picture is opaque
    int count = 0;        ///< 1 or 3, without alpha
    bool halved = false;  ///< the planes of colour are

    Size size() const noexcept { return plane[0].size(); }
    Planes copy() const;
};

/// Planes of one's own, or those of others to look at, which outlive this.
class LentPlanes {
  public:
    explicit LentPlanes(const Planes* others) : others_(others) {}
    explicit LentPlanes(Planes own) : own_(std::move(own)) {}

    const Planes& view() const noexcept { return own_ ? *own_ : *others_; }
    /// To be changed: a copy, where they were others'.
    Planes& own();

  private:
    std::optional<Planes> own_;
    const Planes* others_ = nullptr;
};

/// Colour where there was none: gray planes in the form of coloured ones.
void colour(Planes& planes, bool halved);

/// A plane that is turned.
Plane turned(const Turn& turn, const Plane& plane);

}  // namespace media
