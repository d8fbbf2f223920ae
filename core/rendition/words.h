// The words that values are made of, for reading and for writing.
#pragma once

#include <span>
#include <string_view>

#include "core/rendition/rendition.h"

namespace media::detail {

template <class T>
struct Word {
    std::string_view name;
    T value;
};

inline constexpr Word<Fit> fits[] = {{"inside", Fit::inside},
                                     {"outside", Fit::outside},
                                     {"cover", Fit::cover},
                                     {"contain", Fit::contain},
                                     {"fill", Fit::fill}};
inline constexpr Word<Gravity> gravities[] = {
    {"center", Gravity::center},   {"n", Gravity::n},
    {"ne", Gravity::ne},           {"e", Gravity::e},
    {"se", Gravity::se},           {"s", Gravity::s},
    {"sw", Gravity::sw},           {"w", Gravity::w},
    {"nw", Gravity::nw},           {"attention", Gravity::attention},
    {"entropy", Gravity::entropy}, {"fp", Gravity::fp}};
inline constexpr Word<int> rotations[] = {{"0", 0}, {"90", 90}, {"180", 180}, {"270", 270}};
inline constexpr Word<Flip> flips[] = {{"h", Flip::h}, {"v", Flip::v}, {"hv", Flip::hv}};
inline constexpr Word<Strip> strips[] = {{"all", Strip::all}, {"none", Strip::none}, {"gps", Strip::gps}};
inline constexpr Word<bool> switches[] = {{"0", false}, {"1", true}};

/// The word for a value; empty where it has none.
template <class T, std::size_t count>
constexpr std::string_view word_for(T value, const Word<T> (&words)[count]) noexcept {
    for (const Word<T>& word : words) {
        if (word.value == value) {
            return word.name;
        }
    }
    return {};
}

}  // namespace media::detail
