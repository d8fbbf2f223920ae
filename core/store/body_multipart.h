// multipart/form-data (RFC 7578, RFC 2046 section 5.1).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "core/store/body_guard.h"

namespace media::detail {

/// Whether RFC 2046 allows the text as a boundary.
bool is_boundary(std::string_view text) noexcept;

/// The files of a form: parts with a file name. Other fields are passed over, as is what stands before the
/// first boundary and after the last. Lines end with CRLF and nothing else.
class MultipartBody final : public GuardedBody {
  public:
    MultipartBody(BodySink& sink, std::string_view boundary);

  private:
    enum class At : std::uint8_t { preamble, delimiter, headers, body, epilogue };
    enum class Part : std::uint8_t {
        skipped,  ///< a field
        chosen,   ///< a file
        unnamed,  ///< a file if it has any content: browsers send an empty one where nobody chose a file
    };

    void take(ByteView bytes) override;
    void end() override;

    std::string_view content(std::string_view text);
    std::string_view delimiter(std::string_view text);
    std::string_view headers(std::string_view text);
    void part_data(std::string_view text);
    void begin_part();

    const std::string delimiter_;  ///< CRLF, two hyphens, boundary
    At at_ = At::preamble;
    Part part_ = Part::skipped;
    std::size_t matched_ = 2;  ///< bytes of delimiter_ that have been seen; a body begins at a line's start
    std::size_t match_start_ = 2;  ///< the first of them that is part of this content
    std::string pending_;          ///< of a delimiter's line, or of headers
};

}  // namespace media::detail
