// Eight vectors of eight samples, turned. Included once for each target that Highway compiles for.
#if defined(MEDIA_TURN8_INL_H) == defined(HWY_TARGET_TOGGLE)
#ifdef MEDIA_TURN8_INL_H
#undef MEDIA_TURN8_INL_H
#else
#define MEDIA_TURN8_INL_H
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace media::HWY_NAMESPACE {

#if HWY_TARGET != HWY_SCALAR

template <class D, class V = hwy::HWY_NAMESPACE::Vec<D> >
HWY_INLINE void Turn8(D d, V* v) {
    namespace hn = hwy::HWY_NAMESPACE;
    const hn::Repartition<std::int32_t, D> d32;
    const hn::Repartition<std::int64_t, D> d64;
    V a[8];
    for (int i = 0; i < 4; ++i) {
        a[2 * i] = hn::InterleaveLower(d, v[2 * i], v[2 * i + 1]);
        a[2 * i + 1] = hn::InterleaveUpper(d, v[2 * i], v[2 * i + 1]);
    }
    V b[8];
    for (int half = 0; half < 2; ++half) {
        for (int i = 0; i < 2; ++i) {
            const auto low = hn::BitCast(d32, a[4 * half + i]);
            const auto high = hn::BitCast(d32, a[4 * half + 2 + i]);
            b[4 * half + 2 * i] = hn::BitCast(d, hn::InterleaveLower(d32, low, high));
            b[4 * half + 2 * i + 1] = hn::BitCast(d, hn::InterleaveUpper(d32, low, high));
        }
    }
    for (int i = 0; i < 4; ++i) {
        const auto low = hn::BitCast(d64, b[i]);
        const auto high = hn::BitCast(d64, b[4 + i]);
        v[2 * i] = hn::BitCast(d, hn::InterleaveLower(d64, low, high));
        v[2 * i + 1] = hn::BitCast(d, hn::InterleaveUpper(d64, low, high));
    }
}

#endif

}  // namespace media::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif
