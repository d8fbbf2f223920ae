// JPEGs of every kind, and what comes of them.
#pragma once

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <limits>
#include <numbers>
#include <optional>
#include <random>
#include <vector>

#include <jpeglib.h>

#include "core/picture/failure.h"
#include "core/picture/jpeg_reader.h"
#include "core/picture/jpeg_trouble.h"

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

inline void silence(j_common_ptr /*codec*/, int /*level*/) {}

/// Noise on soft shades, so that every size of coefficient and every run of zeros occurs.
inline File coded(const JpegKind& kind, unsigned seed = 1) {
    jpeg_compress_struct codec{};
    jpeg_error_mgr errors{};
    codec.err = jpeg_std_error(&errors);
    errors.emit_message = silence;
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

/// Where its scans begin.
inline std::vector<std::size_t> scans_of(const File& file) {
    std::vector<std::size_t> scans;
    for (std::size_t at = 0; at + 1 < file.size(); ++at) {
        if (file[at] == 0xFF && file[at + 1] == 0xDA) {
            scans.push_back(at);
        }
    }
    return scans;
}

/// What came of reading a JPEG.
struct Outcome {
    bool opened = false;
    bool begun_by_skim = false, ended_by_skim = false;
    std::optional<Error> error;
    std::vector<JpegReader::Component> components;
    std::vector<std::vector<std::uint8_t>> planes;
};

/// `lines` of the first plane are enough.
inline Outcome outcome_of(ByteView file, JpegReader::By by, int shrink, FailOn fail_on = FailOn::truncated,
                          std::size_t lines = std::numeric_limits<std::size_t>::max()) {
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
            const auto components = reader.scale(shrink);
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
            [&] {
                const auto width = static_cast<std::size_t>(outcome.components[0].width);
                return outcome.planes[0].size() / width >= lines;
            }));
    } catch (const Failure& failure) {
        outcome.error = failure.error;
    }
    return outcome;
}

/// Blocks with more in them than samples of 8 bits can have are of no picture, and come out somehow.
inline constexpr double most_sense = 2047 / (2 * std::numbers::sqrt2);
inline constexpr double nonsense = -1;

/// The planes by definition (ITU-T T.81, A.3.3, with 8 replaced by the size of a block), from coefficients as
/// libjpeg reads them; none where it cannot, be it for what JpegReader has no need of.
inline std::vector<std::vector<double>> exact_planes(const File& file, const Outcome& outcome, bool sound) {
    jpeg_decompress_struct codec{};
    JpegTrouble trouble{};
    jvirt_barray_ptr* arrays = nullptr;
    codec.err = prepare(trouble, false);
    const bool readable = guarded(trouble, [&] {
        jpeg_create_decompress(&codec);
        jpeg_mem_src(&codec, file.data(), file.size());
        jpeg_read_header(&codec, TRUE);
        arrays = jpeg_read_coefficients(&codec);
        return true;
    });
    if (!readable) {
        jpeg_destroy_decompress(&codec);
        return {};
    }
    std::vector<std::vector<double>> planes;
    for (int i = 0; i < codec.num_components; ++i) {
        const jpeg_component_info& c = codec.comp_info[i];
        const JpegReader::Component& component = outcome.components[static_cast<std::size_t>(i)];
        const int size =
            static_cast<int>(std::lround(component.across * 8 * codec.max_h_samp_factor / c.h_samp_factor));
        double wave[8][8] = {};
        for (int k = 0; k < size; ++k) {
            for (int at = 0; at < size; ++at) {
                wave[at][k] =
                    k == 0 ? 1
                           : std::numbers::sqrt2 * std::cos((2 * at + 1) * k * std::numbers::pi / (2 * size));
            }
        }
        std::vector<double> plane(static_cast<std::size_t>(component.width) *
                                  static_cast<std::size_t>(component.height));
        for (JDIMENSION row = 0; row < c.height_in_blocks; ++row) {
            JBLOCKARRAY blocks = codec.mem->access_virt_barray(reinterpret_cast<j_common_ptr>(&codec),
                                                               arrays[i], row, 1, FALSE);
            for (JDIMENSION column = 0; column < c.width_in_blocks; ++column) {
                double waves[8][8] = {};  // how much there is of each
                double all = 0;
                for (int v = 0; v < size; ++v) {
                    for (int u = 0; u < size; ++u) {
                        waves[v][u] =
                            blocks[0][column][v * 8 + u] *
                            (c.quant_table == nullptr
                                 ? 0.0
                                 : static_cast<double>(c.quant_table->quantval[v * 8 + u]));
                        all += std::abs(waves[v][u]);
                    }
                }
                for (int y = 0; y < size; ++y) {
                    for (int x = 0; x < size; ++x) {
                        const int to_x = static_cast<int>(column) * size + x;
                        const int to_y = static_cast<int>(row) * size + y;
                        if (to_x >= component.width || to_y >= component.height) {
                            continue;
                        }
                        double sum = 0;
                        for (int v = 0; v < size; ++v) {
                            for (int u = 0; u < size; ++u) {
                                sum += wave[x][u] * wave[y][v] * waves[v][u];
                            }
                        }
                        plane[static_cast<std::size_t>(to_y) * static_cast<std::size_t>(component.width) +
                              static_cast<std::size_t>(to_x)] = !sound && size > 1 && all > most_sense
                                                                    ? nonsense
                                                                    : std::clamp(sum / 8 + 128, 0.0, 255.0);
                    }
                }
            }
        }
        planes.push_back(std::move(plane));
    }
    jpeg_finish_decompress(&codec);
    jpeg_destroy_decompress(&codec);
    return planes;
}

/// Rounding to 8 bits is half of one.
inline constexpr double most_error = 0.6;

/// How far samples are off, by plane; more than 255 where their number is. `sound`: it is a picture.
inline std::vector<double> errors_of(const File& file, const Outcome& outcome, bool sound) {
    const auto exact = exact_planes(file, outcome, sound);
    std::vector<double> errors;
    for (std::size_t i = 0; i < exact.size(); ++i) {
        if (i >= outcome.planes.size() || outcome.planes[i].size() != exact[i].size()) {
            return std::vector<double>(exact.size(), 1000);
        }
        double& most = errors.emplace_back(0);
        for (std::size_t k = 0; k < exact[i].size(); ++k) {
            if (exact[i][k] != nonsense) {
                most = std::max(most, std::abs(outcome.planes[i][k] - exact[i][k]));
            }
        }
    }
    return errors;
}

}  // namespace media::testing
