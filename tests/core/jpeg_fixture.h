// JPEGs of every kind, and what comes of them.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <optional>
#include <random>
#include <vector>

#include <jpeglib.h>

#include "core/picture/failure.h"
#include "core/picture/jpeg_reader.h"

namespace media::testing {

using File = std::vector<std::uint8_t>;

/// How a JPEG is to be coded.
struct JpegKind {
    int width = 61, height = 43;
    int components = 3;
    int across = 2, down = 2;  ///< sampling of brightness; that of colour is 1
    int quality = 85;
    bool optimized = false, progressive = false, apart = false, coarse = false;  ///< coarse: 16-bit DQT
    unsigned restart = 0;                                                        ///< MCUs
    std::size_t extra = 0;                                                       ///< bytes of APP segments
};

/// Noise on soft shades, so that every size of coefficient and every run of zeros occurs.
inline File coded(const JpegKind& kind, unsigned seed = 1) {
    jpeg_compress_struct codec{};
    jpeg_error_mgr errors{};
    codec.err = jpeg_std_error(&errors);
    errors.emit_message = [](j_common_ptr, int) {};
    jpeg_create_compress(&codec);
    unsigned char* data = nullptr;
    unsigned long size = 0;
    jpeg_mem_dest(&codec, &data, &size);
    codec.image_width = static_cast<JDIMENSION>(kind.width);
    codec.image_height = static_cast<JDIMENSION>(kind.height);
    codec.input_components = kind.components;
    codec.in_color_space = kind.components == 1 ? JCS_GRAYSCALE : JCS_RGB;
    jpeg_set_defaults(&codec);
    jpeg_set_quality(&codec, kind.quality, TRUE);
    if (kind.coarse) {
        for (int i = 0; i < DCTSIZE2; ++i) {
            codec.quant_tbl_ptrs[1]->quantval[i] = static_cast<UINT16>(i < 6 ? 9 : 300 + i);
        }
    }
    codec.comp_info[0].h_samp_factor = kind.across;
    codec.comp_info[0].v_samp_factor = kind.down;
    codec.optimize_coding = kind.optimized ? TRUE : FALSE;
    codec.restart_interval = kind.restart;
    const std::array<jpeg_scan_info, 3> apart{
        {{1, {0}, 0, 63, 0, 0}, {1, {1}, 0, 63, 0, 0}, {1, {2}, 0, 63, 0, 0}}};
    if (kind.progressive) {
        jpeg_simple_progression(&codec);
    } else if (kind.apart) {
        codec.scan_info = apart.data();
        codec.num_scans = 3;
    }
    jpeg_start_compress(&codec, TRUE);
    for (std::size_t left = kind.extra; left > 0;) {
        const std::vector<JOCTET> bytes(std::min<std::size_t>(left, 65000), 0xFF);
        jpeg_write_marker(&codec, JPEG_APP0 + 5, bytes.data(), static_cast<unsigned>(bytes.size()));
        left -= bytes.size();
    }
    std::mt19937 random(seed);
    std::vector<JSAMPLE> line(static_cast<std::size_t>(kind.width * kind.components));
    for (int y = 0; y < kind.height; ++y) {
        for (std::size_t x = 0; x < line.size(); ++x) {
            const int shade = static_cast<int>((x * 3 + static_cast<std::size_t>(y) * 5) % 512) - 128;
            const bool rough = (x / 24 + static_cast<std::size_t>(y) / 20) % 3 == 0;
            line[x] = static_cast<JSAMPLE>(
                std::clamp(std::abs(shade) + static_cast<int>(random() % (rough ? 200 : 9)), 0, 255));
        }
        JSAMPROW row = line.data();
        jpeg_write_scanlines(&codec, &row, 1);
    }
    jpeg_finish_compress(&codec);
    jpeg_destroy_compress(&codec);
    File file(data, data + size);
    std::free(data);
    return file;
}

/// What came of reading a JPEG.
struct Outcome {
    bool opened = false;
    bool begun_by_skim = false, ended_by_skim = false;
    std::optional<Error> error;
    std::vector<JpegReader::Component> components;
    std::vector<std::vector<std::uint8_t>> planes;
};

inline Outcome outcome_of(ByteView file, JpegReader::By by, int shrink, bool halved = false,
                          FailOn fail_on = FailOn::truncated) {
    const Cancellation cancellation(Cancellation::Clock::now() + std::chrono::minutes(10));
    Outcome outcome;
    JpegReader reader(file, fail_on, cancellation, by);
    outcome.opened = reader.open();
    if (!outcome.opened) {
        return outcome;
    }
    try {
        bool first = true;
        const auto begin = [&] {
            const auto components = reader.scale(shrink, halved);
            outcome.components.assign(components.begin(), components.end());
            outcome.planes.assign(components.size(), {});
            outcome.ended_by_skim = reader.skims();
            outcome.begun_by_skim = first ? reader.skims() : outcome.begun_by_skim;
            first = false;
        };
        do {
            begin();
        } while (!reader.read(
            [&](int component, const std::uint8_t* line) {
                const auto i = static_cast<std::size_t>(component);
                outcome.planes[i].insert(outcome.planes[i].end(), line, line + outcome.components[i].width);
            },
            [] { return false; }));
    } catch (const Failure& failure) {
        outcome.error = failure.error;
    }
    return outcome;
}

}  // namespace media::testing
