// libFuzzer: whatever the bytes are, JpegReader makes of them what it makes of them by libjpeg alone, or what
// is exact; so does a copy in one scan. The first byte says how to read the others.
#include <cstdlib>
#include <cstring>

#include "core/picture/jpeg_sequential.h"
#include "tests/core/jpeg_fixture.h"

namespace media::testing {
namespace {

// libjpeg makes up for what is missing: large pictures of nothing would take all the time.
constexpr long long most_pixels = 200'000;

void demand(bool condition) {
    if (!condition) {
        std::abort();
    }
}

bool is_small(ByteView bytes) {
    const Cancellation cancellation(Cancellation::Clock::now() + std::chrono::minutes(1));
    JpegReader reader(bytes, FailOn::none, cancellation, JpegReader::By::libjpeg);
    if (!reader.open()) {
        return false;
    }
    const JpegReader::Component luma = reader.scale(1)[0];
    return static_cast<long long>(luma.width) * luma.height <= most_pixels;
}

void try_out(ByteView bytes, unsigned how) {
    const int shrink = 1 << (how & 3U);
    const auto fail_on = static_cast<FailOn>(how >> 2U & 3U);
    const Outcome any = outcome_of(bytes, JpegReader::By::any, shrink, fail_on);
    const Outcome libjpeg = outcome_of(bytes, JpegReader::By::libjpeg, shrink, fail_on);
    demand(any.opened == libjpeg.opened);
    demand(any.error.has_value() == libjpeg.error.has_value());
    if (!any.opened || any.error) {
        return;
    }
    const Cancellation cancellation(Cancellation::Clock::now() + std::chrono::minutes(1));
    if (const auto copy = as_sequential(bytes, cancellation)) {
        demand(outcome_of(copy->view(), JpegReader::By::libjpeg, 1).planes ==
               outcome_of(bytes, JpegReader::By::libjpeg, 1).planes);
    }
    if (!any.ended_by_skim && any.planes == libjpeg.planes) {
        return;
    }
    for (const double error : errors_of(File(bytes.begin(), bytes.end()), any, false)) {
        demand(error <= most_error);
    }
}

File sample(unsigned seed) {
    JpegKind kind{.width = static_cast<int>(1 + seed % 61),
                  .height = static_cast<int>(1 + seed / 7 % 47),
                  .components = seed % 5 == 0 ? 1 : 3,
                  .across = 1 << (seed / 3 % 2),
                  .down = 1 << (seed / 11 % 2),
                  .quality = static_cast<int>(10 + seed % 85),
                  .optimized = seed / 13 % 2 == 0,
                  .progressive = seed / 17 % 8 == 0,
                  .restart = seed / 19 % 3 == 0 ? seed / 23 % 9 : 0};
    return coded(kind, seed);
}

}  // namespace
}  // namespace media::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
    using namespace media::testing;  // NOLINT(google-build-using-namespace)
    if (size > 1 && is_small({data + 1, size - 1})) {
        try_out({data + 1, size - 1}, data[0]);
    }
    return 0;
}

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

// There are no files to begin with: from time to time, a sound one is made.
extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most,
                                               unsigned seed) {
    if (size < 100 || seed % 512 == 0) {
        const auto file = media::testing::sample(seed / 512);
        if (file.size() < most) {
            data[0] = static_cast<std::uint8_t>(seed / 3);
            std::memcpy(data + 1, file.data(), file.size());
            return file.size() + 1;
        }
    }
    return LLVMFuzzerMutate(data, size, most);
}
