// One plane that is read once and made smaller in several ways.
#pragma once

#include <cstdint>
#include <vector>

#include "core/picture/lanczos.h"
#include "core/picture/planes.h"

namespace media {

/// Takes the lines of a plane from top to bottom and makes any number of smaller planes of them. Those much
/// smaller are made of the plane halved, once or several times, by the means of 2 x 2 samples: that is how a
/// JPEG decoder reduces, and costs a fraction of resizing it from all samples.
class PlaneCascade {
  public:
    /// Lanczos does at least the last factor of 1.5: by SSIM that is as good as to be given everything.
    static constexpr double least_residue = 1.5;

    /// Samples of the plane; lines may be read 64 samples beyond their width.
    PlaneCascade(int width, int height);

    /// Before the first line: wants a result, and gives its number.
    std::size_t add(AxisMap across, AxisMap down);

    /// The next line, from the plane's first on.
    void push(const std::uint8_t* line);

    /// Whether a result lacks lines still.
    bool lacks(std::size_t number) const noexcept;

    /// Nobody wants that result any more.
    void drop(std::size_t number) noexcept;

    /// A result that lacks nothing.
    Plane take(std::size_t number) { return std::move(results_[number].resizer).take(); }

  private:
    struct Result {
        PlaneResizer resizer;
        int first;  // line of its level
        bool dropped = false;
    };
    struct Level {
        int width, height;
        int first = 0, end = 0;  // lines that this level or one below has a use for
        std::vector<std::size_t> results;
        std::vector<std::uint8_t> upper;   // of the two lines that become one
        std::vector<std::uint8_t> halved;  // that one
    };

    // Line `y` of a level.
    void feed(std::size_t level, int y, const std::uint8_t* line);

    int next_ = 0;  // line to come
    std::vector<Level> levels_;
    std::vector<Result> results_;
};

}  // namespace media
