// How libjpeg's errors are left.
#pragma once

#include <csetjmp>
#include <cstddef>
#include <cstdio>

#include <jpeglib.h>

namespace media {

/// libjpeg leaves by longjmp, over C frames only: nothing with a destructor may live where it passes.
struct JpegTrouble {
    jpeg_error_mgr manager;
    std::jmp_buf leave;  ///< set before every call
    bool picky;          ///< every warning is an error
};

/// Error handling for a codec. Nothing is printed.
jpeg_error_mgr* prepare(JpegTrouble& trouble, bool picky);

[[noreturn]] void leave(j_common_ptr codec);

/// Calls into libjpeg by `call`, which makes nothing with a destructor. False where it says so, or where
/// libjpeg left.
template <class Call>
bool guarded(JpegTrouble& trouble, const Call& call) noexcept {
    if (setjmp(trouble.leave) != 0) {  // NOLINT(cert-err52-cpp): libjpeg is C
        return false;
    }
    return call();
}

}  // namespace media
