#include "core/base/error.h"

#include "core/base/utf8.h"

namespace media {
namespace {

void append_escape(std::string& out, char c) {
    static constexpr char digits[] = "0123456789abcdef";
    switch (c) {
        case '"':
            out += "\\\"";
            return;
        case '\\':
            out += "\\\\";
            return;
        case '\b':
            out += "\\b";
            return;
        case '\f':
            out += "\\f";
            return;
        case '\n':
            out += "\\n";
            return;
        case '\r':
            out += "\\r";
            return;
        case '\t':
            out += "\\t";
            return;
        default:
            out += "\\u00";
            out += digits[(static_cast<unsigned char>(c) >> 4) & 0xF];
            out += digits[static_cast<unsigned char>(c) & 0xF];
    }
}

void append_json(std::string& out, std::string_view text) {
    out += '"';
    while (!text.empty()) {
        const char c = text.front();
        if (c == '"' || c == '\\' || static_cast<unsigned char>(c) < 0x20) {
            append_escape(out, c);
            text.remove_prefix(1);
            continue;
        }
        const Utf8Step step = utf8_step(text);
        out += step.valid ? text.substr(0, step.length) : std::string_view("\xEF\xBF\xBD");
        text.remove_prefix(step.length);
    }
    out += '"';
}

}  // namespace

std::string_view title_of(int status) noexcept {
    switch (status) {
        case 400:
            return "Bad Request";
        case 401:
            return "Unauthorized";
        case 403:
            return "Forbidden";
        case 404:
            return "Not Found";
        case 405:
            return "Method Not Allowed";
        case 406:
            return "Not Acceptable";
        case 408:
            return "Request Timeout";
        case 409:
            return "Conflict";
        case 410:
            return "Gone";
        case 411:
            return "Length Required";
        case 412:
            return "Precondition Failed";
        case 413:
            return "Content Too Large";
        case 414:
            return "URI Too Long";
        case 415:
            return "Unsupported Media Type";
        case 416:
            return "Range Not Satisfiable";
        case 422:
            return "Unprocessable Content";
        case 429:
            return "Too Many Requests";
        case 500:
            return "Internal Server Error";
        case 501:
            return "Not Implemented";
        case 502:
            return "Bad Gateway";
        case 503:
            return "Service Unavailable";
        case 504:
            return "Gateway Timeout";
        case 507:
            return "Insufficient Storage";
        default:
            return "Error";
    }
}

std::string json_string(std::string_view text) {
    std::string out;
    out.reserve(text.size() + 2);
    append_json(out, text);
    return out;
}

std::string problem_json(const Error& error) {
    const std::string_view title = title_of(error.status);
    std::string out;
    out.reserve(64 + title.size() + error.detail.size() + error.parameter.size());
    out += "{\"status\":";
    out += std::to_string(error.status);
    out += ",\"title\":";
    append_json(out, title);
    out += ",\"detail\":";
    append_json(out, error.detail.empty() ? title : std::string_view(error.detail));
    if (!error.parameter.empty()) {
        out += ",\"param\":";
        append_json(out, error.parameter);
    }
    out += '}';
    return out;
}

}  // namespace media
