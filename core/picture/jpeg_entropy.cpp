#include "core/picture/jpeg_entropy.h"

#include <algorithm>
#include <cstring>

namespace media {

namespace {

constexpr std::size_t piece = 32 * 1024;
constexpr std::size_t word = sizeof(std::uint64_t);

// Whether any byte is 0xFF.
bool has_ff(std::uint64_t bytes) {
    constexpr std::uint64_t ones = 0x0101010101010101;
    return ((~bytes - ones) & bytes & (ones << 7U)) != 0;
}

}  // namespace

EntropyBytes::EntropyBytes(ByteView scan, std::size_t reserve)
    : rest_(scan),
      reserve_(reserve),
      buffer_(reserve + piece + word + reserve + word),
      end_(buffer_.data()) {}

const std::uint8_t* EntropyBytes::next_segment() {
    end_ = buffer_.data() + reserve_;
    complete_ = false;
    marker_ = 0;
    return more(end_);
}

const std::uint8_t* EntropyBytes::more(const std::uint8_t* at) {
    if (complete_ || at <= safe()) {
        return at;
    }
    // What is left goes before the place where more comes.
    const auto left = static_cast<std::size_t>(end_ - at);
    std::uint8_t* const to = buffer_.data() + reserve_ - left;
    std::memmove(to, at, left);
    end_ = buffer_.data() + reserve_;
    fill();
    return to;
}

void EntropyBytes::fill() {
    std::uint8_t* to = end_;
    const std::uint8_t* const full = to + piece;
    const std::uint8_t* from = rest_.data();
    const std::uint8_t* const stop = from + rest_.size();
    while (to < full && !complete_) {
        std::uint64_t bytes = ~std::uint64_t{0};
        if (static_cast<std::size_t>(stop - from) >= word) {
            std::memcpy(&bytes, from, word);
        }
        if (!has_ff(bytes)) {
            std::memcpy(to, &bytes, word);
            from += word;
            to += word;
            continue;
        }
        for (std::size_t i = 0; i < word && !complete_; ++i) {
            if (from == stop || (*from == 0xFF && stop - from == 1)) {
                from = stop;
                complete_ = true;
            } else if (*from != 0xFF) {
                *to++ = *from++;
            } else if (from[1] == 0) {
                *to++ = 0xFF;
                from += 2;
            } else {
                marker_ = from[1];
                from += 2;
                complete_ = true;
            }
        }
    }
    rest_ = {from, stop};
    end_ = to;
    if (complete_) {
        std::fill_n(to, reserve_ + word, std::uint8_t{0});
    }
}

}  // namespace media
