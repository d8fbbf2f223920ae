// Originals that are read slowly, as far as a worker has met them.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace media {

/// Remembers of which originals a copy would pay, by the keys of the copies. A name that falls on another's
/// place takes it: then that one is read slowly once more. Belongs to the event loop.
class SlowOriginals {
  public:
    void note(std::string_view key) noexcept;
    bool knows(std::string_view key) const noexcept;

    /// No copy can be made of it; it is not noted again while that is remembered.
    void give_up(std::string_view key) noexcept;

  private:
    struct Place {
        std::uint64_t name = 0;
        bool hopeless = false;
    };
    static std::uint64_t name_of(std::string_view key) noexcept;
    std::array<Place, 1024> places_{};
};

}  // namespace media
