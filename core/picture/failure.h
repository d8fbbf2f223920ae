// How errors travel inside this room; none leaves it as an exception.
#pragma once

#include <string>
#include <utility>

#include "core/base/cancellation.h"
#include "core/base/error.h"

namespace media {

/// Thrown inside the picture room only; every public function catches it.
struct Failure {
    Error error;
};

[[noreturn]] inline void fail(int status, std::string detail, std::string parameter = {}) {
    throw Failure{{status, std::move(detail), std::move(parameter)}};
}

/// The error of work that was stopped: nobody wants it (503), or its time is over (504).
inline Error stop_error(const Cancellation& cancellation) {
    if (cancellation.cancelled()) {
        return {503, "the rendition is no longer wanted"};
    }
    return {504, "the rendition took too long"};
}

inline void check(const Cancellation& cancellation) {
    if (cancellation.should_stop()) {
        throw Failure{stop_error(cancellation)};
    }
}

}  // namespace media
