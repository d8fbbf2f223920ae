// A body parsed, and what came of it as one text.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

#include "core/store/body.h"

namespace media::testing {

/// Writes down what a parser says: "file(bytes)", "fail(400 why)", "url(...)", "refetch(1)", each followed by
/// a space; and holds the parser to the order that is promised.
class Written final : public BodySink {
  public:
    std::string log;

    void begin_file() override {
        EXPECT_FALSE(open_);
        open_ = true;
        file_.clear();
    }
    void data(ByteView bytes) override {
        EXPECT_TRUE(open_);
        EXPECT_FALSE(bytes.empty());
        file_.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
    }
    void end_file() override {
        EXPECT_TRUE(open_);
        open_ = false;
        log += "file(" + file_ + ") ";
    }
    void fail_file(Error error) override {
        EXPECT_TRUE(open_);
        open_ = false;
        log += "fail(" + std::to_string(error.status) + ' ' + error.detail + ") ";
    }
    void url(std::string url) override {
        EXPECT_FALSE(open_);
        log += "url(" + url + ") ";
    }
    void refetch(bool again) override { log += again ? "refetch(1) " : "refetch(0) "; }

    bool open() const { return open_; }

  private:
    bool open_ = false;
    std::string file_;
};

/// The log of `body`, cut into pieces by `next_size`, and the error that ended it, if any.
inline std::string parsed(std::string_view type, std::string_view body,
                          const std::function<std::size_t()>& next_size, bool put = false) {
    Written written;
    auto parser = body_parser(type, written, put);
    if (!parser) {
        return std::to_string(parser.error().status) + ' ' + parser.error().detail;
    }
    Status status = Nothing{};
    while (status && !body.empty()) {
        const std::string_view piece = body.substr(0, next_size());
        body.remove_prefix(piece.size());
        // A copy of its own, so that a sanitizer sees who reads beyond a piece.
        const std::unique_ptr<char[]> copy{new char[piece.size()]};
        piece.copy(copy.get(), piece.size());
        status = (*parser)->feed(bytes_of({copy.get(), piece.size()}));
    }
    const Status end = (*parser)->finish();
    EXPECT_FALSE(written.open());
    if (!status) {
        EXPECT_FALSE(end) << "an error must stay";
    }
    return end ? written.log : written.log + std::to_string(end.error().status) + ' ' + end.error().detail;
}

/// In one piece.
inline std::string parsed_whole(std::string_view type, std::string_view body, bool put = false) {
    return parsed(
        type, body, [&] { return body.size(); }, put);
}

/// `body` gives `log` in one piece, byte by byte, and in two pieces, wherever it is cut.
inline void expect_log(std::string_view type, std::string_view body, std::string_view log) {
    EXPECT_EQ(parsed_whole(type, body), log) << body;
    EXPECT_EQ(parsed(type, body, [] { return 1; }), log) << body;
    for (std::size_t cut = 1; cut < body.size(); ++cut) {
        std::size_t size = cut;
        EXPECT_EQ(parsed(type, body, [&] { return std::exchange(size, body.size()); }), log)
            << body << "\ncut at " << cut;
    }
}

}  // namespace media::testing
