// Which links for one upload have been used.
#pragma once

#include <cstdint>
#include <ctime>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/fd.h"
#include "core/base/result.h"

namespace media {

/// A link that is being used; nobody else can use it meanwhile, on this machine. Given back when destroyed,
/// also by the kernel when its process dies, unless it was used up.
class LinkInUse {
  public:
    LinkInUse(LinkInUse&&) noexcept = default;
    LinkInUse& operator=(LinkInUse&&) noexcept = delete;
    ~LinkInUse();

    /// Nobody can use it again, once this has returned: it is on disk. 507 where that is full.
    Status use_up() noexcept;

  private:
    friend class UsedLinks;
    LinkInUse(Fd folder, Fd file, std::string name, std::int64_t expires) noexcept
        : folder_(std::move(folder)), file_(std::move(file)), name_(std::move(name)), expires_(expires) {}

    Fd folder_;
    Fd file_;
    std::string name_;
    std::int64_t expires_;
    bool used_ = false;
};

/// Kept in the store that the links lead to, so that it outlives what its records outlive, and is shared by
/// all processes that share the store. Blocks: in threads of a pool only. Safe among threads and processes.
class UsedLinks {
  public:
    explicit UsedLinks(std::string store) : root_(std::move(store)) {}

    /// Takes a link; `id` is 32 hex digits, `expires` when it ends (Unix time). 409 where it was used, or is
    /// being used.
    Result<LinkInUse> reserve(std::string_view id, std::int64_t expires) const noexcept;

    /// 409 where it was used.
    Status check(std::string_view id) const noexcept;

    /// Forgets links that ended so long ago that nobody takes them for good any more.
    Status sweep(std::time_t now) const noexcept;

  private:
    std::string path() const;

    std::string root_;
};

}  // namespace media
