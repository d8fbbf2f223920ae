// A file on its way into a store.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace media {

/// Written and hashed as it comes, in the store's .incoming; removed when destroyed unless it was published.
/// Every call may wait for the disk. One thread at a time; Store::begin makes it.
class Incoming {
  public:
    Incoming(Incoming&&) noexcept;
    Incoming& operator=(Incoming&&) noexcept;
    ~Incoming();

    /// Appends. Errors: 413 past the limit, 507 where the disk is full. After an error, and after finish(),
    /// nothing more can be written.
    Status write(ByteView bytes) noexcept;

    /// The digests are known once this has returned. It is the store that has the bytes on disk before it
    /// tells anyone of them: what is not published costs no waiting.
    Status finish() noexcept;

    std::uint64_t size() const noexcept;  ///< bytes so far

    const std::string& sha256() const noexcept;  ///< lower-case hex; empty before finish()
    const std::string& md5() const noexcept;     ///< likewise

    /// For pread() of what was written; the place in the file is this object's own. It stays this object's.
    int fd() const noexcept;

  private:
    friend class Store;
    struct State;
    explicit Incoming(std::unique_ptr<State> state) noexcept;
    std::unique_ptr<State> state_;
};

}  // namespace media
