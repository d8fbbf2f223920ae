// Lanczos3 over one plane, a band of lines at a time.
#pragma once

#include <hwy/aligned_allocator.h>
#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "core/picture/planes.h"

namespace media {

/// Which part of a line of samples becomes how many, along one axis. All lengths are in samples of the
/// source; sample i reaches from i to i + 1.
struct AxisMap {
    double origin = 0;  ///< where the first result sample begins; may lie outside
    double step = 1;    ///< source samples to one of the result; below 1 it is enlarged
    int first = 0;      ///< samples outside of [first, last) do not exist: the nearest one stands in
    int last = 0;
    int count = 0;  ///< result samples
};

/// Weights of the source samples that one result sample is made of. Kernel: sinc(x) sinc(x / 3), |x| < 3, as
/// wide as the step; where it is below 1, linear interpolation.
class Weights {
  public:
    explicit Weights(const AxisMap& map);

    int count() const noexcept { return static_cast<int>(start_.size()); }
    int taps() const noexcept { return taps_; }
    int start(int i) const noexcept { return start_[static_cast<std::size_t>(i)]; }
    int end(int i) const noexcept { return start(i) + taps_; }
    /// In units of 2^-15, taps() of them.
    const std::int16_t* of(int i) const noexcept {
        return weights_.data() + static_cast<std::size_t>(i) * static_cast<std::size_t>(taps_);
    }

  private:
    int taps_ = 0;
    std::vector<int> start_;
    std::vector<std::int16_t> weights_;
};

/// Where the lines of a result lie, and what their pixels are.
struct PixelLines {
    std::uint8_t* first = nullptr;
    std::size_t stride = 0;  ///< in bytes; nothing is written behind a line's end
    int bands = 1;           ///< samples of a pixel, side by side: 1-4
    bool alpha = false;      ///< the last of 2 or 4 is one, which weighs the others while they are mixed
};

/// Takes the lines of a source from top to bottom and makes a smaller picture of them. Holds as many lines as
/// a result line is made of, and no more.
class LineResizer {
  public:
    /// What `lines` points to outlives this.
    LineResizer(const AxisMap& across, const AxisMap& down, const PixelLines& lines);

    /// The next line of the source. The first call is line `down.first`. Nothing is read behind the pixel
    /// `across.last`.
    void push(const std::uint8_t* line);

    /// Whether lines are still wanted. Once none is, the result is whole.
    bool wants_more() const noexcept { return next_ < down_.count(); }

  private:
    void flush(int lines);

    Weights across_;
    Weights down_;
    PixelLines lines_;
    int left_ = 0;                                       // the first source pixel that any result needs
    int samples_ = 0;                                    // from there to the last one
    int line_ = 0;                                       // of the source, the next to come
    int next_ = 0;                                       // of the result
    std::size_t stride_ = 0;                             // of a line in the ring, in samples
    hwy::AlignedFreeUniquePtr<std::int16_t[]> ring_;     // the last taps lines, widened
    std::vector<const std::int16_t*> used_;              // lines of the ring that one result line is made of
    hwy::AlignedFreeUniquePtr<std::int16_t[]> strip_;    // result lines that are done downwards only
    hwy::AlignedFreeUniquePtr<std::int16_t[]> columns_;  // the same, turned
    int strip_lines_ = 0;
};

/// The same with a plane as its result.
class PlaneResizer {
  public:
    PlaneResizer(const AxisMap& across, const AxisMap& down);

    void push(const std::uint8_t* line) { lines_.push(line); }
    bool wants_more() const noexcept { return lines_.wants_more(); }

    /// The result, once nothing more is wanted.
    Plane take() && { return std::move(out_); }

  private:
    Plane out_;
    LineResizer lines_;
};

}  // namespace media
