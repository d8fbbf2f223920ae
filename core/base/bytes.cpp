#include "core/base/bytes.h"

#include <cstdlib>
#include <cstring>

namespace media {

Bytes Bytes::allocate(std::size_t size) noexcept {
    void* data = std::malloc(size == 0 ? 1 : size);
    return data == nullptr ? Bytes{} : Bytes{data, size, std::free};
}

Bytes Bytes::copy_of(ByteView view) noexcept {
    Bytes bytes = allocate(view.size());
    if (!bytes.empty()) {
        std::memcpy(bytes.data(), view.data(), view.size());
    }
    return bytes;
}

}  // namespace media
