#include "core/picture/png_writer.h"

#include <libdeflate.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <optional>
#include <vector>

#include "core/picture/failure.h"
#include "core/picture/png_filter.h"

namespace media {

namespace {

// Bytes of pixels: libdeflate takes up to 20 ns for each.
constexpr std::size_t most_bytes = std::size_t{16} << 20U;

// Of the pixels, what is tried in advance to learn how they are best written: bands of whole lines.
constexpr std::size_t sample_bytes = std::size_t{128} << 10U;
constexpr std::size_t sample_bands = 2;

// By how many per cent a sample may be wrong about the whole.
constexpr std::size_t sample_error = 3;

// So many times smaller than its pixels, a file is made both ways: a sample says little about the whole, and
// it does not take long.
constexpr std::size_t very_plain = 12;

constexpr int thorough_level = 7;
constexpr std::array<int, 3> filter_levels = {1, 4, thorough_level};

constexpr int lines_between_checks = 64;

struct Free {
    void operator()(libdeflate_compressor* compressor) const noexcept {
        libdeflate_free_compressor(compressor);
    }
    void operator()(void* memory) const noexcept { std::free(memory); }
};

[[noreturn]] void trouble() {
    fail(500, "the rendition cannot be written as png");
}

class Deflate {
  public:
    explicit Deflate(int level) : compressor_(libdeflate_alloc_compressor(level)) {
        if (!compressor_) {
            trouble();
        }
    }
    std::size_t bound(std::size_t count) const {
        return libdeflate_zlib_compress_bound(compressor_.get(), count);
    }
    std::size_t run(const std::vector<std::uint8_t>& from, std::uint8_t* to, std::size_t room) const {
        const std::size_t size =
            libdeflate_zlib_compress(compressor_.get(), from.data(), from.size(), to, room);
        if (size == 0) {
            trouble();
        }
        return size;
    }

  private:
    std::unique_ptr<libdeflate_compressor, Free> compressor_;
};

// All lines, each with the number of its filter before it.
std::vector<std::uint8_t> filtered(const Pixels& pixels, const Cancellation& cancellation) {
    const std::size_t count = pixels.row_bytes();
    std::vector<std::uint8_t> lines((count + 1) * static_cast<std::size_t>(pixels.height()));
    PngFilter filter(count, static_cast<std::size_t>(pixels.bands()));
    for (int y = 0; y < pixels.height(); ++y) {
        if (y % lines_between_checks == 0) {
            check(cancellation);
        }
        filter.apply(pixels.row(y), lines.data() + static_cast<std::size_t>(y) * (count + 1));
    }
    return lines;
}

void append_plain(const Pixels& pixels, int y, std::vector<std::uint8_t>& to) {
    to.push_back(0);
    to.insert(to.end(), pixels.row(y), pixels.row(y) + pixels.row_bytes());
}

std::vector<std::uint8_t> unfiltered(const Pixels& pixels) {
    std::vector<std::uint8_t> lines;
    lines.reserve((pixels.row_bytes() + 1) * static_cast<std::size_t>(pixels.height()));
    for (int y = 0; y < pixels.height(); ++y) {
        append_plain(pixels, y, lines);
    }
    return lines;
}

// Numbers of the lines that stand for all of them.
std::vector<int> sample_of(const Pixels& pixels) {
    const auto height = static_cast<std::size_t>(pixels.height());
    const std::size_t lines =
        std::clamp<std::size_t>(sample_bytes / (pixels.row_bytes() + 1), 1, (height + 2) / 3);
    const std::size_t bands = std::min(sample_bands, lines);
    std::vector<int> sample;
    for (std::size_t band = 0; band < bands; ++band) {
        const std::size_t count = (band + 1) * lines / bands - band * lines / bands;
        const std::size_t first = (2 * band + 1) * height / (2 * bands) - std::min(count / 2, height);
        for (std::size_t y = first; y < std::min(first + count, height); ++y) {
            sample.push_back(static_cast<int>(y));
        }
    }
    return sample;
}

// The level for filtered lines, or nothing where they are better left as they are. Of a sample, the least
// effort counts that makes no more of it than is made of it unfiltered: of photographs, filters do more than
// any search for repetitions; drawings often are better off without. `plainness` is how much smaller the
// sample has become unfiltered.
std::optional<int> filter_level(const Pixels& pixels, const std::vector<std::uint8_t>& filtered,
                                std::size_t& plainness) {
    const std::size_t line = pixels.row_bytes() + 1;
    std::vector<std::uint8_t> plain;
    std::vector<std::uint8_t> differences;
    for (const int y : sample_of(pixels)) {
        append_plain(pixels, y, plain);
        const auto from = filtered.begin() + static_cast<std::ptrdiff_t>(static_cast<std::size_t>(y) * line);
        differences.insert(differences.end(), from, from + static_cast<std::ptrdiff_t>(line));
    }
    const Deflate thorough(thorough_level);
    std::vector<std::uint8_t> out(thorough.bound(plain.size()));
    const std::size_t size = thorough.run(plain, out.data(), out.size());
    plainness = plain.size() / size;
    const std::size_t enough = size * 100 / (100 + sample_error);
    for (const int level : filter_levels) {
        if (Deflate(level).run(differences, out.data(), out.size()) <= enough) {
            return level;
        }
    }
    return std::nullopt;
}

std::uint8_t* put(std::uint8_t* to, std::uint32_t value) {
    for (int shift = 24; shift >= 0; shift -= 8) {
        *to++ = static_cast<std::uint8_t>(value >> static_cast<unsigned>(shift));
    }
    return to;
}

// Completes a chunk whose data lie eight bytes behind `at`; what comes after it.
std::uint8_t* finish_chunk(std::uint8_t* at, const char* type, std::size_t size) {
    std::memcpy(put(at, static_cast<std::uint32_t>(size)), type, 4);
    return put(at + 8 + size, libdeflate_crc32(0, at + 4, 4 + size));
}

}  // namespace

bool suits_write_png(Size size, int bands) {
    return static_cast<std::size_t>(size.width) * static_cast<std::size_t>(size.height) *
               static_cast<std::size_t>(bands) <=
           most_bytes;
}

Bytes write_png(const Pixels& pixels, const Cancellation& cancellation) {
    std::vector<std::uint8_t> lines = filtered(pixels, cancellation);
    std::size_t plainness = 1;
    const std::optional<int> level = filter_level(pixels, lines, plainness);
    std::vector<std::uint8_t> other;
    if (plainness >= very_plain) {
        other = unfiltered(pixels);
    } else if (!level) {
        lines = unfiltered(pixels);
    }
    check(cancellation);
    constexpr std::array<std::uint8_t, 8> signature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
    constexpr std::size_t head_size = 13;
    constexpr std::size_t chunk_frame = 12;
    constexpr std::array<std::uint8_t, 5> colour_types = {0, 0, 4, 2, 6};  // by bands
    const Deflate deflate(other.empty() ? level.value_or(thorough_level) : thorough_level);
    const std::size_t bound = deflate.bound(lines.size());
    const std::size_t room = signature.size() + 3 * chunk_frame + head_size + bound;
    std::unique_ptr<void, Free> file(std::malloc(room));
    if (!file) {
        throw std::bad_alloc();
    }
    auto* const start = static_cast<std::uint8_t*>(file.get());
    std::uint8_t* at = std::copy(signature.begin(), signature.end(), start);
    std::uint8_t* head = put(at + 8, static_cast<std::uint32_t>(pixels.width()));
    head = put(head, static_cast<std::uint32_t>(pixels.height()));
    *head++ = 8;
    *head++ = colour_types[static_cast<std::size_t>(pixels.bands())];
    std::fill_n(head, 3, std::uint8_t{0});
    at = finish_chunk(at, "IHDR", head_size);
    std::size_t size = deflate.run(lines, at + 8, bound);
    if (!other.empty()) {
        check(cancellation);
        std::vector<std::uint8_t> tried(bound);
        if (const std::size_t less = deflate.run(other, tried.data(), bound); less < size) {
            std::copy_n(tried.begin(), less, at + 8);
            size = less;
        }
    }
    at = finish_chunk(at, "IDAT", size);
    at = finish_chunk(at, "IEND", 0);
    const auto whole = static_cast<std::size_t>(at - start);
    // What was reserved for the worst case goes back.
    if (void* const fitting = std::realloc(file.get(), whole)) {
        static_cast<void>(file.release());
        file.reset(fitting);
    }
    return {file.release(), whole, std::free};
}

}  // namespace media
