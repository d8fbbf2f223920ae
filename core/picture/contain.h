// The edge of this room: no exception passes it, and no message of a library.
#pragma once

#include <type_traits>
#include <utility>
#include <vips/vips8>

#include "core/base/result.h"
#include "core/picture/failure.h"

namespace media {

/// What `work` returns, or the Error that stands for what it threw.
template <class Work>
auto contained(const Cancellation& cancellation, Work&& work) noexcept -> Result<std::invoke_result_t<Work>> {
    try {
        try {
            auto made = std::forward<Work>(work)();
            // Mild damage leaves messages behind in a buffer that all threads share.
            vips_error_clear();
            return made;
        } catch (const Failure& failure) {
            vips_error_clear();
            return failure.error;
        } catch (const vips::VError&) {
            vips_error_clear();
            if (cancellation.should_stop()) {
                return stop_error(cancellation);
            }
            return Error{422, "the original cannot be decoded"};
        }
    } catch (...) {
        return Error{500, "out of memory"};
    }
}

}  // namespace media
