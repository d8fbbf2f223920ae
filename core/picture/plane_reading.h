// From a JPEG or WebP to its planes in the sizes of renditions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "core/picture/cascade.h"
#include "core/picture/jpeg_reader.h"
#include "core/picture/planes.h"
#include "core/picture/turn.h"
#include "core/rendition/settings.h"

namespace media {

/// What is wanted of an original, in pixels of the picture as it is stored. Nothing is enlarged.
struct PlaneOrder {
    Size whole;           ///< the picture
    Box box;              ///< is resized
    Size target;          ///< to this size
    Box cut;              ///< of which this is wanted
    Turn turn;            ///< and turned at the end
    bool halved = false;  ///< colour, each way
    /// Where it is: the first sample of colour in a line, or in a column, of what is turned already stands
    /// for one pixel alone, not for two.
    bool odd_across = false, odd_down = false;

    bool operator==(const PlaneOrder&) const = default;
};

/// One decode for any number of orders.
class PlaneReading {
  public:
    /// `orders` must outlive it; there is at least one.
    explicit PlaneReading(std::span<const PlaneOrder> orders) : orders_(orders) {}

    /// Decodes at the smallest size that does for all, until nothing is lacking. `wanted` is asked now and
    /// then whether anybody still wants an order. False where this is no such JPEG (JpegReader) or
    /// WebP (WebpReader): then nothing is complete. Throws Failure; what was complete by then can be taken
    /// all the same.
    bool read(ByteView original, FailOn fail_on, const Cancellation& cancellation,
              const std::function<bool(std::size_t)>& wanted);

    bool complete(std::size_t order) const;

    /// Of an order that is complete; once.
    Planes take(std::size_t order);

  private:
    using Enough = std::function<bool()>;

    bool read_jpeg(ByteView original, FailOn fail_on, const Cancellation& cancellation, const Enough& enough);
    bool read_webp(ByteView original, const Cancellation& cancellation, const Enough& enough);
    void push(int component, const std::uint8_t* line);
    void begin(std::span<const JpegReader::Component> components);

    std::span<const PlaneOrder> orders_;
    std::vector<PlaneCascade> cascades_;               // of each component
    std::vector<std::array<std::size_t, 3>> results_;  // of each order: its number in each of them
    std::vector<bool> dropped_;
};

}  // namespace media
