// The planes of a JPEG, as they are coded.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "core/base/bytes.h"
#include "core/base/cancellation.h"
#include "core/picture/planes.h"
#include "core/rendition/settings.h"

namespace media {

/// A JPEG original whose planes can be had: 8 bits, gray or YCbCr, coded in any way that libjpeg reads.
class JpegReader {
  public:
    /// How a plane lies in what is decoded.
    struct Component {
        int width = 0, height = 0;    ///< samples
        double across = 1, down = 1;  ///< samples of the plane to one pixel of the original
    };

    /// Takes lines of a plane, in order; they may be read somewhat beyond their width.
    using Sink = std::function<void(int component, const std::uint8_t* line)>;

    /// Who decodes: JpegSkim where it can and libjpeg where not, or libjpeg alone.
    enum class By { any, libjpeg };

    /// `bytes` must outlive it.
    JpegReader(ByteView bytes, FailOn fail_on, const Cancellation& cancellation, By by = By::any);
    ~JpegReader();
    JpegReader(const JpegReader&) = delete;
    JpegReader& operator=(const JpegReader&) = delete;

    /// Reads the header. False where this is not such a JPEG; never throws for what is in the bytes.
    bool open();

    /// Decides to decode at 1/shrink (1, 2, 4, 8), and tells what the planes will be like.
    std::span<const Component> scale(int shrink);

    /// Decodes, until the end or until `enough` says so. False where that has to be done once more, from
    /// scale() on, and all lines that came are to be forgotten: something is wrong with the original, and
    /// only libjpeg can say how much. Throws Failure.
    [[nodiscard]] bool read(const Sink& sink, const std::function<bool()>& enough);

    /// Whether the lines come from JpegSkim.
    bool skims() const noexcept;

  private:
    void leave_out_detail();
    bool skim(const Sink& sink, const std::function<bool()>& enough);
    bool decode(const Sink& sink, const std::function<bool()>& enough);

    struct State;
    std::unique_ptr<State> state_;
};

}  // namespace media
