// A still WebP as libwebp has it, without a whole picture in RGB between.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>

#include "core/base/bytes.h"
#include "core/base/cancellation.h"
#include "core/picture/jpeg_reader.h"
#include "core/rendition/geometry.h"

namespace media {

/// Hands out lines as they are decoded, and can be stopped between some dozen kilobytes of the file. Anything
/// odd is nothing to this reader and left to libvips. libwebp keeps all of what is decoded, in its own
/// memory.
class WebpReader {
  public:
    /// The file outlives this.
    explicit WebpReader(ByteView file) : file_(file) {}

    /// Reads the header. False where this is not a still WebP.
    bool open();

    Size size() const { return size_; }
    bool lossy() const { return lossy_; }  ///< has planes

    /// How the planes lie in the picture: Y, Cb, Cr, the latter two half as large.
    std::span<const JpegReader::Component> planes() const { return planes_; }

    /// Decodes the planes of a lossy one, in full range as `Planes` are, until the end or until `enough` says
    /// so. False where something is wrong: what came until then is worth nothing. Throws Failure when told to
    /// stop.
    bool read_planes(const JpegReader::Sink& sink, const std::function<bool()>& enough,
                     const Cancellation& cancellation) const;

    /// The same of pixels in RGB (3 `bands`) or RGB with alpha (4), line by line until `use` returns false.
    bool read_pixels(int bands, const std::function<bool(const std::uint8_t* line)>& use,
                     const Cancellation& cancellation) const;

  private:
    ByteView file_;
    ByteView image_;  // of that
    Size size_;
    bool lossy_ = false;
    std::array<JpegReader::Component, 3> planes_;
};

}  // namespace media
