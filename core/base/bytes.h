// One owner for a block of bytes, whoever allocated it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

namespace media {

using ByteView = std::span<const std::uint8_t>;

inline ByteView bytes_of(std::string_view text) noexcept {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

/// A movable block of bytes that remembers how to free itself, so that a codec's buffer travels to the socket
/// without a copy. May be freed on another thread than it was made on.
class Bytes {
  public:
    using Free = void (*)(void*);

    Bytes() = default;

    /// Takes `data` over; `free` is called on it once.
    Bytes(void* data, std::size_t size, Free free) noexcept
        : data_(static_cast<std::uint8_t*>(data), free), size_(size) {}

    /// `size` uninitialised bytes, or an empty block where memory has run out.
    static Bytes allocate(std::size_t size) noexcept;
    static Bytes copy_of(ByteView view) noexcept;

    std::uint8_t* data() noexcept { return data_.get(); }
    const std::uint8_t* data() const noexcept { return data_.get(); }
    std::size_t size() const noexcept { return size_; }
    bool empty() const noexcept { return size_ == 0; }
    ByteView view() const noexcept { return {data_.get(), size_}; }

    /// Forgets the bytes beyond `size`, which is at most size().
    void shrink(std::size_t size) noexcept { size_ = size; }

  private:
    static void free_nothing(void*) noexcept {}
    std::unique_ptr<std::uint8_t, Free> data_{nullptr, free_nothing};
    std::size_t size_ = 0;
};

}  // namespace media
