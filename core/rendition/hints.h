// Client hints: what a client says of its screen and its connection, where the query says nothing.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/rendition/rendition.h"
#include "core/rendition/settings.h"

namespace media {

/// Values of the request's header fields as they came; empty where there is none.
struct HintFields {
    std::string_view dpr{};           ///< Sec-CH-DPR
    std::string_view legacy_dpr{};    ///< DPR
    std::string_view width{};         ///< Sec-CH-Width
    std::string_view legacy_width{};  ///< Width
    std::string_view save_data{};     ///< Save-Data
};

/// Hints that make sense. Plain values.
struct ClientHints {
    std::optional<double> dpr{};  ///< 0.5-5, a multiple of a millionth
    std::optional<int> width{};   ///< device pixels, 1 or more
    bool save_data = false;
};

/// Reads hints; never fails: one that is no number, 0 or negative is ignored, and a density outside 0.5-5 is
/// brought into it. A field under its present name counts before the one it replaces.
ClientHints read_hints(const HintFields& fields) noexcept;

/// Fills in the density of a rendition whose query has no `dpr`; before `dpr` is folded into its sizes. With
/// Save-Data it is at most 1. It gives way where the box would leave max_width x max_height.
void hint_density(Rendition& rendition, const ClientHints& hints, const RenderSettings& settings) noexcept;

/// Fills in the width of a rendition without `w` and `h`; after `dpr` is folded, as it is in device pixels
/// already. At most max_width.
void hint_width(Rendition& rendition, const ClientHints& hints, const RenderSettings& settings) noexcept;

/// With Save-Data, lowers the quality of a rendition whose query has no `q`.
void hint_quality(Rendition& rendition, const ClientHints& hints, const RenderSettings& settings) noexcept;

/// What Save-Data makes of a format's default quality: three quarters of it.
int economy_quality(int standard) noexcept;

/// The value of the `Vary` of every answer to a request for this rendition; empty where none is needed.
std::string vary(const Rendition& rendition);

}  // namespace media
