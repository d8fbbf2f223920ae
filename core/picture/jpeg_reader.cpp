#include "core/picture/jpeg_reader.h"

#include <algorithm>
#include <csetjmp>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <vector>

#include <jerror.h>
#include <jpeglib.h>

#include "core/picture/failure.h"
#include "core/picture/jpeg_blocks.h"
#include "core/picture/jpeg_scans.h"
#include "core/picture/jpeg_skim.h"
#include "core/picture/jpeg_trouble.h"

namespace media {

namespace {

// Called often while scans are read, which for a progressive JPEG is most of the work.
struct Progress {
    jpeg_progress_mgr manager;
    const Cancellation* cancellation;
    unsigned calls;
};

void on_progress(j_common_ptr codec) {
    auto* progress = reinterpret_cast<Progress*>(codec->progress);
    if (progress->cancellation->should_stop()) {
        leave(codec);
    }
}

// The whole file is there: what is asked for beyond it is its end, or a sign that it was cut off.
struct Input {
    jpeg_source_mgr manager;
    bool whole_wanted;
    std::span<const ByteView> pieces;  // to come
};

constexpr std::array<JOCTET, 2> end_of_image{0xFF, JPEG_EOI};

void on_source(j_decompress_ptr /*codec*/) {}

boolean on_empty(j_decompress_ptr codec) {
    auto* input = reinterpret_cast<Input*>(codec->src);
    if (!input->pieces.empty()) {
        codec->src->next_input_byte = input->pieces.front().data();
        codec->src->bytes_in_buffer = input->pieces.front().size();
        input->pieces = input->pieces.subspan(1);
        return TRUE;
    }
    if (input->whole_wanted) {
        ERREXIT(codec, JERR_INPUT_EOF);
    }
    codec->src->next_input_byte = end_of_image.data();
    codec->src->bytes_in_buffer = end_of_image.size();
    return TRUE;
}

void on_skip(j_decompress_ptr codec, long count) {
    if (count <= 0) {
        return;
    }
    jpeg_source_mgr* source = codec->src;
    if (static_cast<std::size_t>(count) > source->bytes_in_buffer) {
        (void)on_empty(codec);
        return;
    }
    source->next_input_byte += count;
    source->bytes_in_buffer -= static_cast<std::size_t>(count);
}

// YCbCr or gray, and nothing that a program would have to know more about to take for sRGB.
bool plain(const jpeg_decompress_struct& codec) {
    if (codec.data_precision != 8 || codec.arith_code != 0) {
        return false;
    }
    if (codec.jpeg_color_space == JCS_GRAYSCALE) {
        return codec.num_components == 1;
    }
    if (codec.jpeg_color_space != JCS_YCbCr || codec.num_components != 3) {
        return false;
    }
    const jpeg_component_info* const c = codec.comp_info;
    // The planes of colour: alike, and no finer than that of brightness.
    return c[0].h_samp_factor == codec.max_h_samp_factor && c[0].v_samp_factor == codec.max_v_samp_factor &&
           c[1].h_samp_factor == c[2].h_samp_factor && c[1].v_samp_factor == c[2].v_samp_factor &&
           codec.max_h_samp_factor % c[1].h_samp_factor == 0 &&
           codec.max_v_samp_factor % c[1].v_samp_factor == 0;
}

}  // namespace

struct JpegReader::State {
    jpeg_decompress_struct codec{};
    JpegTrouble trouble{};
    Progress progress{};
    Input input{};
    ByteView bytes;
    const Cancellation* cancellation = nullptr;
    bool made = false;
    FailOn fail_on = FailOn::truncated;
    By by = By::any;
    std::unique_ptr<JpegSkim> skim;
    std::vector<ByteView> pieces;  // of the original, where not all of it is needed
    std::array<Component, 3> components{};
    std::array<std::vector<std::uint8_t>, 3> bands;  // one row of MCUs
    std::array<std::vector<JSAMPROW>, 3> rows;
    std::array<JSAMPARRAY, 3> planes{};
    std::array<int, 3> sizes{};        // of blocks
    std::optional<JpegBlocks> blocks;  // where the transform is ours
    std::array<std::size_t, 3> strides{};
    JDIMENSION bands_done = 0;

    // Several scans mean that all coefficients are in memory anyway.
    bool transforms() const noexcept {
        return by == By::any && jpeg_has_multiple_scans(const_cast<jpeg_decompress_struct*>(&codec)) != 0;
    }

    // Whether libjpeg's transform would have to make up for what was not read; of what was left out on
    // purpose nothing is missed.
    bool lacks_detail() const noexcept {
        return pieces.empty() && (codec.err->num_warnings != 0 || !is_complete(codec));
    }

    // Back to behind the header, with none of the tables that came since.
    bool begin_again() noexcept {
        blocks.reset();
        jpeg_destroy_decompress(&codec);
        made = false;
        input.manager.next_input_byte = bytes.data();
        input.manager.bytes_in_buffer = bytes.size();
        return read_header();
    }

    bool read_header() noexcept {
        return guarded(trouble, [this] {
            jpeg_create_decompress(&codec);
            made = true;
            codec.progress = &progress.manager;
            codec.src = &input.manager;
            return jpeg_read_header(&codec, TRUE) == JPEG_HEADER_OK;
        });
    }

    bool begin() noexcept {
        return guarded(trouble, [this] { return jpeg_start_decompress(&codec) != 0; });
    }

    bool read_coefficients() {
        jvirt_barray_ptr* coefficients = nullptr;
        const bool read = guarded(trouble, [&] {
            coefficients = jpeg_read_coefficients(&codec);
            return coefficients != nullptr;
        });
        if (read) {
            blocks.emplace(codec, coefficients, sizes);
            bands_done = 0;
        }
        return read;
    }

    bool transform_band() noexcept {
        return guarded(trouble, [this] {
            for (std::size_t i = 0; i < static_cast<std::size_t>(codec.num_components); ++i) {
                const jpeg_component_info& c = codec.comp_info[i];
                const auto down = static_cast<JDIMENSION>(c.v_samp_factor);
                for (JDIMENSION row = 0; row < down; ++row) {
                    const JDIMENSION line = bands_done * down + row;
                    if (line < c.height_in_blocks) {
                        blocks->transform(i, line, rows[i][row * static_cast<JDIMENSION>(sizes[i])],
                                          strides[i]);
                    }
                }
            }
            ++bands_done;
            return true;
        });
    }

    bool next_band() noexcept {
        if (blocks) {
            return transform_band();
        }
        return guarded(trouble, [this] {
            const auto lines = static_cast<JDIMENSION>(codec.max_v_samp_factor * codec.min_DCT_scaled_size);
            return jpeg_read_raw_data(&codec, planes.data(), lines) != 0;
        });
    }

    bool lines_left() const noexcept {
        return blocks ? bands_done < codec.total_iMCU_rows : codec.output_scanline < codec.output_height;
    }

    bool end() noexcept {
        return guarded(trouble, [this] { return jpeg_finish_decompress(&codec) != 0; });
    }
};

JpegReader::JpegReader(ByteView bytes, FailOn fail_on, const Cancellation& cancellation, By by)
    : state_(std::make_unique<State>()) {
    State& s = *state_;
    s.codec.err = prepare(s.trouble, fail_on == FailOn::warning);
    s.bytes = bytes;
    s.cancellation = &cancellation;
    s.fail_on = fail_on;
    s.by = by;
    s.progress.manager.progress_monitor = on_progress;
    s.progress.cancellation = &cancellation;
    s.input.manager.next_input_byte = bytes.data();
    s.input.manager.bytes_in_buffer = bytes.size();
    s.input.manager.init_source = on_source;
    s.input.manager.fill_input_buffer = on_empty;
    s.input.manager.skip_input_data = on_skip;
    s.input.manager.resync_to_restart = jpeg_resync_to_restart;
    s.input.manager.term_source = on_source;
    s.input.whole_wanted = fail_on != FailOn::none;
}

JpegReader::~JpegReader() {
    if (state_->made) {
        jpeg_destroy_decompress(&state_->codec);
    }
}

bool JpegReader::skims() const noexcept {
    return state_->skim != nullptr;
}

bool JpegReader::open() {
    return state_->read_header() && plain(state_->codec);
}

std::span<const JpegReader::Component> JpegReader::scale(int shrink) {
    State& s = *state_;
    s.codec.scale_num = 8 / static_cast<unsigned>(shrink);
    s.codec.scale_denom = 8;
    s.codec.raw_data_out = TRUE;
    s.codec.do_fancy_upsampling = FALSE;
    s.codec.dct_method = JDCT_ISLOW;
    jpeg_calc_output_dimensions(&s.codec);
    const auto count = static_cast<std::size_t>(s.codec.num_components);
    const std::span<const jpeg_component_info> infos(s.codec.comp_info, count);
    std::array<int, 3>& sizes = s.sizes;
    for (std::size_t i = 0; i < count; ++i) {
        sizes[i] = infos[i].DCT_scaled_size;
    }
    if (s.by == By::any) {
        s.skim = JpegSkim::of(s.codec, sizes, {s.codec.src->next_input_byte, s.codec.src->bytes_in_buffer});
    }
    for (std::size_t i = 0; i < count; ++i) {
        const jpeg_component_info& c = infos[i];
        Component& component = s.components[i];
        component.across =
            static_cast<double>(c.h_samp_factor) * sizes[i] / (s.codec.max_h_samp_factor * 8.0);
        component.down = static_cast<double>(c.v_samp_factor) * sizes[i] / (s.codec.max_v_samp_factor * 8.0);
        component.width = static_cast<int>(c.downsampled_width);
        component.height = static_cast<int>(c.downsampled_height);
    }
    return {s.components.data(), count};
}

// A progressive JPEG that is reduced to one sample a block: most of its bytes say nothing about that.
void JpegReader::leave_out_detail() {
    State& s = *state_;
    if (s.codec.progressive_mode == 0 || s.codec.comp_info[0].DCT_scaled_size != 1 ||
        (s.fail_on != FailOn::none && s.fail_on != FailOn::truncated)) {
        return;
    }
    jpeg_source_mgr& source = s.input.manager;
    s.pieces = scans_without_detail({source.next_input_byte, source.bytes_in_buffer},
                                    static_cast<std::uint8_t>(s.codec.comp_info[0].component_id));
    if (!s.pieces.empty()) {
        s.input.pieces = s.pieces;
        source.bytes_in_buffer = 0;
        s.codec.do_block_smoothing = FALSE;  // it would make up for what is not missed
    }
}

bool JpegReader::read(const Sink& sink, const std::function<bool()>& enough) {
    if (state_->skim == nullptr) {
        return decode(sink, enough);
    }
    const bool whole = skim(sink, enough);
    state_->skim = nullptr;
    if (!whole) {
        state_->by = By::libjpeg;
    }
    return whole;
}

bool JpegReader::skim(const Sink& sink, const std::function<bool()>& enough) {
    const State& s = *state_;
    const auto count = static_cast<std::size_t>(s.codec.num_components);
    std::array<int, 3> done{};
    while (s.skim->bands_left() > 0) {
        check(*s.cancellation);
        if (!s.skim->next_band()) {
            return false;
        }
        for (std::size_t i = 0; i < count; ++i) {
            for (std::size_t y = 0; y < s.skim->lines(i) && done[i] < s.components[i].height;
                 ++y, ++done[i]) {
                sink(static_cast<int>(i), s.skim->line(i, y));
            }
        }
        if (enough()) {
            return true;
        }
    }
    return s.skim->ends();
}

bool JpegReader::decode(const Sink& sink, const std::function<bool()>& enough) {
    State& s = *state_;
    const auto trouble = [&s]() {
        check(*s.cancellation);
        fail(422, "the original cannot be decoded");
    };
    const bool own = s.transforms();
    leave_out_detail();
    if (!(own ? s.read_coefficients() : s.begin())) {
        trouble();
    }
    if (own && s.lacks_detail()) {
        s.by = By::libjpeg;
        if (!s.begin_again()) {
            trouble();
        }
        return false;
    }
    const auto count = static_cast<std::size_t>(s.codec.num_components);
    std::array<int, 3> lines{};
    std::array<int, 3> done{};
    for (std::size_t i = 0; i < count; ++i) {
        const jpeg_component_info& c = s.codec.comp_info[i];
        lines[i] = c.v_samp_factor * s.sizes[i];
        // Whole MCUs or tiles of blocks, and what a vector may read beyond.
        const std::size_t stride = (static_cast<std::size_t>(c.width_in_blocks) +
                                    static_cast<std::size_t>(c.h_samp_factor) + idct_blocks) *
                                       static_cast<std::size_t>(s.sizes[i]) +
                                   64;
        s.strides[i] = stride;
        s.bands[i].assign(stride * static_cast<std::size_t>(lines[i]), 0);
        s.rows[i].resize(static_cast<std::size_t>(lines[i]));
        for (std::size_t y = 0; y < s.rows[i].size(); ++y) {
            s.rows[i][y] = s.bands[i].data() + y * stride;
        }
        s.planes[i] = s.rows[i].data();
    }
    while (s.lines_left()) {
        check(*s.cancellation);
        if (!s.next_band()) {
            trouble();
        }
        for (std::size_t i = 0; i < count; ++i) {
            for (int y = 0; y < lines[i] && done[i] < s.components[i].height; ++y, ++done[i]) {
                sink(static_cast<int>(i), s.rows[i][static_cast<std::size_t>(y)]);
            }
        }
        if (enough()) {
            return true;
        }
    }
    if (!s.end()) {
        trouble();
    }
    return true;
}

}  // namespace media
