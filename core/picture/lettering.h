// Text as curves: fonts, layout and drawing (Pango and Cairo).
#pragma once

#include <memory>
#include <string>

#include "core/base/bytes.h"
#include "core/base/cancellation.h"
#include "core/picture/pixels.h"
#include "core/rendition/geometry.h"
#include "core/rendition/rendition.h"

namespace media {

/// A text laid out, as curves: drawn at any size without being laid out again. Immutable, so any thread may
/// draw it.
class Outline {
  public:
    struct Curves;

    explicit Outline(std::shared_ptr<const Curves> curves) : curves_(std::move(curves)) {}

    /// Nothing would be seen: no text, or blanks alone.
    bool blank() const noexcept { return curves_ == nullptr; }

    /// Width and height of what is inked, in a unit that is small beside any pixel.
    Size proportions() const noexcept;

    /// The ink, filling a picture of this size in this colour: sRGB with alpha, smooth edges. Neither side is
    /// more than `max_side`. Throws std::bad_alloc.
    Pixels drawn(Size size, Color color) const;

    /// Cairo's limit.
    static constexpr int max_side = 32767;

  private:
    std::shared_ptr<const Curves> curves_;
};

/// Where the lines of a text begin.
enum class Alignment : std::uint8_t { left, center, right };

/// Fonts to write with: the installed ones, or one font file and the installed ones for what it lacks. Fonts
/// of bitmaps or of many colours are passed over, a character that no font has becomes an empty box.
/// Loaded by their first use. Thread-safe: one thread at a time lays out, for all instances of a process,
/// because Cairo 1.16 opens fonts without a lock.
class Fonts {
  public:
    /// `file`: null for the installed fonts alone.
    explicit Fonts(std::shared_ptr<const Bytes> file);
    Fonts(const Fonts&) = delete;
    Fonts& operator=(const Fonts&) = delete;
    ~Fonts();

    /// The installed fonts, which all who want them share.
    static std::shared_ptr<Fonts> installed();

    /// Throws Failure: 500 where there is no font at all or the file is none, stop_error when told to stop.
    void load(const Cancellation& cancellation);

    /// Lays `text` (UTF-8, markup has no meaning in it) out in lines as long as they are. `font`: a Pango
    /// font description, of which the size does not matter; a font file comes first. Loads the fonts, throws
    /// as that.
    Outline outline(const std::string& text, const std::string& font, Alignment alignment,
                    const Cancellation& cancellation);

  private:
    struct Loaded;

    const std::shared_ptr<const Bytes> file_;
    std::unique_ptr<Loaded> loaded_;
};

}  // namespace media
