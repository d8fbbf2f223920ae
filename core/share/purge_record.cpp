#include "core/share/purge_record.h"

#include <algorithm>
#include <charconv>

#include "core/base/hash.h"

namespace media {

namespace {

constexpr std::string_view version = "purge1";
constexpr std::string_view kinds = "*oOpP";  // in the order of PurgeKind
constexpr std::size_t checksum_bytes = 4;
// Beyond it a clock is broken, and there would be no room above.
constexpr std::uint64_t highest_generation = std::uint64_t{1} << 62;

std::string checksum(std::string_view text) {
    return hex(sha256(bytes_of(text)), checksum_bytes);
}

void append_number(std::string& text, std::uint64_t number) {
    std::array<char, 20> digits{};
    text.append(digits.data(), std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr);
}

/// Takes a field and the space behind it off the front.
std::string_view next_field(std::string_view& text) noexcept {
    const std::size_t end = std::min(text.find(' '), text.size());
    const std::string_view field = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    return field;
}

template <class Number>
bool read_number(std::string_view text, Number& number, int base = 10) noexcept {
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
    return error == std::errc{} && end == text.data() + text.size();
}

std::uint16_t prefix_length(std::string_view path) noexcept {
    return static_cast<std::uint16_t>(std::min(path.size(), longest_purge_prefix));
}

}  // namespace

PurgeDigest purge_digest(PurgeKind kind, std::string_view server, std::string_view path,
                         std::string_view preset) {
    std::string text;
    text.reserve(32 + server.size() + path.size() + preset.size());
    for (const std::string_view part :
         {kinds.substr(static_cast<std::size_t>(kind), 1), server, path, preset}) {
        append_number(text, part.size());
        text += ':';
        text += part;
    }
    const Sha256 whole = sha256(bytes_of(text));
    PurgeDigest digest{};
    std::copy_n(whole.begin(), digest.size(), digest.begin());
    return digest;
}

PurgeRecord PurgeRecord::of(const PurgeScope& scope, std::uint64_t generation) {
    PurgeRecord record;
    std::string_view path = scope.path;
    if (scope.prefix) {
        record.kind = scope.preset.empty() ? PurgeKind::prefix : PurgeKind::prefix_preset;
        record.length = prefix_length(path);
        path = path.substr(0, record.length);
    } else {
        record.kind = scope.preset.empty() ? PurgeKind::original : PurgeKind::original_preset;
    }
    record.scope = purge_digest(record.kind, scope.server, path, scope.preset);
    record.generation = generation;
    return record;
}

PurgeRecord PurgeRecord::everything(std::uint64_t generation) {
    return {purge_digest(PurgeKind::everything, {}, {}, {}), generation, PurgeKind::everything, 0};
}

std::string PurgeRecord::to_text() const {
    std::string text{version};
    text += ' ';
    text += kinds[static_cast<std::size_t>(kind)];
    text += ' ';
    append_number(text, length);
    text += ' ';
    text += hex(scope);
    text += ' ';
    append_number(text, generation);
    const std::string sum = checksum(text);
    return text + ' ' + sum;
}

std::optional<PurgeRecord> PurgeRecord::from_text(std::string_view line) {
    const std::size_t last = line.rfind(' ');
    if (last == std::string_view::npos || checksum(line.substr(0, last)) != line.substr(last + 1)) {
        return std::nullopt;
    }
    line = line.substr(0, last);
    PurgeRecord record;
    const bool known = next_field(line) == version;
    const std::string_view letter = next_field(line);
    const std::size_t kind = letter.size() == 1 ? kinds.find(letter) : std::string_view::npos;
    if (!known || kind == std::string_view::npos || !read_number(next_field(line), record.length)) {
        return std::nullopt;
    }
    record.kind = static_cast<PurgeKind>(kind);
    const std::string_view scope = next_field(line);
    if (scope.size() != 2 * record.scope.size()) {
        return std::nullopt;
    }
    for (std::size_t i = 0; i < record.scope.size(); ++i) {
        if (!read_number(scope.substr(2 * i, 2), record.scope[i], 16)) {
            return std::nullopt;
        }
    }
    const bool prefix = record.kind == PurgeKind::prefix || record.kind == PurgeKind::prefix_preset;
    if (!read_number(line, record.generation) || record.generation == 0 ||
        record.generation > highest_generation || record.length > longest_purge_prefix ||
        prefix != (record.length > 0)) {
        return std::nullopt;
    }
    return record;
}

std::size_t read_purge_lines(std::string_view text, std::vector<PurgeRecord>& records, std::size_t& damaged) {
    std::size_t at = 0;
    for (std::size_t end = text.find('\n'); end != std::string_view::npos; end = text.find('\n', at)) {
        if (const auto record = PurgeRecord::from_text(text.substr(at, end - at))) {
            records.push_back(*record);
        } else {
            ++damaged;
        }
        at = end + 1;
    }
    return at;
}

}  // namespace media
