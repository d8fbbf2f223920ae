// What lies where in a store.
#pragma once

#include <string>
#include <string_view>

namespace media {

/// Folders of a store that hold no originals.
namespace store_folder {
inline constexpr std::string_view incoming = ".incoming";  ///< files on their way in, and intents
inline constexpr std::string_view events = ".events";      ///< what is still to be told to others
inline constexpr std::string_view sources = ".sources";    ///< which URL gave which original
inline constexpr std::string_view rejected = ".rejected";  ///< what moderation refused, with its records
inline constexpr std::string_view links = ".presigned";    ///< which links for one upload were used
}  // namespace store_folder

/// Whether a path below a store is the store's own business and never served: one of its folders and all that
/// is in it, or a record. Takes the path as it comes, with or without a slash before it.
bool is_private(std::string_view path_below_root) noexcept;

/// Whether a text is a key: lower-case hex of a SHA-256.
bool is_key(std::string_view text) noexcept;

/// "ab/cd", the folder of a key.
std::string folder_of(std::string_view key);

/// "folder/name".
std::string below(std::string_view folder, std::string_view name);

}  // namespace media
