// The blocks of a GIF, as far as libvips does not look at them.
#pragma once

#include "core/base/bytes.h"

namespace media {

/// Whether no block of a GIF is cut off. The trailer may be missing, as it often is, and what follows it may
/// be anything. libvips 8.14 notices an early end only in the first frame and shows what there is of the
/// others.
bool gif_is_whole(ByteView file) noexcept;

}  // namespace media
