// What a request to the upload location carries: files, or URLs of files.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "core/base/bytes.h"
#include "core/base/result.h"

namespace media {

/// Files and URLs that one body may carry.
inline constexpr std::size_t max_body_items = 1000;

/// Bytes of a URL in a body.
inline constexpr std::size_t max_body_url = 8192;

/// Where a body's files and URLs go, in the order sent. An item's own failure is the sink's to remember:
/// parsing goes on with the next. Called in the thread that feeds the parser.
class BodySink {
  public:
    virtual ~BodySink() = default;

    virtual void begin_file() = 0;
    virtual void data(ByteView bytes) = 0;
    /// The file is whole.
    virtual void end_file() = 0;
    /// Instead of end_file(): what came is not a file (400, base 64 that is none), or not all of one.
    virtual void fail_file(Error error) = 0;

    virtual void url(std::string url) = 0;
    /// Whether URLs that are known are to be fetched again. May come after them.
    virtual void refetch(bool again) = 0;
};

/// Takes a body in pieces of any size; memory does not grow with it. One thread at a time.
class BodyParser {
  public:
    virtual ~BodyParser() = default;

    /// 400 with what is wrong with the body as a whole; then a file that had begun has failed, and nothing
    /// more of the body is looked at: every later call says the same.
    virtual Status feed(ByteView bytes) noexcept = 0;

    /// The body has ended. 400 where it must not end here, or carried neither file nor URL.
    virtual Status finish() noexcept = 0;
};

/// The parser for a body of this Content-Type (empty: the file itself, as RFC 9110, section 8.3 allows). 415
/// for one that is not taken, 400 for multipart without a usable boundary. With `put` only the file itself is
/// taken. `sink` must outlive the parser. docs: module/clients.md.
Result<std::unique_ptr<BodyParser>> body_parser(std::string_view content_type, BodySink& sink,
                                                bool put) noexcept;

}  // namespace media
