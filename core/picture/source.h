// The original: what its header says, and its pixels on demand.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>
#include <vips/vips8>

#include "core/base/bytes.h"
#include "core/base/cancellation.h"
#include "core/rendition/format.h"
#include "core/rendition/geometry.h"
#include "core/rendition/settings.h"

namespace media {

/// How to load pages. At most one of shrink and scale is not 1.
struct LoadOptions {
    int page = 0;
    int pages = 1;
    int shrink = 1;    ///< JPEG: 1, 2, 4, 8
    double scale = 1;  ///< WebP, SVG, PDF
    bool header_only =
        false;  ///< documents: draw nothing (others are decoded when their pixels are asked for)
};

/// An opened original. Pages of several lie one below another in what `load` returns.
class PictureSource {
  public:
    /// Sniffs and reads the header; decodes nothing. Throws Failure 415 or 422.
    PictureSource(ByteView bytes, FormatSet input, FailOn fail_on, const Cancellation& cancellation);

    /// The same from a file, which is read as its pixels are asked for, wherever its descriptor stands. GIF,
    /// WebP and documents, whose libraries want to have all bytes at once, are mapped. Throws also Failure
    /// 500 where the file cannot be read.
    PictureSource(int file, FormatSet input, FailOn fail_on, const Cancellation& cancellation);

    /// Turns to page `first` as the one whose size counts. Throws Failure 400 when there is no such page.
    void select_page(int first);

    Format format() const { return format_; }
    bool vector() const { return !info(format_).raster; }
    Size size() const { return size_; }  ///< of one page, as stored
    int pages() const { return pages_; }
    bool animated() const { return (format_ == Format::gif || format_ == Format::webp) && pages_ > 1; }
    int orientation() const { return orientation_; }
    bool alpha() const { return alpha_; }
    const vips::VImage& header() const { return header_; }

    /// Milliseconds each page of an animation is shown; of all pages, or empty.
    const std::vector<int>& delays() const { return delays_; }
    int loop() const { return loop_; }

    /// The pages, to be read once from top to bottom.
    vips::VImage load(const LoadOptions& options) const;

  private:
    void open(ByteView head, FormatSet input);
    void map_file();
    void read_header(int page);

    ByteView bytes_;  ///< all of them, or none where they are read from `file_`
    int file_ = -1;
    std::uint64_t file_size_ = 0;
    std::shared_ptr<void> mapping_;
    FailOn fail_on_;
    const Cancellation& cancellation_;
    Format format_ = Format::jpeg;
    vips::VImage header_;
    Size size_;
    int pages_ = 1;
    int page_ = 0;
    int orientation_ = 1;
    bool alpha_ = false;
    std::vector<int> delays_;
    int loop_ = 0;
};

}  // namespace media
