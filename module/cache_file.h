// Files of the disk tier: nginx' header of a cache file, a few facts about the picture, and the body.
#pragma once

#include <cstdint>
#include <ctime>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.h"
#include "core/base/result.h"
#include "core/picture/render.h"
#include "module/descriptor.h"
#include "module/ngx.h"
#include "module/stored_facts.h"

namespace media {

/// A cache file in the making. The loop prepares it, a thread writes it, the loop publishes it; one that is
/// not published removes itself.
class CacheFile {
  public:
    CacheFile() = default;
    CacheFile(CacheFile&& other) noexcept = default;
    CacheFile& operator=(CacheFile&& other) noexcept;
    ~CacheFile();

    /// Where a body of `size` bytes begins behind a header and facts of `prefix` bytes. A whole page of them
    /// is left free where the file fills as many blocks of the disk with it: a body that lies in fewer pages
    /// of memory is sent in fewer pieces.
    static std::size_t body_start(std::size_t prefix, std::size_t size) noexcept;
    static constexpr std::size_t page = 4096;  ///< bytes

    /// Pool thread: writes header, facts and body to a temporary file. `valid` is the time until which it is
    /// fresh. False when the disk refuses.
    bool write(StoredFacts facts, ByteView body, std::string_view etag, time_t valid,
               time_t last_modified) noexcept;

  private:
    friend class DiskTier;
    void abandon() noexcept;

    std::vector<std::uint8_t> prefix_;  ///< nginx' header and key, then room for the facts
    std::string path_;
    std::size_t zone_length_ = 0;  ///< of the path: the part that exists for sure
    Descriptor file_;
    int error_ = 0;
};

/// The body of an entry that stays right beyond its lifetime.
struct StoredBody {
    Descriptor file;
    off_t offset = 0;
    std::size_t size = 0;
    StoredFacts facts;

    /// The longest key by which an entry is found.
    static constexpr std::size_t max_key = 8192;

    /// Pool thread: that of the entry of this key, found by its path; nothing where it is not there, not
    /// fresh, or another's.
    static std::optional<StoredBody> at(const std::string& path, std::string_view key) noexcept;

    /// Pool thread: the rendition as it was made. Errors: 500 where the file cannot be read, 503.
    Result<Encoded> read() const noexcept;
};

}  // namespace media
