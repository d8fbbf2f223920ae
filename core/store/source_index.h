// Which URL gave which original.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace media {

/// Entries are files of .sources, named by the SHA-256 of their URL, that hold a key. An entry says where to
/// look; only a record that names the URL makes it true. Every function waits for the disk; safe among
/// threads and processes. They throw disk::Failure.
class SourceIndex {
  public:
    explicit SourceIndex(const std::string& root);

    /// The key that `url` gave last.
    std::optional<std::string> find(std::string_view url) const;

    /// On disk when it returns.
    void put(std::string_view url, std::string_view key) const;

    /// Forgets `url`, unless it gave something else since.
    void drop(std::string_view url, std::string_view key) const;

  private:
    const std::string& root_;
};

/// The name of a URL in indexes: lower-case hex of its SHA-256.
std::string source_name(std::string_view url);

}  // namespace media
