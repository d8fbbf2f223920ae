// ngx-media-store: looks after a store of originals.

#include <grp.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>

#include "core/ngx_media_store_redis.h"
#include "core/store/audit.h"
#include "core/store/source_index.h"
#include "core/store/store.h"

namespace {

using media::Error;
using media::Nothing;
using media::Record;
using media::Status;

constexpr std::string_view usage =
    "usage: ngx-media-store check PATH\n"
    "       ngx-media-store mend PATH\n"
    "       ngx-media-store mirror PATH --redis=ADDRESS [--prefix=P] [--db=N] [--user=U] [--password=P]\n"
    "  PATH     a folder of media_upload\n"
    "  check    reads every original and tells which are not what their records say; changes nothing\n"
    "  mend     completes or takes back what was interrupted, and makes the index of sources anew\n"
    "  mirror   puts all records and sources back into Redis, as media_redis has them: ADDRESS is "
    "host:port,\n"
    "           [v6]:port or unix:/path, of a cluster any one node; --prefix is media: unless given; the "
    "password\n"
    "           is taken from REDISCLI_AUTH where that is set and the option is not\n"
    "Run by root, it acts as the owner of PATH.\n";

int complain(std::string_view text) {
    std::fprintf(stderr, "ngx-media-store: %.*s\n", static_cast<int>(text.size()), text.data());
    return 2;
}

int complain(const Error& error) {
    return complain(error.cause == 0 ? error.detail : error.detail + ": " + std::strerror(error.cause));
}

// What root makes, the workers of the server could not read.
bool become_owner(const char* path) {
    struct stat facts {};
    if (geteuid() != 0) {
        return true;
    }
    if (stat(path, &facts) != 0) {
        return false;
    }
    return facts.st_uid == 0 ||
           (setgroups(0, nullptr) == 0 && setgid(facts.st_gid) == 0 && setuid(facts.st_uid) == 0);
}

int check(const std::string& path) {
    const auto audit = media::audit(path, [](const std::string& name, std::string_view what) {
        std::printf("%s: %.*s\n", name.c_str(), static_cast<int>(what.size()), what.data());
    });
    if (!audit) {
        return complain(audit.error());
    }
    std::printf("%llu originals, %llu wrong\n", static_cast<unsigned long long>(audit->originals),
                static_cast<unsigned long long>(audit->wrong));
    return audit->wrong == 0 ? 0 : 1;
}

int mend(const std::string& path) {
    // Who is to be told of an event, the server knows: what is to be told is left for it.
    const Error left{503, "left for the server"};
    const auto leave = [&left](const Record&) -> Status { return left; };
    const Status mended =
        media::Store(path).mend([&left](const Record&, bool) -> Status { return left; }, leave, leave);
    if (!mended && mended.error().status != left.status) {
        return complain(mended.error());
    }
    const Status indexed = media::rebuild_index(path);
    return indexed ? 0 : complain(indexed.error());
}

int mirror(const std::string& path, const media::RedisLogin& login, const std::string& prefix) {
    media::RedisWriter redis(login);
    unsigned long long records = 0;
    unsigned long long sources = 0;
    const media::Store store(path);
    const auto mirror_source = [&](const Record& record, const std::string& url) -> Status {
        // Another original may have come from there since.
        const auto latest = store.find_by_source(url);
        if (url.empty() || !latest || latest->key != record.key) {
            return Nothing{};
        }
        ++sources;
        return redis.set(prefix + "source:{" + media::source_name(url) + '}', record.key);
    };
    Status done = media::each_record(path, [&](const Record& record) -> Status {
        ++records;
        Status set = redis.set(prefix + "record:{" + record.key + '}', record.to_json(""));
        if (set) {
            set = mirror_source(record, record.source);
        }
        for (const std::string& url : record.sources) {
            if (set) {
                set = mirror_source(record, url);
            }
        }
        return set;
    });
    if (done) {
        done = redis.finish();
    }
    if (!done) {
        return complain(done.error());
    }
    std::printf("%llu records, %llu sources\n", records, sources);
    return 0;
}

int mirror_arguments(const std::string& path, int count, char** options) {
    media::RedisLogin login;
    std::string prefix = "media:";
    bool addressed = false;
    if (const char* const password = std::getenv("REDISCLI_AUTH")) {
        login.password = password;
    }
    for (int i = 0; i < count; ++i) {
        const std::string_view option = options[i];
        const std::string_view value = option.substr(std::min(option.find('=') + 1, option.size()));
        if (option.starts_with("--redis=")) {
            auto address = media::read_redis_address(value);
            if (!address) {
                return complain(address.error());
            }
            login.address = *std::move(address);
            addressed = true;
        } else if (option.starts_with("--prefix=")) {
            prefix = value;
        } else if (option.starts_with("--user=")) {
            login.user = value;
        } else if (option.starts_with("--password=")) {
            login.password = value;
        } else if (option.starts_with("--db=")) {
            const auto [end, problem] = std::from_chars(value.data(), value.data() + value.size(), login.db);
            if (problem != std::errc{} || end != value.data() + value.size() || login.db < 0) {
                return complain("--db takes a number");
            }
        } else {
            return complain("unknown option: " + std::string(option));
        }
    }
    return addressed ? mirror(path, login, prefix) : complain("mirror needs --redis=ADDRESS");
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view command = argc > 1 ? argv[1] : "";
    const bool known = command == "check" || command == "mend" || command == "mirror";
    if (argc < 3 || !known || (argc > 3 && command != "mirror")) {
        std::fputs(usage.data(), stderr);
        return 2;
    }
    if (!become_owner(argv[2])) {
        return complain(std::string(argv[2]) + ": " + std::strerror(errno));
    }
    if (command == "check") {
        return check(argv[2]);
    }
    return command == "mend" ? mend(argv[2]) : mirror_arguments(argv[2], argc - 3, argv + 3);
}
