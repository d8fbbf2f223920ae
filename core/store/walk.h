// Through a store in the order of keys.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace media {

/// Calls `use` with each folder "ab/cd" below `root`, a descriptor, that may hold keys after `after`, a key
/// or empty, in order, until it returns false. Throws disk::Failure.
void each_folder(int root, std::string_view after, const std::function<bool(const std::string& folder)>& use);

/// The same with the key of each record after `after`.
void each_key(int root, std::string_view after,
              const std::function<bool(const std::string& folder, std::string_view key)>& use);

}  // namespace media
