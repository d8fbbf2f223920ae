#include "core/picture/fit.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <numeric>
#include <random>
#include <vector>

namespace media {
namespace {

using Curve = std::array<std::uint64_t, 101>;  // bytes by quality; that of 0 does not count

struct Outcome {
    int quality = 0;
    int encodes = 0;
};

Outcome searched(const Curve& curve, int from, std::uint64_t limit) {
    Outcome outcome;
    std::vector<int> asked;
    outcome.quality = fit_quality(from, curve[static_cast<std::size_t>(from)], limit, [&](int quality) {
        EXPECT_GE(quality, 1);
        EXPECT_LT(quality, from);
        EXPECT_EQ(std::count(asked.begin(), asked.end(), quality), 0) << "encoded twice";
        asked.push_back(quality);
        return curve[static_cast<std::size_t>(quality)];
    });
    outcome.encodes = static_cast<int>(asked.size());
    return outcome;
}

int by_trying_all(const Curve& curve, int from, std::uint64_t limit) {
    int quality = from - 1;
    while (quality > 0 && curve[static_cast<std::size_t>(quality)] > limit) {
        --quality;
    }
    return quality;
}

template <class Size>
Curve curve_of(Size size) {
    Curve curve{};
    for (int quality = 1; quality <= 100; ++quality) {
        curve[static_cast<std::size_t>(quality)] = static_cast<std::uint64_t>(size(quality));
    }
    return curve;
}

// Every limit that makes a difference, from every quality. Returns the mean number of encodes.
double check(const Curve& curve) {
    int searches = 0, encodes = 0;
    for (int from = 1; from <= 100; ++from) {
        const std::uint64_t largest = curve[static_cast<std::size_t>(from)];
        for (int at = 1; at <= from; ++at) {
            for (const std::uint64_t limit :
                 {curve[static_cast<std::size_t>(at)] - 1, curve[static_cast<std::size_t>(at)]}) {
                if (limit >= largest) {
                    continue;
                }
                const Outcome outcome = searched(curve, from, limit);
                EXPECT_EQ(outcome.quality, by_trying_all(curve, from, limit)) << from << " " << limit;
                EXPECT_LE(outcome.encodes, max_fit_encodes) << from << " " << limit;
                ++searches;
                encodes += outcome.encodes;
            }
        }
    }
    return static_cast<double>(encodes) / std::max(searches, 1);
}

TEST(Fit, FindsTheHighestQualityInAHandfulOfEncodes) {
    // A JPEG of a photograph, roughly; steeper and flatter ones.
    EXPECT_LT(check(curve_of([](int q) { return 9000 * std::exp(0.027 * q); })), 4);
    EXPECT_LT(check(curve_of([](int q) { return 5000 + 300.0 * q + 40'000 * std::exp(0.12 * (q - 100)); })),
              5.5);
    EXPECT_LT(check(curve_of([](int q) { return 50 * std::exp(0.1 * q); })), 5.5);
    check(curve_of([](int q) { return 1000 + q; }));
    check(curve_of([](int q) { return 100.0 * q * q * q; }));
    check(curve_of([](int q) { return q / 10 * 1000 + 500; }));
    check(curve_of([](int q) { return q < 50 ? 2 : 1'000'000'000; }));
    check(curve_of([](int q) { return q < 99 ? 2 : 3; }));
    check(curve_of([](int q) { return q < 2 ? 2 : 3; }));
    check(curve_of([](int) { return 77; }));
}

TEST(Fit, AnyCurve) {
    std::mt19937_64 random(3);
    for (int round = 0; round < 100; ++round) {
        Curve curve = curve_of([&](int) { return 1 + random() % (1ULL << (1 + random() % 40)); });
        std::sort(curve.begin() + 1, curve.end());
        check(curve);
    }
}

TEST(Fit, WhatDoesNotGrowStillFits) {
    std::mt19937_64 random(5);
    for (int round = 0; round < 5000; ++round) {
        const Curve curve = curve_of([&](int q) { return 1000 + 10 * q + static_cast<int>(random() % 300); });
        const int from = 1 + static_cast<int>(random() % 100);
        const std::uint64_t limit = 900 + random() % 1400;
        if (curve[static_cast<std::size_t>(from)] <= limit) {
            continue;
        }
        const Outcome outcome = searched(curve, from, limit);
        EXPECT_LE(outcome.encodes, max_fit_encodes);
        EXPECT_TRUE(outcome.quality == 0 || curve[static_cast<std::size_t>(outcome.quality)] <= limit);
        EXPECT_LT(outcome.quality, from);
    }
}

}  // namespace
}  // namespace media
