#include "core/picture/png_reader.h"

#include <isa-l/crc.h>
#include <isa-l/igzip_lib.h>

#include <algorithm>
#include <cstring>

#include "core/picture/failure.h"
#include "core/picture/png_filter.h"

namespace media {

namespace {

// PNG specification (third edition), sections 5 and 11.
constexpr std::array<std::uint8_t, 8> signature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};
constexpr std::size_t chunk_frame = 12;
constexpr std::uint32_t longest_chunk = 0x7FFFFFFF;
constexpr std::uint32_t head = 0x49484452, palette = 0x504C5445, transparency = 0x74524E53, data = 0x49444154,
                        end = 0x49454E44;
constexpr std::uint32_t ancillary = 0x20000000;  // of a type: may be passed over
constexpr int gray = 0, rgb = 2, indexed = 3, gray_alpha = 4, rgb_alpha = 6;

// What is inflated at a time, at least a line: it stays in the processor's cache.
constexpr std::size_t at_once = std::size_t{128} << 10U;

std::uint32_t big_endian(const std::uint8_t* p) {
    return std::uint32_t{p[0]} << 24U | std::uint32_t{p[1]} << 16U | std::uint32_t{p[2]} << 8U |
           std::uint32_t{p[3]};
}

int bands_of(int colour_type) {
    switch (colour_type) {
        case gray:
            return 1;
        case gray_alpha:
            return 2;
        case rgb:
        case indexed:
            return 3;
        case rgb_alpha:
            return 4;
        default:
            return 0;
    }
}

}  // namespace

PngReader::PngReader(ByteView file) : file_(file) {}

PngReader::~PngReader() = default;

bool PngReader::next_chunk(Chunk& chunk) {
    if (file_.size() - at_ < chunk_frame) {
        return false;
    }
    const std::uint8_t* const start = file_.data() + at_;
    const std::uint32_t length = big_endian(start);
    if (length > longest_chunk || length > file_.size() - at_ - chunk_frame ||
        crc32_gzip_refl(0, start + 4, std::uint64_t{4} + length) != big_endian(start + 8 + length)) {
        return false;
    }
    const auto letter = [](std::uint8_t c) { return (c | 0x20U) >= 'a' && (c | 0x20U) <= 'z'; };
    if (!std::all_of(start + 4, start + 8, letter)) {
        return false;
    }
    chunk = {big_endian(start + 4), {start + 8, length}};
    at_ += chunk_frame + length;
    return true;
}

bool PngReader::read_head(ByteView bytes) {
    constexpr std::size_t size = 13;
    constexpr std::uint32_t longest_side = 0x7FFFFFFF;
    if (bytes.size() != size) {
        return false;
    }
    const std::uint32_t width = big_endian(bytes.data());
    const std::uint32_t height = big_endian(bytes.data() + 4);
    if (width == 0 || height == 0 || width > longest_side || height > longest_side) {
        return false;
    }
    size_ = {static_cast<int>(width), static_cast<int>(height)};
    colour_type_ = bytes[9];
    bands_ = bands_of(colour_type_);
    step_ = colour_type_ == indexed ? 1 : static_cast<std::size_t>(bands_);
    line_bytes_ = step_ * width;
    const bool plain = bytes[10] == 0 && bytes[11] == 0 && bytes[12] == 0;
    return bytes[8] == 8 && bands_ != 0 && plain;
}

bool PngReader::read_palette(ByteView bytes) {
    if (bytes.size() % 3 != 0 || bytes.empty() || bytes.size() > std::size_t{3} * 256 || palette_size_ != 0) {
        return false;
    }
    if (colour_type_ != indexed) {
        return colour_type_ == rgb || colour_type_ == rgb_alpha;  // a suggestion
    }
    palette_size_ = static_cast<int>(bytes.size() / 3);
    for (std::size_t i = 0; i < bytes.size() / 3; ++i) {
        std::copy_n(bytes.data() + 3 * i, 3, palette_.data() + 4 * i);
        palette_[4 * i + 3] = 255;
    }
    return true;
}

bool PngReader::read_transparency(ByteView bytes) {
    // In gray and RGB it names a colour.
    if (colour_type_ != indexed || palette_size_ == 0 || bytes.empty() || bands_ == 4 ||
        bytes.size() > static_cast<std::size_t>(palette_size_)) {
        return false;
    }
    for (std::size_t i = 0; i < bytes.size(); ++i) {
        palette_[4 * i + 3] = bytes[i];
    }
    bands_ = 4;
    return true;
}

bool PngReader::open() {
    if (file_.size() < signature.size() || !std::equal(signature.begin(), signature.end(), file_.begin())) {
        return false;
    }
    at_ = signature.size();
    Chunk chunk;
    if (!next_chunk(chunk) || chunk.type != head || !read_head(chunk.data)) {
        return false;
    }
    while (next_chunk(chunk)) {
        if (chunk.type == data) {
            data_ = chunk;
            return colour_type_ != indexed || palette_size_ != 0;
        }
        const bool known = chunk.type == palette        ? read_palette(chunk.data)
                           : chunk.type == transparency ? read_transparency(chunk.data)
                                                        : (chunk.type & ancillary) != 0;
        if (!known) {
            return false;
        }
    }
    return false;
}

// Exactly so many bytes. With none, whether the stream has ended well.
bool PngReader::inflate(std::uint8_t* to, std::size_t count) {
    std::uint8_t beyond = 0;
    const bool to_its_end = count == 0;
    stream_->next_out = to_its_end ? &beyond : to;
    while (to_its_end ? stream_->block_state != ISAL_BLOCK_FINISH : count > 0) {
        const auto room = static_cast<std::uint32_t>(
            std::min<std::size_t>(std::max<std::size_t>(count, 1), std::uint32_t{1} << 30U));
        stream_->avail_out = room;
        const std::uint32_t before = stream_->avail_in;
        if (const int result = isal_inflate(stream_.get());
            result != ISAL_DECOMP_OK && result != ISAL_END_INPUT) {
            return false;
        }
        const std::uint32_t made = room - stream_->avail_out;
        if (made > count) {
            return false;  // more than was announced
        }
        count -= made;
        if (made > 0 || stream_->avail_in != before) {
            continue;
        }
        Chunk chunk;
        if (stream_->avail_in != 0 || stream_->block_state == ISAL_BLOCK_FINISH || !next_chunk(chunk) ||
            chunk.type != data) {
            return false;
        }
        // Not written to, whatever its type says.
        stream_->next_in = const_cast<std::uint8_t*>(chunk.data.data());
        stream_->avail_in = static_cast<std::uint32_t>(chunk.data.size());
    }
    return true;
}

bool PngReader::ends_well() {
    if (!inflate(nullptr, 0) || stream_->avail_in != 0) {
        return false;
    }
    Chunk chunk;
    while (next_chunk(chunk)) {
        if (chunk.type == end) {
            return chunk.data.empty();
        }
        if ((chunk.type & ancillary) == 0) {
            return false;
        }
    }
    return false;
}

const std::uint8_t* PngReader::expanded(const std::uint8_t* line) {
    if (colour_type_ != indexed) {
        return line;
    }
    const auto bands = static_cast<std::size_t>(bands_);
    std::uint8_t* to = expanded_.data();
    int highest = 0;
    for (std::size_t x = 0; x < line_bytes_; ++x, to += bands) {
        highest = std::max<int>(highest, line[x]);
        // The fourth byte is overwritten by the next pixel, or not looked at.
        std::memcpy(to, palette_.data() + std::size_t{4} * line[x], 4);
    }
    return highest < palette_size_ ? expanded_.data() : nullptr;
}

bool PngReader::read(const std::function<bool(const std::uint8_t* line)>& use,
                     const Cancellation& cancellation) {
    // igzip takes windows of more than 32 KB for good, which zlib does not (RFC 1950, section 2.2).
    constexpr unsigned largest_window = 7;
    while (data_.data.empty()) {
        if (!next_chunk(data_) || data_.type != data) {
            return false;
        }
    }
    if (data_.data.front() >> 4U > largest_window) {
        return false;
    }
    stream_ = std::make_unique<inflate_state>();
    isal_inflate_init(stream_.get());
    stream_->crc_flag = ISAL_ZLIB;
    stream_->next_in = const_cast<std::uint8_t*>(data_.data.data());
    stream_->avail_in = static_cast<std::uint32_t>(data_.data.size());
    const std::size_t coded_bytes = line_bytes_ + 1;
    const int height = size_.height;
    const int lines_at_once =
        static_cast<int>(std::clamp<std::size_t>(at_once / coded_bytes, 1, static_cast<std::size_t>(height)));
    std::vector<std::uint8_t> coded(static_cast<std::size_t>(lines_at_once) * coded_bytes + png_filter_room);
    std::vector<std::uint8_t> lines(2 * (line_bytes_ + png_filter_room));
    std::uint8_t* line = lines.data();
    std::uint8_t* above = line + line_bytes_ + png_filter_room;
    if (colour_type_ == indexed) {
        expanded_.resize(line_bytes_ * static_cast<std::size_t>(bands_) + 1);
    }
    for (int top = 0; top < height; top += lines_at_once) {
        check(cancellation);
        const int count = std::min(lines_at_once, height - top);
        if (!inflate(coded.data(), static_cast<std::size_t>(count) * coded_bytes)) {
            return false;
        }
        for (int y = 0; y < count; ++y) {
            const std::uint8_t* const from = coded.data() + static_cast<std::size_t>(y) * coded_bytes;
            if (*from >= png_filters) {
                return false;
            }
            undo_png_filter(*from, step_, from + 1, above, line_bytes_, line);
            const std::uint8_t* const pixels = expanded(line);
            if (pixels == nullptr) {
                return false;
            }
            if (!use(pixels) && top + y + 1 < height) {
                return true;
            }
            std::swap(line, above);
        }
    }
    return ends_well();
}

}  // namespace media
