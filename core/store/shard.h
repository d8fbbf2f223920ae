// The folder of a key, locked.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/fd.h"
#include "core/store/record.h"

namespace media {

/// While it lives, nobody else publishes or deletes what lies in this folder, in this process or another.
class Shard {
  public:
    /// Makes the folder below `root`, which is there, and waits for its lock.
    static Shard make(const std::string& root, std::string_view key);
    /// The same where it exists.
    static std::optional<Shard> find(const std::string& root, std::string_view key);
    /// As make() where nobody has it locked.
    static std::optional<Shard> try_make(const std::string& root, std::string_view key);

    int fd() const { return folder_.get(); }

    /// The record of `key` whose original is there; nothing where one of them is not, or is damaged.
    std::optional<Record> whole(std::string_view key) const;

    /// Removes the folder, and the one it is in, where they are empty.
    void remove_if_empty() const noexcept;

  private:
    enum class Mode { make, find, try_make };
    static std::optional<Shard> open(const std::string& root, std::string_view key, Mode mode);
    Shard(std::string root, std::string folder, Fd fd)
        : root_(std::move(root)), name_(std::move(folder)), folder_(std::move(fd)) {}

    std::string root_, name_;
    Fd folder_;
};

/// Names in the folder of a key.
std::string record_name(std::string_view key);
std::string original_name(const Record& record);

/// No record is longer.
inline constexpr std::size_t longest_record = std::size_t{1} << 20U;

/// As Shard::whole in a folder that may be unlocked. `damaged` is set where there is a record that says
/// nothing.
std::optional<Record> whole_record(int folder, std::string_view key, const std::string& prefix,
                                   bool* damaged = nullptr);

}  // namespace media
