#include "core/store/digests.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>

#include "core/base/base64.h"
#include "core/base/hash.h"
#include "core/store/header_value.h"
#include "core/store/incoming_state.h"

namespace media {
namespace {

constexpr std::size_t piece_size = std::size_t{256} * 1024;

struct Malformed {
    std::string_view field;
};

template <class Work>
Status parsed(Work&& work) noexcept {
    return disk::contained([&]() -> Status {
        try {
            work();
            return Nothing{};
        } catch (const Malformed& malformed) {
            return Error{400, "malformed " + std::string(malformed.field)};
        }
    });
}

// Up to the first comma that is not in quotes (RFC 8941, section 3.3.3), which is taken off as well.
std::string_view take_member(std::string_view& list) {
    bool quoted = false;
    std::size_t end = 0;
    for (; end < list.size() && (quoted || list[end] != ','); ++end) {
        if (list[end] == '"') {
            quoted = !quoted;
        } else if (list[end] == '\\' && quoted) {
            ++end;
        }
    }
    const std::string_view member = list.substr(0, end);
    list.remove_prefix(std::min(end + 1, list.size()));
    return detail::trimmed(member);
}

// RFC 8941, section 3.1.2.
bool is_dictionary_key(std::string_view key) {
    const auto within = [key](std::string_view more) {
        return key.find_first_not_of(std::string("abcdefghijklmnopqrstuvwxyz*") + std::string(more)) ==
               std::string_view::npos;
    };
    return !key.empty() && (key.front() == '*' || (key.front() >= 'a' && key.front() <= 'z')) &&
           within("0123456789_-.");
}

std::string sha512_of(const Incoming& file) {
    RunningDigest running(EVP_sha512());
    std::vector<std::uint8_t> piece(piece_size);
    for (std::uint64_t at = 0; at < file.size();) {
        const ssize_t count = pread(file.fd(), piece.data(), piece.size(), static_cast<off_t>(at));
        if (count < 0 && errno == EINTR) {
            continue;
        }
        if (count <= 0) {
            disk::fail(count < 0 ? errno : EIO);
        }
        running.add({piece.data(), static_cast<std::size_t>(count)});
        at += static_cast<std::uint64_t>(count);
    }
    return hex(running.finish());
}

}  // namespace

void ExpectedDigests::add(std::string_view field, Algorithm algorithm, std::string_view base64) {
    constexpr std::array<std::size_t, 3> sizes{16, 32, 64};
    Base64Decoder decoder;
    std::vector<std::uint8_t> bytes;
    if (!decoder.feed(base64, bytes) || !decoder.finish() ||
        bytes.size() != sizes.at(static_cast<std::size_t>(algorithm))) {
        throw Malformed{field};
    }
    expected_.push_back({algorithm, hex(bytes)});
}

Status ExpectedDigests::add_content_md5(std::string_view value) noexcept {
    return parsed([&] { add("Content-MD5", Algorithm::md5, detail::trimmed(value)); });
}

Status ExpectedDigests::add_digest(std::string_view value) noexcept {
    return parsed([&] {
        while (!value.empty()) {
            const std::string_view member = take_member(value);
            if (member.empty()) {
                continue;  // as lists may have it (RFC 9110, section 5.6.1)
            }
            const std::size_t equals = member.find('=');
            if (equals == std::string_view::npos) {
                throw Malformed{"Digest"};
            }
            const std::string name = detail::lower_case(detail::trimmed(member.substr(0, equals)));
            const std::string_view digest = detail::trimmed(member.substr(equals + 1));
            if (name == "md5") {
                add("Digest", Algorithm::md5, digest);
            } else if (name == "sha-256") {
                add("Digest", Algorithm::sha256, digest);
            } else if (name == "sha-512") {
                add("Digest", Algorithm::sha512, digest);
            }
        }
    });
}

Status ExpectedDigests::add_repr_digest(std::string_view value) noexcept {
    return parsed([&] {
        constexpr std::string_view field = "Repr-Digest";
        value = detail::trimmed(value);
        while (!value.empty()) {
            const std::string_view member = take_member(value);
            const std::size_t equals = std::min(member.find_first_of("=;"), member.size());
            const std::string_view name = member.substr(0, equals);
            if (!is_dictionary_key(name)) {
                throw Malformed{field};
            }
            if (name != "sha-256" && name != "sha-512") {
                continue;
            }
            // A byte sequence, and perhaps parameters behind it.
            std::string_view digest = member.substr(equals);
            const std::size_t end = digest.find(':', 2);
            if (!digest.starts_with("=:") || end == std::string_view::npos ||
                (end + 1 < digest.size() && digest[end + 1] != ';')) {
                throw Malformed{field};
            }
            digest = digest.substr(2, end - 2);
            add(field, name == "sha-256" ? Algorithm::sha256 : Algorithm::sha512, digest);
        }
    });
}

Status ExpectedDigests::check(const Incoming& file) const noexcept {
    return disk::contained([&]() -> Status {
        for (const Expected& each : expected_) {
            const bool same = each.algorithm == Algorithm::md5      ? each.hex == file.md5()
                              : each.algorithm == Algorithm::sha256 ? each.hex == file.sha256()
                                                                    : each.hex == sha512_of(file);
            if (!same) {
                return Error{422, "the file is not what its digest says"};
            }
        }
        return Nothing{};
    });
}

}  // namespace media
