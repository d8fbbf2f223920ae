#include "core/picture/survey.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

namespace media {

namespace {

constexpr int strip_lines = 16;

std::uint8_t to_byte(double value) {
    return static_cast<std::uint8_t>(std::clamp(std::floor(value + 0.5), 0.0, 255.0));
}

// Sums of colour times alpha, and of alpha; alpha is 0-255.
struct Sums {
    double r = 0, g = 0, b = 0, alpha = 0;

    void add(const Sums& other, double weight) {
        r += other.r * weight;
        g += other.g * weight;
        b += other.b * weight;
        alpha += other.alpha * weight;
    }
    Color mean() const {
        return alpha > 0 ? Color{to_byte(r / alpha), to_byte(g / alpha), to_byte(b / alpha)} : Color{0, 0, 0};
    }
};

// Pixels of one direction, divided into cells of equal length.
class Axis {
  public:
    Axis(int pixels, double extent, int cells)
        : pixels_(pixels), extent_(extent), cells_(cells), step_(extent / cells) {}

    int cells() const { return cells_; }
    double area() const { return step_; }

    int first_pixel(int cell) const {
        return std::clamp(static_cast<int>(std::floor(cell * step_)), 0, pixels_ - 1);
    }
    int last_pixel(int cell) const {
        return std::clamp(static_cast<int>(std::ceil((cell + 1) * step_)) - 1, first_pixel(cell),
                          pixels_ - 1);
    }
    int first_cell(int pixel) const {
        return std::clamp(static_cast<int>(std::floor(pixel / step_)), 0, cells_ - 1);
    }
    int last_cell(int pixel) const {
        return std::clamp(static_cast<int>(std::ceil(end_of(pixel) / step_)) - 1, first_cell(pixel),
                          cells_ - 1);
    }

    // How much of a pixel lies in a cell. The last pixel reaches to the end.
    double overlap(int cell, int pixel) const {
        const double cell_end = cell + 1 == cells_ ? extent_ : (cell + 1) * step_;
        return std::max(0.0, std::min(cell_end, end_of(pixel)) - std::max<double>(cell * step_, pixel));
    }

  private:
    double end_of(int pixel) const { return pixel + 1 == pixels_ ? extent_ : pixel + 1; }

    int pixels_;
    double extent_;
    int cells_;
    double step_;
};

class Histogram {
  public:
    void add(unsigned r, unsigned g, unsigned b, unsigned alpha) {
        Bin& bin = bins_[index(r >> shift, g >> shift, b >> shift)];
        bin.alpha += alpha;
        bin.r += r * alpha;
        bin.g += g * alpha;
        bin.b += b * alpha;
    }

    Color winner() const {
        Bin best;
        for (unsigned r = 0; r + 1 < steps; ++r) {
            for (unsigned g = 0; g + 1 < steps; ++g) {
                for (unsigned b = 0; b + 1 < steps; ++b) {
                    Bin cube;
                    for (unsigned corner = 0; corner < 8; ++corner) {
                        const Bin& bin =
                            bins_[index(r + (corner >> 2U), g + (corner >> 1U & 1U), b + (corner & 1U))];
                        cube.alpha += bin.alpha;
                        cube.r += bin.r;
                        cube.g += bin.g;
                        cube.b += bin.b;
                    }
                    if (cube.alpha > best.alpha) {
                        best = cube;
                    }
                }
            }
        }
        return Sums{static_cast<double>(best.r), static_cast<double>(best.g), static_cast<double>(best.b),
                    static_cast<double>(best.alpha)}
            .mean();
    }

  private:
    static constexpr unsigned shift = 3;
    static constexpr unsigned steps = 256U >> shift;

    struct Bin {
        std::uint64_t alpha = 0, r = 0, g = 0, b = 0;
    };

    static std::size_t index(unsigned r, unsigned g, unsigned b) { return (r * steps + g) * steps + b; }

    std::vector<Bin> bins_ = std::vector<Bin>(std::size_t{steps} * steps * steps);
};

class Surveyor {
  public:
    Surveyor(const Extract& extract, Size size)
        : bands_(extract.image.bands()),
          across_(extract.image.width(), extract.width, size.width),
          down_(extract.image.height(), extract.height, size.height),
          line_(static_cast<std::size_t>(size.width)),
          cells_(line_.size() * static_cast<std::size_t>(size.height)) {}

    void add(int y, const std::uint8_t* line) {
        switch (bands_) {
            case 1:
                add_line<1>(line);
                break;
            case 2:
                add_line<2>(line);
                break;
            case 3:
                add_line<3>(line);
                break;
            default:
                add_line<4>(line);
        }
        for (int cell = down_.first_cell(y); cell <= down_.last_cell(y); ++cell) {
            const double weight = down_.overlap(cell, y);
            Sums* const row = &cells_[line_.size() * static_cast<std::size_t>(cell)];
            for (std::size_t x = 0; x < line_.size(); ++x) {
                row[x].add(line_[x], weight);
            }
        }
    }

    Survey result() const {
        Sums all;
        for (const Sums& cell : cells_) {
            all.add(cell, 1);
        }
        return {all.mean(), histogram_.winner(), small()};
    }

  private:
    template <int bands>
    static constexpr unsigned alpha_of(const std::uint8_t* pixel) {
        return bands % 2 == 0 ? pixel[bands - 1] : 255;
    }

    template <int bands>
    void add_line(const std::uint8_t* line) {
        constexpr int g = bands < 3 ? 0 : 1;
        constexpr int b = bands < 3 ? 0 : 2;
        const auto sums_of = [](const std::uint8_t* p) {
            const double alpha = alpha_of<bands>(p);
            return Sums{p[0] * alpha, p[g] * alpha, p[b] * alpha, alpha};
        };
        for (int cell = 0; cell < across_.cells(); ++cell) {
            const int first = across_.first_pixel(cell);
            const int last = across_.last_pixel(cell);
            std::uint64_t red = 0;
            std::uint64_t green = 0;
            std::uint64_t blue = 0;
            std::uint64_t alpha = 0;
            for (int x = first + 1; x < last; ++x) {
                const std::uint8_t* p = line + x * bands;
                const unsigned a = alpha_of<bands>(p);
                red += p[0] * a;
                green += p[g] * a;
                blue += p[b] * a;
                alpha += a;
            }
            Sums sums{static_cast<double>(red), static_cast<double>(green), static_cast<double>(blue),
                      static_cast<double>(alpha)};
            // Neighbouring cells share the pixels at their ends.
            sums.add(sums_of(line + first * bands), across_.overlap(cell, first));
            if (last > first) {
                sums.add(sums_of(line + last * bands), across_.overlap(cell, last));
            }
            line_[static_cast<std::size_t>(cell)] = sums;
        }
        const std::uint8_t* const end = line + across_.last_pixel(across_.cells() - 1) * bands + bands;
        for (const std::uint8_t* p = line; p != end; p += bands) {
            histogram_.add(p[0], p[g], p[b], alpha_of<bands>(p));
        }
    }

    Pixels small() const {
        const double area = across_.area() * down_.area();
        const auto alpha_at = [&](const Sums& cell) { return to_byte(cell.alpha / area); };
        const bool transparent = std::any_of(cells_.begin(), cells_.end(),
                                             [&](const Sums& cell) { return alpha_at(cell) != 255; });
        const int colours = bands_ < 3 ? 1 : 3;
        const int bands = colours + (transparent ? 1 : 0);
        Pixels small = Pixels::blank({across_.cells(), down_.cells()}, bands);
        for (int y = 0; y < small.height(); ++y) {
            std::uint8_t* to = small.row(y);
            for (int x = 0; x < small.width(); ++x, to += bands) {
                const Sums& cell =
                    cells_[line_.size() * static_cast<std::size_t>(y) + static_cast<std::size_t>(x)];
                const Color color = cell.mean();
                const std::array<std::uint8_t, 3> values{color.r, color.g, color.b};
                std::copy_n(values.begin(), colours, to);
                if (transparent) {
                    to[colours] = alpha_at(cell);
                }
            }
        }
        return small;
    }

    int bands_;
    Axis across_, down_;
    std::vector<Sums> line_;   // of one line of pixels, by cell
    std::vector<Sums> cells_;  // line by line
    Histogram histogram_;
};

}  // namespace

Survey survey(const Extract& extract, Size size, const Cancellation& cancellation) {
    Surveyor surveyor(extract, size);
    each_line(extract.image, cancellation, strip_lines,
              [&surveyor](int y, const std::uint8_t* line) { surveyor.add(y, line); });
    return surveyor.result();
}

}  // namespace media
