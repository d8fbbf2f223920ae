// The Redis protocol (RESP2): commands as bytes, bytes as replies. No sockets.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

struct redisReply;
struct redisReader;

namespace media {

/// Appends one command to `out`.
void append_command(std::string& out, std::span<const std::string_view> words);
inline void append_command(std::string& out, std::initializer_list<std::string_view> words) {
    append_command(out, std::span{words.begin(), words.size()});
}

/// The first command of a batch that append_command() wrote. Empty where there is none.
std::string_view first_command(std::string_view batch) noexcept;

/// One value of a reply, owned by the RespReply that it is part of.
class RespValue {
  public:
    explicit RespValue(const redisReply* value) noexcept : value_(value) {}

    bool nil() const noexcept;
    bool error() const noexcept;
    bool array() const noexcept;
    bool string() const noexcept;  ///< bulk string
    bool ok() const noexcept;      ///< the status OK

    std::string_view text() const noexcept;  ///< of strings, statuses and errors; else empty
    std::optional<std::int64_t> integer() const noexcept;
    std::size_t size() const noexcept;  ///< elements of an array; else 0
    RespValue operator[](std::size_t index) const noexcept;

  private:
    const redisReply* value_;
};

/// A whole reply. Movable; may be read and freed on another thread than it was parsed on.
class RespReply {
  public:
    RespReply() = default;
    RespValue value() const noexcept { return RespValue{reply_.get()}; }
    explicit operator bool() const noexcept { return reply_ != nullptr; }

  private:
    friend class RespParser;
    struct Free {
        void operator()(redisReply* reply) const noexcept;
    };
    std::unique_ptr<redisReply, Free> reply_;
};

/// Turns the bytes of one connection into replies.
class RespParser {
  public:
    RespParser();

    /// Takes bytes as they come.
    bool feed(const char* data, std::size_t size) noexcept;

    enum class Outcome : std::uint8_t { reply, more, broken };
    /// The next reply, if it is there. `broken`: these are no replies of a Redis; nothing more will come.
    Outcome next(RespReply& reply) noexcept;

    /// Bytes that wait to become a reply.
    std::size_t buffered() const noexcept;

  private:
    struct Free {
        void operator()(redisReader* reader) const noexcept;
    };
    std::unique_ptr<redisReader, Free> reader_;
};

}  // namespace media
