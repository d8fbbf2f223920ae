#include "core/share/cluster.h"

#include <array>
#include <charconv>

namespace media {

namespace {

constexpr std::array<std::uint16_t, 256> crc_table = [] {
    std::array<std::uint16_t, 256> table{};
    for (unsigned i = 0; i < 256; ++i) {
        unsigned crc = i << 8U;
        for (int bit = 0; bit < 8; ++bit) {
            crc = (crc & 0x8000U) != 0 ? (crc << 1U) ^ 0x1021U : crc << 1U;
        }
        table[i] = static_cast<std::uint16_t>(crc);
    }
    return table;
}();

template <class T>
bool read_number(std::string_view text, T& number) {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
    return error == std::errc{} && end == text.data() + text.size();
}

}  // namespace

std::uint16_t slot_of(std::string_view key) noexcept {
    const std::size_t open = key.find('{');
    if (open != std::string_view::npos) {
        const std::size_t close = key.find('}', open + 1);
        if (close != std::string_view::npos && close > open + 1) {
            key = key.substr(open + 1, close - open - 1);
        }
    }
    unsigned crc = 0;
    for (const char c : key) {
        crc = ((crc << 8U) & 0xffffU) ^ crc_table[(crc >> 8U) ^ static_cast<unsigned char>(c)];
    }
    return static_cast<std::uint16_t>(crc % slot_count);
}

std::optional<std::vector<SlotRange>> read_slots(RespValue reply) {
    if (!reply.array()) {
        return std::nullopt;
    }
    std::vector<SlotRange> ranges;
    for (std::size_t i = 0; i < reply.size(); ++i) {
        const RespValue row = reply[i];
        const auto first = row[0].integer();
        const auto last = row[1].integer();
        const auto port = row[2][1].integer();
        if (!first || !last || !port || *first < 0 || *last < *first || *last >= slot_count || *port < 1 ||
            *port > 65535) {
            return std::nullopt;
        }
        std::string_view host = row[2][0].text();
        if (host == "?") {
            host = {};  // a node that does not know its own name
        }
        ranges.push_back({.first = static_cast<std::uint16_t>(*first),
                          .last = static_cast<std::uint16_t>(*last),
                          .master = {std::string{host}, static_cast<std::uint16_t>(*port)}});
    }
    return ranges;
}

std::optional<Redirect> read_redirect(std::string_view error) {
    Redirect redirect;
    if (error.starts_with("MOVED ")) {
        error.remove_prefix(6);
    } else if (error.starts_with("ASK ")) {
        redirect.ask = true;
        error.remove_prefix(4);
    } else {
        return std::nullopt;
    }
    const std::size_t space = error.find(' ');
    const std::size_t colon = error.rfind(':');  // the host may be an IPv6 address, without brackets
    if (space == std::string_view::npos || colon == std::string_view::npos || colon < space ||
        !read_number(error.substr(0, space), redirect.slot) || redirect.slot >= slot_count ||
        !read_number(error.substr(colon + 1), redirect.to.port) || redirect.to.port == 0) {
        return std::nullopt;
    }
    redirect.to.host = error.substr(space + 1, colon - space - 1);
    return redirect;
}

}  // namespace media
