// Cache files that are asked for again and again, kept open.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>

#include "module/descriptor.h"
#include "module/ngx.h"
#include "module/source.h"
#include "module/stored_facts.h"

namespace media {

/// What a cache key is made of, for telling entries apart without putting it together.
struct HotName {
    const void* location = nullptr;  ///< for what its configuration adds
    std::string_view uri;
    std::string_view canonical;                  ///< of the rendition
    FileVersion version;                         ///< of a local original
    std::string_view rest;                       ///< whatever else the key holds; mostly nothing
    std::size_t tenant_end = 0, target_end = 0;  ///< where that is divided

    bool operator==(const HotName&) const = default;
};

/// What a hit needs of an entry, so that neither opening nor reading it is needed again.
struct HotFile {
    explicit HotFile(const HotName& entry)
        : uri(entry.uri),
          canonical(entry.canonical),
          rest(entry.rest),
          name{entry.location, uri, canonical, entry.version, rest, entry.tenant_end, entry.target_end} {}

    const std::string uri, canonical, rest;
    const HotName name;
    Descriptor file;
    ngx_file_uniq_t uniq = 0;
    std::string path;                                     ///< of the file, as nginx makes it of the digest
    std::array<u_char, NGX_HTTP_CACHE_KEY_LEN> digest{};  ///< of the key, as nginx makes it
    std::uint32_t checksum = 0;                           ///< likewise
    std::size_t header_start = 0;                         ///< where our facts begin
    std::string etag;
    off_t length = 0;
    std::size_t body_start = 0;
    time_t valid = 0;
    time_t last_modified = -1;
    StoredFacts facts;
    ngx_msec_t used = 0;  ///< when it was asked for last
};

/// A few open files for each worker process. Unlike nginx' open_file_cache it is never wrong about a file:
/// the cache's shared memory says on every request which inode an entry has now, and an open file's inode is
/// not given away.
class HotFiles {
  public:
    /// Keeps at most `limit` files, and none that was not asked for during `idle_time`.
    void start(std::size_t limit) noexcept { limit_ = limit; }
    static constexpr ngx_msec_t idle_time = 20'000;

    /// The entry of that name, which is right if the cache names the same inode for it. Stays open while the
    /// pointer lives.
    std::shared_ptr<const HotFile> find(const HotName& name) noexcept;
    void drop(const HotName& name) noexcept;

    void add(std::shared_ptr<HotFile> file);

    /// Closes what nobody asked for lately, and what was removed from the disk; true while some are left.
    bool tidy(ngx_msec_t now) noexcept;

  private:
    using Recent = std::list<std::shared_ptr<HotFile>>;
    void erase(Recent::iterator place) noexcept;

    struct Hash {
        std::size_t operator()(const HotName& name) const noexcept;
    };

    Recent recent_;                                               ///< the last used first
    std::unordered_map<HotName, Recent::iterator, Hash> places_;  ///< by the names in the files
    std::size_t limit_ = 0;
};

}  // namespace media
