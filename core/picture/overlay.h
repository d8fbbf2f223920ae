// What `Watermark` is inside this room.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>

#include "core/base/cancellation.h"
#include "core/picture/pixels.h"
#include "core/picture/planes.h"
#include "core/picture/watermark.h"

namespace media {

/// Overlays last used, by their text (empty for a picture) and a size; bounded in number and, but for the
/// last one, in bytes. Thread-safe.
class OverlayCache {
  public:
    /// Null where it is not kept.
    std::shared_ptr<const Pixels> find(std::string_view text, Size size);
    void keep(std::string_view text, Size size, std::shared_ptr<const Pixels> pixels);

  private:
    struct Entry {
        std::string text;
        Size size;
        std::shared_ptr<const Pixels> pixels;
    };

    std::mutex mutex_;
    std::list<Entry> entries_;  ///< last used first
    std::size_t bytes_ = 0;
};

class Watermark {
  public:
    explicit Watermark(const OverlayPlacement& placement) : placement_(placement) {}
    Watermark(const Watermark&) = delete;
    Watermark& operator=(const Watermark&) = delete;
    virtual ~Watermark() = default;

    /// Lays it over an sRGB picture, with or without alpha, in place. Touches only what lies under it. Throws
    /// Failure.
    void lay_over(Pixels& pixels, const Cancellation& cancellation);

    /// The same over planes, which are in colour.
    void lay_over(Planes& planes, const Cancellation& cancellation);

    /// The same with this text; null where there is nothing to write.
    virtual std::shared_ptr<Watermark> with_text(const std::string& /*text*/) const { return nullptr; }

    virtual void load_fonts(const Cancellation& /*cancellation*/) {}

  protected:
    const OverlayPlacement& placement() const noexcept { return placement_; }

  private:
    /// What is laid over a rendition of this size: sRGB with alpha, at its final size and opacity. Null:
    /// nothing.
    virtual std::shared_ptr<const Pixels> overlay_for(Size rendition, const Cancellation& cancellation) = 0;

    template <class Picture>
    void place(Picture& onto, const Cancellation& cancellation);

    const OverlayPlacement placement_;
};

/// A text watermark without a text yet.
std::shared_ptr<Watermark> make_text_watermark(const WatermarkSpec& spec);

}  // namespace media
