// {"data": {"image": …}}, {"data": [{"image": …}, …]}, {"urls": […], "refetch": true}.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/store/body_guard.h"
#include "core/store/json_reader.h"
#include "core/store/picture_text.h"

namespace media::detail {

/// The files or the URLs of a JSON body. Nothing but what stands above is taken; a file that is no base 64
/// fails alone.
class JsonBody final : public GuardedBody, private JsonHandler {
  public:
    explicit JsonBody(BodySink& sink) : GuardedBody(sink) {}

  private:
    enum class At : std::uint8_t { start, top, files, file, urls };
    enum class Member : std::uint8_t { none, data, urls, refetch };

    void take(ByteView bytes) override;
    void end() override;

    void begin_object() override;
    void end_object() override;
    void begin_array() override;
    void end_array() override;
    void member(const std::string& name) override;
    void begin_string() override;
    void text(std::string_view piece) override;
    void end_string() override;
    void boolean(bool value) override;
    [[noreturn]] void other() override;

    [[noreturn]] void unexpected() const;
    void flush();

    JsonReader reader_{*this};
    At at_ = At::start;
    Member member_ = Member::none;  ///< of the top, whose value is being read
    bool listed_ = false;           ///< the file is one of a list
    bool image_seen_ = false;       ///< in this file
    bool source_seen_ = false;      ///< data or urls
    bool refetch_seen_ = false;
    bool urls_seen_ = false;
    std::string url_;
    std::optional<PictureText> picture_;
    std::vector<std::uint8_t> decoded_;  ///< of the file, not yet passed on
};

}  // namespace media::detail
