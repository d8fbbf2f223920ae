#include "core/store/body.h"

#include <optional>
#include <utility>

#include "core/store/body_guard.h"
#include "core/store/body_json.h"
#include "core/store/body_multipart.h"
#include "core/store/header_value.h"

namespace media {
namespace detail {
namespace {

/// The body is the file.
class PlainBody final : public GuardedBody {
  public:
    explicit PlainBody(BodySink& sink) : GuardedBody(sink) {}

  private:
    void take(ByteView bytes) override {
        if (items() == 0 && !bytes.empty()) {
            begin_file();
        }
        data(bytes);
    }

    void end() override {
        if (items() == 0) {
            throw BadBody{"the body is empty"};
        }
        end_file();
    }
};

Result<std::unique_ptr<BodyParser>> parser_of(std::string_view content_type, BodySink& sink, bool put) {
    std::optional<HeaderValue> type = parse_header_value(content_type);
    if (trimmed(content_type).empty()) {
        type = HeaderValue{"application/octet-stream", {}};
    }
    if (!type) {
        return Error{415, "the Content-Type is malformed"};
    }
    const std::string& kind = type->value;
    if (kind.starts_with("image/") || kind == "application/octet-stream" || kind == "application/pdf") {
        return std::unique_ptr<BodyParser>{std::make_unique<PlainBody>(sink)};
    }
    if (put) {
        return Error{415, "PUT takes the file itself: image/* or application/octet-stream"};
    }
    if (kind == "application/json") {
        return std::unique_ptr<BodyParser>{std::make_unique<JsonBody>(sink)};
    }
    if (kind != "multipart/form-data") {
        return Error{415,
                     "POST takes multipart/form-data, application/json, image/* or application/octet-stream"};
    }
    const std::string* boundary = type->find("boundary");
    if (boundary == nullptr || !is_boundary(*boundary)) {
        return Error{400, "multipart/form-data without a usable boundary"};
    }
    return std::unique_ptr<BodyParser>{std::make_unique<MultipartBody>(sink, *boundary)};
}

}  // namespace
}  // namespace detail

Result<std::unique_ptr<BodyParser>> body_parser(std::string_view content_type, BodySink& sink,
                                                bool put) noexcept {
    return detail::guarded([&] { return detail::parser_of(content_type, sink, put); });
}

}  // namespace media
