#include "core/store/body_multipart.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "core/store/header_value.h"

namespace media::detail {
namespace {

constexpr std::size_t longest_headers = 16384;
constexpr std::size_t longest_padding = 1024;

/// What a part's headers say that matters here.
struct PartHeaders {
    std::optional<HeaderValue> disposition;
    std::string type;
    std::string encoding;
};

HeaderValue parsed_or_bad(std::string_view name, std::string_view value) {
    std::optional<HeaderValue> parsed = parse_header_value(value);
    if (!parsed) {
        throw BadBody{"a part's " + std::string{name} + " is malformed"};
    }
    return std::move(*parsed);
}

void read_header(std::string_view line, PartHeaders& headers) {
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || colon == 0 ||
        line.substr(0, colon).find_first_of(" \t") != line.npos) {
        throw BadBody{"a part has a malformed header"};
    }
    const std::string name = lower_case(line.substr(0, colon));
    const std::string_view value = line.substr(colon + 1);
    if (name == "content-disposition") {
        if (headers.disposition) {
            throw BadBody{"a part has two headers Content-Disposition"};
        }
        headers.disposition = parsed_or_bad("Content-Disposition", value);
    } else if (name == "content-type") {
        headers.type = parsed_or_bad("Content-Type", value).value;
    } else if (name == "content-transfer-encoding") {
        headers.encoding = parsed_or_bad("Content-Transfer-Encoding", value).value;
    }
}

/// `block`: lines, each with its CRLF. A line that begins with white space continues the one before it.
PartHeaders read_headers(std::string_view block) {
    PartHeaders headers;
    while (!block.empty()) {
        std::string line;
        do {
            const std::size_t end = block.find("\r\n");
            line += block.substr(0, end);
            block.remove_prefix(end + 2);
        } while (block.starts_with(' ') || block.starts_with('\t'));
        if (line.find_first_of(std::string_view{"\r\n\0", 3}) != std::string::npos) {
            throw BadBody{"a part's headers hold a line that does not end with CRLF"};
        }
        read_header(line, headers);
    }
    return headers;
}

}  // namespace

bool is_boundary(std::string_view text) noexcept {
    constexpr std::string_view others = "'()+_,-./:=? ";
    for (const char c : text) {
        const char lower = static_cast<char>(c | 0x20);
        if (!(c >= '0' && c <= '9') && !(lower >= 'a' && lower <= 'z') && others.find(c) == others.npos) {
            return false;
        }
    }
    return !text.empty() && text.size() <= 70 && text.back() != ' ';
}

MultipartBody::MultipartBody(BodySink& sink, std::string_view boundary)
    : GuardedBody(sink), delimiter_("\r\n--" + std::string{boundary}) {}

void MultipartBody::take(ByteView bytes) {
    std::string_view text{reinterpret_cast<const char*>(bytes.data()), bytes.size()};
    while (!text.empty()) {
        switch (at_) {
            case At::preamble:
            case At::body:
                text = content(text);
                break;
            case At::delimiter:
                text = delimiter(text);
                break;
            case At::headers:
                text = headers(text);
                break;
            case At::epilogue:
                return;
        }
    }
}

/// Up to the next delimiter. Only its first byte is a CR, so where a match breaks off the next can begin no
/// earlier than at the byte that broke it.
std::string_view MultipartBody::content(std::string_view text) {
    while (!text.empty()) {
        if (matched_ > 0) {
            if (text.front() == delimiter_[matched_]) {
                text.remove_prefix(1);
                if (++matched_ == delimiter_.size()) {
                    if (at_ == At::body) {
                        end_file();
                    }
                    at_ = At::delimiter;
                    break;
                }
                continue;
            }
            part_data(std::string_view{delimiter_}.substr(match_start_, matched_ - match_start_));
            matched_ = match_start_ = 0;
        }
        const std::size_t plain = std::min(text.find('\r'), text.size());
        part_data(text.substr(0, plain));
        text.remove_prefix(plain);
        if (!text.empty()) {
            text.remove_prefix(1);
            matched_ = 1;
        }
    }
    return text;
}

void MultipartBody::part_data(std::string_view text) {
    if (at_ != At::body || text.empty()) {
        return;
    }
    if (part_ == Part::unnamed && !file_open()) {
        begin_file();
    }
    data(bytes_of(text));
}

/// The rest of a delimiter's line: two hyphens after the last part, else white space and CRLF.
std::string_view MultipartBody::delimiter(std::string_view text) {
    while (!text.empty()) {
        const char c = text.front();
        text.remove_prefix(1);
        if (pending_ == "-") {
            if (c != '-') {
                throw BadBody{"a boundary is followed by something else on its line"};
            }
            pending_.clear();
            at_ = At::epilogue;
            break;
        }
        if (pending_.ends_with('\r') && c == '\n') {
            pending_.clear();
            at_ = At::headers;
            break;
        }
        const bool padding = c == ' ' || c == '\t' || c == '\r';
        if (pending_.ends_with('\r') || !(padding || (c == '-' && pending_.empty())) ||
            pending_.size() == longest_padding) {
            throw BadBody{"a boundary is followed by something else on its line"};
        }
        pending_ += c;
    }
    return text;
}

/// Up to the empty line that ends a part's headers.
std::string_view MultipartBody::headers(std::string_view text) {
    while (!text.empty()) {
        const std::size_t line = std::min(text.find('\n'), text.size() - 1) + 1;
        if (pending_.size() + line > longest_headers) {
            throw BadBody{"the headers of a part have more than " + std::to_string(longest_headers) +
                          " bytes"};
        }
        pending_ += text.substr(0, line);
        text.remove_prefix(line);
        if (pending_ == "\r\n" || pending_.ends_with("\r\n\r\n")) {
            begin_part();
            break;
        }
    }
    return text;
}

void MultipartBody::begin_part() {
    pending_.resize(pending_.size() - 2);
    const PartHeaders headers = read_headers(pending_);
    pending_.clear();
    at_ = At::body;
    matched_ = match_start_ = 2;
    if (!headers.disposition || headers.disposition->value != "form-data") {
        throw BadBody{"a part lacks the header Content-Disposition: form-data"};
    }
    if (headers.type.starts_with("multipart/")) {
        throw BadBody{"a part is a multipart of its own"};
    }
    const std::string* name = headers.disposition->find("filename");
    const bool extended = headers.disposition->find("filename*") != nullptr;
    part_ = extended || (name != nullptr && !name->empty()) ? Part::chosen
            : name != nullptr                               ? Part::unnamed
                                                            : Part::skipped;
    const bool plain = headers.encoding.empty() || headers.encoding == "binary" ||
                       headers.encoding == "8bit" || headers.encoding == "7bit";
    if (part_ == Part::chosen || (part_ == Part::unnamed && !plain)) {
        begin_file();
    }
    if (!plain) {
        fail_file("a part has a Content-Transfer-Encoding other than binary, 8bit and 7bit");
        part_ = Part::skipped;
    }
}

void MultipartBody::end() {
    if (at_ != At::epilogue) {
        throw BadBody{at_ == At::preamble ? "the boundary of the Content-Type does not occur in the body"
                                          : "the body ends before its last boundary"};
    }
    if (items() == 0) {
        throw BadBody{"no part of the body is a file: none has a file name"};
    }
}

}  // namespace media::detail
