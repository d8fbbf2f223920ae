// ngx-media-sign: prints signed URLs.

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>
#include <string_view>

#include "core/access/signature.h"

namespace {

constexpr std::string_view usage =
    "usage: ngx-media-sign KEY [--for SECONDS] URL...\n"
    "  KEY           hex, or file:PATH of a file with that hex, as in media_signature\n"
    "  --for SECONDS adds exp: the links end so many seconds from now\n"
    "  URL           a path with its query, or a whole URL: /img/a.jpg?w=400\n";

int complain(std::string_view text) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(text.size()), text.data());
    return 2;
}

// Where the path begins: behind scheme and host, if there are any.
std::size_t path_start(std::string_view url) {
    const std::size_t scheme = url.find("://");
    const std::size_t end = url.find_first_of("/?");
    if (scheme == std::string_view::npos || scheme > end) {
        return 0;
    }
    return std::min(url.find('/', scheme + 3), url.size());
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) {
        std::fputs(usage.data(), stderr);
        return 2;
    }
    const auto key = media::read_signing_key(argv[1]);
    if (!key) {
        return complain(key.error().detail);
    }
    int next = 2;
    std::string expiry;
    if (std::string_view{argv[next]} == "--for" && argc > next + 2) {
        char* end = nullptr;
        const long seconds = std::strtol(argv[next + 1], &end, 10);
        if (*end != '\0' || seconds <= 0) {
            return complain("--for takes a number of seconds");
        }
        expiry = "exp=" + std::to_string(std::time(nullptr) + seconds);
        next += 2;
    }
    for (; next < argc; ++next) {
        std::string url = argv[next];
        if (!expiry.empty()) {
            url += (url.find('?') == std::string::npos ? '?' : '&') + expiry;
        }
        const std::string_view rest = std::string_view{url}.substr(path_start(url));
        const std::size_t mark = std::min(rest.find('?'), rest.size());
        const std::string_view query = rest.substr(std::min(mark + 1, rest.size()));
        if (rest.empty() || rest.front() != '/') {
            return complain("not a URL: " + url);
        }
        const auto signature = media::sign_url(*key, rest.substr(0, mark), query);
        if (!signature) {
            return complain(signature.error().detail + ": " + url);
        }
        const char* joint = mark == rest.size() ? "?" : query.empty() ? "" : "&";
        std::printf("%s%ss=%s\n", url.c_str(), joint, signature->c_str());
    }
    return 0;
}
