// For functions that must not throw, though strings may run out of memory.
#pragma once

#include "core/base/error.h"

namespace media::detail {

/// What `work` returns (a Result), or a 500 where it threw. The text is short enough to need no memory.
template <class Work>
auto guarded(Work&& work) noexcept -> decltype(work()) {
    try {
        return work();
    } catch (...) {
        return Error{500, "out of memory"};
    }
}

}  // namespace media::detail
