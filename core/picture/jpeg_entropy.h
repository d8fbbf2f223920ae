// The bytes of a JPEG's scan, with nothing between them that is not data.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "core/base/bytes.h"

namespace media {

/// Takes a scan apart into what lies between markers, and gives that piece by piece, without stuffed bytes.
/// Holds a part of it only.
class EntropyBytes {
  public:
    /// `reserve`: bytes that may always be read without asking.
    EntropyBytes(ByteView scan, std::size_t reserve);

    /// Begins what lies behind the last marker; at first, the scan. Where its bytes are.
    const std::uint8_t* next_segment();

    /// Makes sure that `reserve` bytes can be read from `at` on, which is not beyond end(). Returns where
    /// that is now. Bytes behind the end of a segment are zero.
    const std::uint8_t* more(const std::uint8_t* at);

    /// Up to here `reserve` bytes can be read.
    const std::uint8_t* safe() const noexcept { return end_ - reserve_; }

    /// Behind the last byte of what is there.
    const std::uint8_t* end() const noexcept { return end_; }

    /// Nothing follows end() but a marker, or the end of the file.
    bool complete() const noexcept { return complete_; }

    /// The code of the marker behind a complete segment; 0 where there is none.
    std::uint8_t marker() const noexcept { return marker_; }

  private:
    void fill();

    ByteView rest_;
    std::size_t reserve_;
    std::vector<std::uint8_t> buffer_;
    std::uint8_t* end_;
    bool complete_ = false;
    std::uint8_t marker_ = 0;
};

}  // namespace media
