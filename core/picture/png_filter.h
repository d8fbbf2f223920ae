// The five filters of PNG (specification, section 9), both ways.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

namespace media {

/// What may be read and written behind the ends of lines given to these functions.
constexpr std::size_t png_filter_room = 64;

constexpr int png_filters = 5;

/// Takes `filter`, below png_filters, off a line of `count` bytes in pixels of `step` bytes (1-4). `above` is
/// the line before, whole again; zeros for the first one. None of the three overlap.
void undo_png_filter(int filter, std::size_t step, const std::uint8_t* coded, const std::uint8_t* above,
                     std::size_t count, std::uint8_t* line);

/// Filters the lines of a picture from top to bottom, each by what leaves the smallest differences.
class PngFilter {
  public:
    /// Of lines of `count` bytes, in pixels of `step` bytes.
    PngFilter(std::size_t count, std::size_t step);

    /// Writes the filter's number and the filtered line to `to`: 1 + count bytes.
    void apply(const std::uint8_t* line, std::uint8_t* to);

  private:
    std::size_t count_;
    std::size_t step_;
    std::size_t stride_;
    std::vector<std::uint8_t> lines_;     // this one and the one before, each with zeros before it
    std::vector<std::uint8_t> filtered_;  // by each filter
    bool odd_ = false;
};

}  // namespace media
