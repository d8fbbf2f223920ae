// The highest quality whose file is small enough, in few encodes.
#pragma once

#include <cstdint>
#include <functional>

namespace media {

/// How often `fit_quality` encodes at most: halving 100 qualities takes no more.
inline constexpr int max_fit_encodes = 7;

/// The highest quality from 1 to `tried` - 1 whose file has at most `limit` bytes; 0 where there is none. At
/// `tried` (2-100, or 1: nothing is left to try) it has `size` bytes, which is more. `size_at` encodes; where
/// sizes do not always grow with quality, the result still fits, but a higher quality might, too.
int fit_quality(int tried, std::uint64_t size, std::uint64_t limit,
                const std::function<std::uint64_t(int quality)>& size_at);

}  // namespace media
