#include "module/cache_file.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <type_traits>
#include <utility>

namespace media {

static_assert(std::is_trivially_copyable_v<StoredFacts>);

namespace {

constexpr std::size_t pages(std::size_t bytes) noexcept {
    return (bytes + CacheFile::page - 1) / CacheFile::page;
}

// Makes the folders of `path` below its first `known` bytes.
bool make_folders(std::string& path, std::size_t known) noexcept {
    for (std::size_t slash = path.find('/', known + 1); slash != std::string::npos;
         slash = path.find('/', slash + 1)) {
        path[slash] = '\0';
        const bool there = mkdir(path.c_str(), 0700) == 0 || errno == EEXIST;
        path[slash] = '/';
        if (!there) {
            return false;
        }
    }
    return true;
}

}  // namespace

std::size_t CacheFile::body_start(std::size_t prefix, std::size_t size) noexcept {
    return size > 0 && prefix < page && pages(page + size) == pages(prefix + size) ? page : prefix;
}

CacheFile::~CacheFile() {
    abandon();
}

CacheFile& CacheFile::operator=(CacheFile&& other) noexcept {
    if (this != &other) {
        abandon();
        prefix_ = std::move(other.prefix_);
        path_ = std::move(other.path_);
        zone_length_ = other.zone_length_;
        file_ = std::move(other.file_);
        error_ = other.error_;
    }
    return *this;
}

void CacheFile::abandon() noexcept {
    if (file_) {
        unlink(path_.c_str());
        file_.reset();
    }
}

bool CacheFile::write(StoredFacts facts, ByteView body, std::string_view etag, time_t valid,
                      time_t last_modified) noexcept {
    constexpr int flags = O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC;
    file_.reset(::open(path_.c_str(), flags, 0600));
    if (!file_ && errno == ENOENT && make_folders(path_, zone_length_)) {
        file_.reset(::open(path_.c_str(), flags, 0600));
    }
    if (!file_) {
        error_ = errno;
        return false;
    }
    auto* header = reinterpret_cast<ngx_http_file_cache_header_t*>(prefix_.data());
    header->valid_sec = valid;
    header->last_modified = last_modified;
    header->date = std::time(nullptr);
    header->etag_len = static_cast<u_char>(std::min(etag.size(), sizeof(header->etag)));
    std::memcpy(header->etag, etag.data(), header->etag_len);
    std::memcpy(prefix_.data() + prefix_.size() - sizeof(facts), &facts, sizeof(facts));
    const std::size_t start = body_start(prefix_.size(), body.size());
    header->body_start = static_cast<u_short>(start);

    prefix_.resize(start);  // within what was reserved
    if (file_.write(prefix_, body)) {
        return true;
    }
    error_ = errno;
    unlink(path_.c_str());
    file_.reset();
    return false;
}

std::optional<StoredBody> StoredBody::at(const std::string& path, std::string_view key) noexcept {
    constexpr std::string_view before_key = "\nKEY: ";
    const std::size_t key_at = sizeof(ngx_http_file_cache_header_t) + before_key.size();
    StoredBody body;
    body.file.reset(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
    ngx_http_file_cache_header_t header{};
    struct stat about {};
    if (!body.file || fstat(body.file.get(), &about) != 0 ||
        !body.file.read_at(reinterpret_cast<std::uint8_t*>(&header), sizeof(header), 0) ||
        header.version != NGX_HTTP_CACHE_VERSION || header.valid_sec < std::time(nullptr) ||
        header.header_start != key_at + key.size() + 1 ||
        header.body_start < header.header_start + sizeof(body.facts) || about.st_size < header.body_start) {
        return std::nullopt;
    }
    std::array<char, max_key> found;
    if (key.size() > found.size() ||
        !body.file.read_at(reinterpret_cast<std::uint8_t*>(found.data()), key.size(),
                           static_cast<off_t>(key_at)) ||
        std::string_view(found.data(), key.size()) != key ||
        !body.file.read_at(reinterpret_cast<std::uint8_t*>(&body.facts), sizeof(body.facts),
                           header.header_start) ||
        !body.facts.sound() || body.facts.status != NGX_HTTP_OK) {
        return std::nullopt;
    }
    body.offset = header.body_start;
    body.size = static_cast<std::size_t>(about.st_size - body.offset);
    return body;
}

Result<Encoded> StoredBody::read() const noexcept {
    Encoded rendition;
    rendition.body = Bytes::allocate(size);
    if (rendition.body.data() == nullptr) {
        return Error{503, "out of memory"};
    }
    if (!file.read_at(rendition.body.data(), size, offset)) {
        return Error{500, "the cache failed"};
    }
    rendition.format = static_cast<Format>(facts.format);
    rendition.width = facts.width;
    rendition.height = facts.height;
    rendition.pages = facts.pages;
    return rendition;
}

}  // namespace media
