// What is known of an original.
#pragma once

#include <cstdint>
#include <ctime>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"

namespace media {

/// One original of a store. Texts are UTF-8; what is not known is empty.
struct Record {
    std::string key;          ///< SHA-256 of the bytes, lower-case hex
    std::string extension{};  ///< of its file, from the type, without the dot
    std::string type{};       ///< media type of the content
    std::uint64_t bytes = 0;
    int width = 0, height = 0;  ///< of one page, upright
    int pages = 1;
    std::string sha256{}, md5{};  ///< of the bytes, lower-case hex
    std::string source{};         ///< the URL it was first fetched from
    std::string created{};        ///< RFC 3339, UTC
    std::string subject{};        ///< whose token it came with
    std::string claims{};         ///< a JSON object
    /// Further URLs that gave the same bytes.
    std::vector<std::string> sources{};

    /// Where the original lies below its store: "ab/cd/<key>.<extension>".
    std::string path() const;

    /// Whether `url` has given these bytes.
    bool comes_from(std::string_view url) const noexcept;

    /// The whole record. `url` is told where it is not empty; the file of a record holds none.
    std::string to_json(std::string_view url) const;

    /// What is told to whoever uploads: `status` first, neither subject nor claims, for the record may be
    /// that of another who had the same bytes before.
    std::string item_json(std::string_view status, std::string_view url) const;

    /// Reads to_json(). Error 422 for anything else, however damaged.
    static Result<Record> parse(std::string_view json) noexcept;
};

/// `time` as RFC 3339 writes it, in UTC.
std::string utc_time(std::time_t time);

}  // namespace media
