// The lines of a PNG, as fast as they can be had: most PNGs, and those only while nothing is wrong with them.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/cancellation.h"
#include "core/rendition/geometry.h"

struct inflate_state;

namespace media {

/// Reads PNGs of 8 bits in gray, RGB, either with alpha, or of a palette (which comes as RGB, with alpha
/// where the palette has it), not interlaced. Keeps a few lines. Anything else, and anything odd, is nothing
/// to this reader and left to libvips, which knows what to forgive.
class PngReader {
  public:
    /// The file outlives this.
    explicit PngReader(ByteView file);
    ~PngReader();
    PngReader(const PngReader&) = delete;
    PngReader& operator=(const PngReader&) = delete;

    /// Reads what comes before the pixels. False where it is not of the kind.
    bool open();

    Size size() const { return size_; }
    int bands() const { return bands_; }  ///< 1 to 4, of 8 bits

    /// Hands every line to `use`, from top to bottom, until that returns false. False where the file is not
    /// as it should be: what was handed out up to there is worth nothing. All checksums that are passed are
    /// checked, and where the last line was handed out, the file must end well behind it. Throws Failure when
    /// told to stop, bad_alloc.
    bool read(const std::function<bool(const std::uint8_t* line)>& use, const Cancellation& cancellation);

  private:
    struct Chunk {
        std::uint32_t type = 0;
        ByteView data;
    };

    bool next_chunk(Chunk& chunk);
    bool read_head(ByteView data);
    bool read_palette(ByteView data);
    bool read_transparency(ByteView data);
    bool inflate(std::uint8_t* to, std::size_t count);
    bool ends_well();
    const std::uint8_t* expanded(const std::uint8_t* line);

    ByteView file_;
    std::size_t at_ = 0;
    Size size_;
    int bands_ = 0;
    int colour_type_ = 0;
    std::size_t step_ = 0;        // bytes of a pixel, as coded
    std::size_t line_bytes_ = 0;  // as coded
    Chunk data_;                  // the IDAT that is read
    std::unique_ptr<inflate_state> stream_;
    std::array<std::uint8_t, 4 * 256> palette_{};
    int palette_size_ = 0;
    std::vector<std::uint8_t> expanded_;
};

}  // namespace media
