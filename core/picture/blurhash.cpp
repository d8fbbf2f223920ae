#include "core/picture/blurhash.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>
#include <string_view>
#include <vector>

namespace media {

namespace {

constexpr std::string_view digits =
    "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz#$%*+,-.:;=?@[]^_{|}~";
constexpr int base = 83;
static_assert(digits.size() == base);

constexpr int levels = 19;  // of a channel of a wave: the middle one is none

using Light = std::array<double, 3>;  // linear, 0-1

void append_base83(std::string& out, int value, int length) {
    int divisor = 1;
    for (int i = 1; i < length; ++i) {
        divisor *= base;
    }
    for (; length > 0; --length, divisor /= base) {
        out += digits[static_cast<std::size_t>(value / divisor % base)];
    }
}

// The transfer function of sRGB (IEC 61966-2-1), and back.
double to_linear(int value) {
    const double v = value / 255.0;
    return v <= 0.04045 ? v / 12.92 : std::pow((v + 0.055) / 1.055, 2.4);
}

int to_srgb(double light) {
    const double v = std::clamp(light, 0.0, 1.0);
    const double encoded = v <= 0.0031308 ? v * 12.92 : 1.055 * std::pow(v, 1 / 2.4) - 0.055;
    return static_cast<int>(std::lround(encoded * 255));
}

// Values of one wave along one side.
std::vector<double> wave(int number, int length) {
    std::vector<double> values(static_cast<std::size_t>(length));
    for (int i = 0; i < length; ++i) {
        values[static_cast<std::size_t>(i)] = std::cos(std::numbers::pi * number * (i + 0.5) / length);
    }
    return values;
}

// The square root, which gives weak waves more of the few levels.
int quantized(double value, double most) {
    const double share = std::copysign(std::sqrt(std::abs(value / most)), value);
    return std::clamp(static_cast<int>(std::floor(share * 9 + 9.5)), 0, levels - 1);
}

std::vector<Light> transform(std::span<const std::uint8_t> rgb, Size size, BlurhashComponents components) {
    std::array<double, 256> linear{};
    for (int i = 0; i < 256; ++i) {
        linear[static_cast<std::size_t>(i)] = to_linear(i);
    }
    std::vector<Light> factors;
    for (int v = 0; v < components.y; ++v) {
        const std::vector<double> down = wave(v, size.height);
        for (int u = 0; u < components.x; ++u) {
            const std::vector<double> across = wave(u, size.width);
            Light sum{};
            const std::uint8_t* pixel = rgb.data();
            for (const double y : down) {
                for (const double x : across) {
                    for (double& channel : sum) {
                        channel += x * y * linear[*pixel++];
                    }
                }
            }
            for (double& channel : sum) {
                channel *= (u == 0 && v == 0 ? 1.0 : 2.0) / (static_cast<double>(size.width) * size.height);
            }
            factors.push_back(sum);
        }
    }
    return factors;
}

}  // namespace

BlurhashComponents blurhash_components(Size picture, Size pixels) noexcept {
    BlurhashComponents components{4, 4};
    if (picture.width * 8LL >= picture.height * 9LL) {
        components.y = 3;
    } else if (picture.height * 8LL >= picture.width * 9LL) {
        components.x = 3;
    }
    return {std::min(components.x, pixels.width), std::min(components.y, pixels.height)};
}

std::string blurhash(std::span<const std::uint8_t> rgb, Size size, BlurhashComponents components) {
    const std::vector<Light> factors = transform(rgb, size, components);
    double strongest = 0;
    for (std::size_t i = 1; i < factors.size(); ++i) {
        for (const double channel : factors[i]) {
            strongest = std::max(strongest, std::abs(channel));
        }
    }
    const int scale = std::clamp(static_cast<int>(std::floor(strongest * 166 - 0.5)), 0, base - 1);
    std::string hash;
    append_base83(hash, components.x - 1 + (components.y - 1) * 9, 1);
    append_base83(hash, factors.size() > 1 ? scale : 0, 1);
    int mean = 0;
    for (const double channel : factors.front()) {
        mean = mean * 256 + to_srgb(channel);
    }
    append_base83(hash, mean, 4);
    for (std::size_t i = 1; i < factors.size(); ++i) {
        int value = 0;
        for (const double channel : factors[i]) {
            value = value * levels + quantized(channel, (scale + 1) / 166.0);
        }
        append_base83(hash, value, 2);
    }
    return hash;
}

}  // namespace media
