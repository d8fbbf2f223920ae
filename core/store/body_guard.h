// What the parsers of bodies have in common: they stop at the first error, and leave no file open.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <utility>

#include "core/rendition/guard.h"
#include "core/store/body.h"

namespace media::detail {

/// Thrown in a parser where the body as a whole is wrong.
struct BadBody {
    std::string detail;
};

class GuardedBody : public BodyParser {
  public:
    Status feed(ByteView bytes) noexcept final {
        return attempt([&] { take(bytes); });
    }

    Status finish() noexcept final {
        return attempt([&] { end(); });
    }

  protected:
    explicit GuardedBody(BodySink& sink) noexcept : sink_(sink) {}

    virtual void take(ByteView bytes) = 0;
    virtual void end() = 0;

    void begin_file() {
        count_item();
        open_ = true;
        sink_.begin_file();
    }
    void data(ByteView bytes) {
        if (open_ && !bytes.empty()) {
            sink_.data(bytes);
        }
    }
    void end_file() {
        if (std::exchange(open_, false)) {
            sink_.end_file();
        }
    }
    /// What is still said of this file is not looked at.
    void fail_file(std::string detail) {
        if (std::exchange(open_, false)) {
            sink_.fail_file({400, std::move(detail)});
        }
    }
    void url(std::string text) {
        count_item();
        sink_.url(std::move(text));
    }
    void refetch(bool again) { sink_.refetch(again); }

    std::size_t items() const noexcept { return items_; }
    bool file_open() const noexcept { return open_; }

  private:
    void count_item() {
        if (++items_ > max_body_items) {
            throw BadBody{"more than " + std::to_string(max_body_items) + " files or URLs in one body"};
        }
    }

    template <class Work>
    Status attempt(Work&& work) noexcept {
        return guarded([&]() -> Status {
            if (!failed_) {
                try {
                    work();
                    return Nothing{};
                } catch (BadBody& bad) {
                    failed_ = Error{400, std::move(bad.detail)};
                } catch (...) {  // the sink's, or ours: memory
                    failed_ = Error{500, "out of memory"};
                }
                if (std::exchange(open_, false)) {
                    sink_.fail_file(*failed_);
                }
            }
            return *failed_;
        });
    }

    BodySink& sink_;
    std::size_t items_ = 0;
    bool open_ = false;
    std::optional<Error> failed_;
};

}  // namespace media::detail
