// PNG files taken apart, changed and put together again.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <string>
#include <vector>

namespace media {

using File = std::vector<std::uint8_t>;

inline std::uint32_t png_crc(const File& bytes) {
    std::uint32_t crc = 0xFFFFFFFF;
    for (const std::uint8_t byte : bytes) {
        crc ^= byte;
        for (int bit = 0; bit < 8; ++bit) {
            crc = crc >> 1U ^ ((crc & 1U) != 0 ? 0xEDB88320U : 0);
        }
    }
    return ~crc;
}

inline void append(File& to, const File& what) {
    to.insert(to.end(), what.begin(), what.end());
}

inline File big_endian(std::uint32_t value) {
    return {static_cast<std::uint8_t>(value >> 24U), static_cast<std::uint8_t>(value >> 16U),
            static_cast<std::uint8_t>(value >> 8U), static_cast<std::uint8_t>(value)};
}

struct PngChunk {
    std::string type;
    File data;
};

inline const File png_signature = {0x89, 'P', 'N', 'G', '\r', '\n', 0x1A, '\n'};

inline File png_of(const std::vector<PngChunk>& chunks) {
    File file = png_signature;
    for (const PngChunk& chunk : chunks) {
        File body(chunk.type.begin(), chunk.type.end());
        append(body, chunk.data);
        append(file, big_endian(static_cast<std::uint32_t>(chunk.data.size())));
        append(file, body);
        append(file, big_endian(png_crc(body)));
    }
    return file;
}

/// IDATs become one.
inline std::vector<PngChunk> chunks_of(const File& file) {
    std::vector<PngChunk> chunks;
    for (std::size_t at = 8; at + 12 <= file.size();) {
        const std::size_t length = std::size_t{file[at]} << 24U | std::size_t{file[at + 1]} << 16U |
                                   std::size_t{file[at + 2]} << 8U | file[at + 3];
        if (length > file.size() - at - 12) {
            break;
        }
        const auto* const start = file.data() + at + 8;
        const std::string type(reinterpret_cast<const char*>(start) - 4, 4);
        if (type == "IDAT" && !chunks.empty() && chunks.back().type == type) {
            append(chunks.back().data, {start, start + length});
        } else {
            chunks.push_back({type, {start, start + length}});
        }
        at += 12 + length;
    }
    return chunks;
}

/// A zlib stream (RFC 1950) of stored blocks (RFC 1951).
inline File stored(const File& bytes) {
    File stream = {0x78, 0x01};
    std::uint32_t a = 1;
    std::uint32_t b = 0;
    for (const std::uint8_t byte : bytes) {
        a = (a + byte) % 65521;
        b = (b + a) % 65521;
    }
    std::size_t at = 0;
    do {
        const std::size_t count = std::min<std::size_t>(bytes.size() - at, 0xFFFF);
        const bool last = at + count == bytes.size();
        append(stream, {static_cast<std::uint8_t>(last ? 1 : 0), static_cast<std::uint8_t>(count),
                        static_cast<std::uint8_t>(count >> 8U), static_cast<std::uint8_t>(~count),
                        static_cast<std::uint8_t>(~count >> 8U)});
        stream.insert(stream.end(), bytes.begin() + static_cast<std::ptrdiff_t>(at),
                      bytes.begin() + static_cast<std::ptrdiff_t>(at + count));
        at += count;
    } while (at < bytes.size());
    append(stream, big_endian(b << 16U | a));
    return stream;
}

inline PngChunk png_head(std::uint32_t width, std::uint32_t height, std::uint8_t colour_type,
                         std::uint8_t bits = 8) {
    PngChunk head{"IHDR", big_endian(width)};
    append(head.data, big_endian(height));
    append(head.data, {bits, colour_type, 0, 0, 0});
    return head;
}

}  // namespace media
