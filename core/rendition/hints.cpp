#include "core/rendition/hints.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/rendition/header_text.h"
#include "core/rendition/numbers.h"

namespace media {
namespace {

constexpr double min_density = 0.5, max_density = 5;  // as of `dpr`

// A bare item of a structured field (RFC 9651, section 3.3), without the parameters that none of these has.
std::string_view item(std::string_view field) noexcept {
    return detail::trimmed(field.substr(0, field.find(';')));
}

std::optional<double> density_of(std::string_view field) noexcept {
    const auto number = detail::parse_decimal(item(field));
    if (!number || *number <= 0) {
        return std::nullopt;
    }
    return detail::to_millionths(std::clamp(*number, min_density, max_density));
}

std::optional<int> width_of(std::string_view field) noexcept {
    const auto number = detail::parse_unsigned(item(field));
    if (!number || *number == 0) {
        return std::nullopt;
    }
    return static_cast<int>(std::min<std::uint64_t>(*number, std::numeric_limits<int>::max()));
}

// The largest factor that keeps `length` within `limit`.
double room(int length, int limit) noexcept {
    const auto millionths = detail::million * limit / length;
    return static_cast<double>(millionths) / static_cast<double>(detail::million);
}

}  // namespace

ClientHints read_hints(const HintFields& fields) noexcept {
    ClientHints hints;
    hints.dpr = density_of(fields.dpr);
    if (!hints.dpr) {
        hints.dpr = density_of(fields.legacy_dpr);
    }
    hints.width = width_of(fields.width);
    if (!hints.width) {
        hints.width = width_of(fields.legacy_width);
    }
    hints.save_data = detail::same_word(item(fields.save_data), "on");
    return hints;
}

void hint_density(Rendition& rendition, const ClientHints& hints, const RenderSettings& settings) noexcept {
    if (!rendition.width && !rendition.height) {
        return;
    }
    rendition.hints.dpr = rendition.hints.save_data = true;
    if (!hints.dpr) {
        return;
    }
    double most = hints.save_data ? 1 : max_density;
    if (rendition.width) {
        most = std::min(most, room(*rendition.width, settings.max_width));
    }
    if (rendition.height) {
        most = std::min(most, room(*rendition.height, settings.max_height));
    }
    if (rendition.round.value_or(round_max) != round_max) {
        most = std::min(most, room(*rendition.round, detail::max_device_pixels));
    }
    // What the query alone asks for is its own affair.
    rendition.dpr = std::min(*hints.dpr, std::max(most, 1.0));
    rendition.hinted_size = rendition.dpr > 1;
}

void hint_width(Rendition& rendition, const ClientHints& hints, const RenderSettings& settings) noexcept {
    if (rendition.width || rendition.height) {
        return;
    }
    rendition.hints.width = true;
    if (hints.width) {
        rendition.width = std::min(*hints.width, settings.max_width);
        rendition.hinted_size = true;
    }
}

void hint_quality(Rendition& rendition, const ClientHints& hints, const RenderSettings& settings) noexcept {
    if (rendition.quality || rendition.lossless ||
        (rendition.format && info(*rendition.format).quality == 0)) {
        return;
    }
    rendition.hints.save_data = true;
    if (!hints.save_data) {
        return;
    }
    if (rendition.format) {
        rendition.quality = economy_quality(settings.quality[static_cast<std::size_t>(*rendition.format)]);
    } else {
        rendition.economy = true;  // of a format that only the original tells
    }
}

int economy_quality(int standard) noexcept {
    return std::max(1, static_cast<int>(detail::scale_half_up(standard, 3, 4)));
}

std::string vary(const Rendition& rendition) {
    std::string fields;
    const auto name = [&fields](bool counts, std::string_view names) {
        if (counts) {
            fields += fields.empty() ? "" : ", ";
            fields += names;
        }
    };
    name(rendition.auto_format, "Accept");
    name(rendition.hints.dpr, "Sec-CH-DPR, DPR");
    name(rendition.hints.width, "Sec-CH-Width, Width");
    name(rendition.hints.save_data, "Save-Data");
    return fields;
}

}  // namespace media
