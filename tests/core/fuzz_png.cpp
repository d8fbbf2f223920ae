// libFuzzer: what PngReader takes for sound, libpng reads as well, and to the same pixels.
#include <csetjmp>
#include <cstdlib>
#include <random>

#include <libdeflate.h>
#include <png.h>

#include "core/picture/failure.h"
#include "core/picture/png_reader.h"
#include "tests/core/png_fixture.h"

namespace media {
namespace {

constexpr std::uint64_t most_pixels = 100'000;

void demand(bool condition) {
    if (!condition) {
        std::abort();
    }
}

// Lines as PngReader hands them out, of a file by libpng. Nothing where it sees an error.
class ByLibpng {
  public:
    explicit ByLibpng(ByteView file) : left_(file) {}
    ~ByLibpng() { png_destroy_read_struct(&png_, &info_, nullptr); }
    ByLibpng(const ByLibpng&) = delete;
    ByLibpng& operator=(const ByLibpng&) = delete;

    bool read(std::size_t line_bytes, std::size_t lines) {
        png_ = png_create_read_struct(PNG_LIBPNG_VER_STRING, nullptr, nullptr, on_warning);
        info_ = png_create_info_struct(png_);
        pixels_.resize(line_bytes * lines);
        if (setjmp(png_jmpbuf(png_)) != 0) {
            return false;
        }
        png_set_read_fn(png_, this, on_read);
        // A window that is announced smaller than it is harms nobody.
        png_set_option(png_, PNG_MAXIMUM_INFLATE_WINDOW, PNG_OPTION_ON);
        png_read_info(png_, info_);
        png_set_palette_to_rgb(png_);
        if (png_get_valid(png_, info_, PNG_INFO_tRNS) != 0) {
            png_set_tRNS_to_alpha(png_);
        }
        png_read_update_info(png_, info_);
        if (png_get_rowbytes(png_, info_) != line_bytes || png_get_image_height(png_, info_) != lines) {
            return false;
        }
        for (std::size_t y = 0; y < lines; ++y) {
            png_read_row(png_, pixels_.data() + y * line_bytes, nullptr);
        }
        png_read_end(png_, nullptr);
        return true;
    }

    const File& pixels() const { return pixels_; }

  private:
    static void on_warning(png_structp /*png*/, png_const_charp /*message*/) {}

    static void on_read(png_structp png, png_bytep to, std::size_t count) {
        auto* const self = static_cast<ByLibpng*>(png_get_io_ptr(png));
        if (count > self->left_.size()) {
            png_error(png, "the file ends");
        }
        std::copy_n(self->left_.data(), count, to);
        self->left_ = self->left_.subspan(count);
    }

    ByteView left_;
    png_structp png_ = nullptr;
    png_infop info_ = nullptr;
    File pixels_;
};

void try_out(ByteView file) {
    PngReader reader(file);
    if (!reader.open()) {
        return;
    }
    const auto width = static_cast<std::size_t>(reader.size().width);
    const auto height = static_cast<std::size_t>(reader.size().height);
    if (std::uint64_t{width} * height > most_pixels) {
        return;
    }
    const std::size_t line_bytes = width * static_cast<std::size_t>(reader.bands());
    File pixels;
    const Cancellation cancellation(Cancellation::Clock::now() + std::chrono::minutes(1));
    const auto keep = [&](const std::uint8_t* line) {
        pixels.insert(pixels.end(), line, line + line_bytes);
        return true;
    };
    if (!reader.read(keep, cancellation)) {
        return;
    }
    ByLibpng libpng(file);
    demand(libpng.read(line_bytes, height));
    demand(libpng.pixels() == pixels);
}

File deflated(const File& bytes, int level) {
    auto* const compressor = libdeflate_alloc_compressor(level);
    File to(libdeflate_zlib_compress_bound(compressor, bytes.size()));
    to.resize(libdeflate_zlib_compress(compressor, bytes.data(), bytes.size(), to.data(), to.size()));
    libdeflate_free_compressor(compressor);
    return to;
}

// At most so many bytes; nothing where there are none to be had.
File inflated(const File& bytes, std::size_t most) {
    auto* const decompressor = libdeflate_alloc_decompressor();
    File to(most);
    std::size_t made = 0;
    const auto result =
        libdeflate_zlib_decompress(decompressor, bytes.data(), bytes.size(), to.data(), to.size(), &made);
    libdeflate_free_decompressor(decompressor);
    to.resize(result == LIBDEFLATE_SUCCESS ? made : 0);
    return to;
}

File sample(unsigned seed) {
    std::minstd_rand random(seed);
    constexpr std::array<std::uint8_t, 5> types = {0, 2, 3, 4, 6};
    constexpr std::array<std::size_t, 5> bytes_of_a_pixel = {1, 3, 1, 2, 4};
    const std::size_t kind = random() % types.size();
    const std::uint32_t width = 1 + random() % 70;
    const std::uint32_t height = 1 + random() % 20;
    std::vector<PngChunk> chunks{png_head(width, height, types[kind])};
    unsigned colours = 256;
    if (types[kind] == 3) {
        colours = 1 + static_cast<unsigned>(random() % 256);
        PngChunk palette{"PLTE", File(std::size_t{3} * colours)};
        std::generate(palette.data.begin(), palette.data.end(),
                      [&] { return static_cast<std::uint8_t>(random()); });
        chunks.push_back(palette);
        if (random() % 2 == 0) {
            chunks.push_back({"tRNS", File(1 + random() % colours, static_cast<std::uint8_t>(random()))});
        }
    }
    File lines;
    for (std::uint32_t y = 0; y < height; ++y) {
        // An index that is filtered may be any.
        lines.push_back(types[kind] == 3 ? 0 : static_cast<std::uint8_t>(random() % 5));
        for (std::size_t x = 0; x < width * bytes_of_a_pixel[kind]; ++x) {
            lines.push_back(static_cast<std::uint8_t>(random() % 4 == 0 ? random() % colours : x % colours));
        }
    }
    const File stream =
        random() % 4 == 0 ? stored(lines) : deflated(lines, static_cast<int>(1 + random() % 12));
    const std::size_t cut = random() % 2 == 0 ? stream.size() : random() % (stream.size() + 1);
    const auto middle = stream.begin() + static_cast<std::ptrdiff_t>(cut);
    chunks.push_back({"IDAT", {stream.begin(), middle}});
    chunks.push_back({"IDAT", {middle, stream.end()}});
    chunks.push_back({"IEND", {}});
    return png_of(chunks);
}

}  // namespace
}  // namespace media

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    media::try_out({data, size});
    return 0;
}

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

// There are no files to begin with: from time to time, a sound one is made. Most changes are made behind what
// checksums protect, some of them to what is deflated.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most,
                                               unsigned seed) {
    using media::File;
    const auto put = [&](const File& file) {
        if (file.size() > most) {
            return LLVMFuzzerMutate(data, size, most);
        }
        std::copy(file.begin(), file.end(), data);
        return file.size();
    };
    if (size < 60 || seed % 512 == 0) {
        return put(media::sample(seed / 512));
    }
    if (seed % 8 == 1) {
        return LLVMFuzzerMutate(data, size, most);
    }
    auto chunks = media::chunks_of(File(data, data + size));
    if (chunks.empty()) {
        return LLVMFuzzerMutate(data, size, most);
    }
    media::PngChunk& chunk = chunks[seed / 8 % chunks.size()];
    const bool deflated = chunk.type == "IDAT" && seed % 3 != 0;
    File bytes = deflated ? media::inflated(chunk.data, 1 << 18U) : chunk.data;
    const std::size_t before = bytes.size();
    bytes.resize(before + 64);
    bytes.resize(LLVMFuzzerMutate(bytes.data(), before, bytes.size()));
    chunk.data = deflated ? media::deflated(bytes, static_cast<int>(1 + seed % 9)) : bytes;
    return put(media::png_of(chunks));
}
