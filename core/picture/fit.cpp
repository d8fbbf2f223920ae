#include "core/picture/fit.h"

#include <algorithm>
#include <cmath>

namespace media {

namespace {

double logarithm(std::uint64_t size) {
    return std::log(static_cast<double>(std::max<std::uint64_t>(size, 1)));
}

}  // namespace

// File size grows roughly exponentially with quality, so a guess on that curve ends sooner than halving. Each
// guess leaves no more on either side than halving could still search.
int fit_quality(int tried, std::uint64_t size, std::uint64_t limit,
                const std::function<std::uint64_t(int quality)>& size_at) {
    const double wanted = logarithm(limit);
    // Without a lower point: three times as many bytes for forty steps of quality, or so.
    double slope = std::log(3.0) / 40;
    int low = 0;  // fits, where it is not 0
    double low_size = 0;
    int high = tried;  // does not
    double high_size = logarithm(size);
    for (int left = max_fit_encodes; low + 1 < high; --left) {
        if (low > 0) {
            slope = (high_size - low_size) / (high - low);
        }
        const double distance = std::min((high_size - wanted) / std::max(slope, 1e-3), 100.0);
        const int reach = 1 << (left - 1);
        const int first = std::max(low + 1, high - reach);
        const int last = std::max(first, std::min(high - 1, low + reach));
        const int guess = std::clamp(static_cast<int>(std::floor(high - distance)), first, last);
        const std::uint64_t now = size_at(guess);
        if (now <= limit) {
            low = guess;
            low_size = logarithm(now);
        } else {
            high = guess;
            high_size = logarithm(now);
        }
    }
    return low;
}

}  // namespace media
