#include "core/share/resp.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <charconv>
#include <new>

namespace media {

namespace {

void append_length(std::string& out, char sign, std::size_t length) {
    out += sign;
    out += std::to_string(length);
    out += "\r\n";
}

// Takes a line like `*3` or `$12` off the front; its number.
std::size_t take_length(std::string_view& text) noexcept {
    const std::size_t end = text.find("\r\n");
    std::size_t length = 0;
    if (end == std::string_view::npos || end == 0 ||
        std::from_chars(text.data() + 1, text.data() + end, length).ptr != text.data() + end) {
        text = {};
        return 0;
    }
    text.remove_prefix(end + 2);
    return length;
}

}  // namespace

void append_command(std::string& out, std::span<const std::string_view> words) {
    std::size_t size = 16;
    for (const std::string_view word : words) {
        size += word.size() + 16;
    }
    out.reserve(out.size() + size);
    append_length(out, '*', words.size());
    for (const std::string_view word : words) {
        append_length(out, '$', word.size());
        out += word;
        out += "\r\n";
    }
}

std::string_view first_command(std::string_view batch) noexcept {
    std::string_view rest = batch;
    for (std::size_t words = take_length(rest); words > 0; --words) {
        const std::size_t length = take_length(rest);
        rest.remove_prefix(std::min(length + 2, rest.size()));
    }
    return batch.substr(0, batch.size() - rest.size());
}

bool RespValue::nil() const noexcept {
    return value_ == nullptr || value_->type == REDIS_REPLY_NIL;
}

bool RespValue::error() const noexcept {
    return value_ != nullptr && value_->type == REDIS_REPLY_ERROR;
}

bool RespValue::array() const noexcept {
    return value_ != nullptr && value_->type == REDIS_REPLY_ARRAY;
}

bool RespValue::string() const noexcept {
    return value_ != nullptr && value_->type == REDIS_REPLY_STRING;
}

bool RespValue::ok() const noexcept {
    return value_ != nullptr && value_->type == REDIS_REPLY_STATUS && text() == "OK";
}

std::string_view RespValue::text() const noexcept {
    if (value_ == nullptr || value_->str == nullptr) {
        return {};
    }
    const bool has_text = value_->type == REDIS_REPLY_STRING || value_->type == REDIS_REPLY_STATUS ||
                          value_->type == REDIS_REPLY_ERROR;
    return has_text ? std::string_view{value_->str, value_->len} : std::string_view{};
}

std::optional<std::int64_t> RespValue::integer() const noexcept {
    if (value_ == nullptr || value_->type != REDIS_REPLY_INTEGER) {
        return std::nullopt;
    }
    return value_->integer;
}

std::size_t RespValue::size() const noexcept {
    return array() ? value_->elements : 0;
}

RespValue RespValue::operator[](std::size_t index) const noexcept {
    return RespValue{index < size() ? value_->element[index] : nullptr};
}

void RespReply::Free::operator()(redisReply* reply) const noexcept {
    freeReplyObject(reply);
}

void RespParser::Free::operator()(redisReader* reader) const noexcept {
    redisReaderFree(reader);
}

RespParser::RespParser() : reader_(redisReaderCreate()) {
    if (reader_ == nullptr) {
        throw std::bad_alloc{};
    }
}

bool RespParser::feed(const char* data, std::size_t size) noexcept {
    return redisReaderFeed(reader_.get(), data, size) == REDIS_OK;
}

RespParser::Outcome RespParser::next(RespReply& reply) noexcept {
    void* found = nullptr;
    if (redisReaderGetReply(reader_.get(), &found) != REDIS_OK) {
        return Outcome::broken;
    }
    if (found == nullptr) {
        return Outcome::more;
    }
    reply.reply_.reset(static_cast<redisReply*>(found));
    return Outcome::reply;
}

std::size_t RespParser::buffered() const noexcept {
    return reader_->len - reader_->pos;
}

}  // namespace media
