// What went wrong, as an HTTP client is told it.
#pragma once

#include <string>
#include <string_view>

namespace media {

/// A failure with its HTTP status. `detail` and `parameter` are shown to clients: they never hold a path of
/// the server nor a library's message.
struct Error {
    int status = 500;
    std::string detail;
    std::string parameter{};  ///< the query parameter at fault, or empty
    int cause{};              ///< the errno behind it, for the log alone; 0: none
};

/// The reason phrase of a status this project answers with (RFC 9110, section 15); "Error" for others.
std::string_view title_of(int status) noexcept;

/// The body of an `application/problem+json` answer (RFC 9457, section 3.1).
std::string problem_json(const Error& error);

/// `text` as a JSON string with its quotes (RFC 8259, section 7); bytes that are not UTF-8 become U+FFFD.
std::string json_string(std::string_view text);

}  // namespace media
