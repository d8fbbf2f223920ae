// Cache files that are asked for again and again, kept open.
#pragma once

#include <array>
#include <cstdint>
#include <list>
#include <memory>
#include <string>
#include <unordered_map>

#include "module/descriptor.h"
#include "module/ngx.h"
#include "module/stored_facts.h"

namespace media {

/// What a hit needs of an entry, so that neither opening nor reading it is needed again.
struct HotFile {
    Descriptor file;
    ngx_file_uniq_t uniq = 0;
    std::string key;
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
    using Key = std::array<u_char, NGX_HTTP_CACHE_KEY_LEN>;

    /// Keeps at most `limit` files, and none that was not asked for during `idle_time`.
    void start(std::size_t limit) noexcept { limit_ = limit; }
    static constexpr ngx_msec_t idle_time = 20'000;

    /// The entry of a key, which is right if the cache names the same inode for it. Stays open while the
    /// pointer lives.
    std::shared_ptr<const HotFile> find(const u_char* key, std::string_view full_key) noexcept;
    void drop(const u_char* key) noexcept;

    void add(const u_char* key, std::shared_ptr<HotFile> file);

    /// Closes what nobody asked for lately, and what was removed from the disk; true while some are left.
    bool tidy(ngx_msec_t now) noexcept;

  private:
    struct Hash {
        std::size_t operator()(const Key& key) const noexcept {
            std::size_t value = 0;
            ngx_memcpy(&value, key.data(), sizeof(value));
            return value;  // the key is a digest already
        }
    };
    struct Entry {
        Key key;
        std::shared_ptr<HotFile> file;
    };
    void erase(std::list<Entry>::iterator place) noexcept;

    std::list<Entry> recent_;  ///< the last used first
    std::unordered_map<Key, std::list<Entry>::iterator, Hash> places_;
    std::size_t limit_ = 0;
};

}  // namespace media
