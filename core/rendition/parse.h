// From a query string to a Rendition, and back to its canonical form.
#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.h"
#include "core/rendition/hints.h"
#include "core/rendition/rendition.h"
#include "core/rendition/settings.h"

namespace media {

/// One row of the parameter table: the only place where a parameter is declared.
struct ParameterInfo {
    std::string_view name;
    std::string_view values;   ///< as the documents show them
    std::string_view meaning;  ///< one line for the documents
};

/// Every parameter that `parse` knows, in documented order. module/README.md agrees with it (tests/core
/// checks).
std::span<const ParameterInfo> parameters() noexcept;

/// A named preset of `media_preset`, checked when it is declared.
/// Keys are names, values are query strings as written in the configuration.
using Presets = std::map<std::string, std::string, std::less<>>;

/// What a location allows and knows, for parsing. Views must outlive the call.
struct ParseContext {
    const Presets* presets = nullptr;
    const std::vector<std::string>* watermark_names = nullptr;  ///< known `wm` names; an unknown one is 400
    const RenderSettings* settings = nullptr;                   ///< never null
    bool presets_only = false;                                  ///< anything but `p` is 403
    std::span<const Format> auto_formats{};  ///< `media_auto_format`, in order of preference
    std::string_view accept{};               ///< the client's Accept header
    const ClientHints* hints = nullptr;      ///< null where they do not count (`media_client_hints off`)
    bool signatures = false;                 ///< `s` is known here, and has been checked
};

/// Parses a raw query (percent-encoded, without '?'). Presets are applied first, the query's own parameters
/// win. Errors: 400 naming the parameter; 403 under presets_only; 415 for an output format that the build
/// lacks
/// (`buildable`). Never throws.
Result<Rendition> parse_query(std::string_view query, const ParseContext& context) noexcept;

/// The error with the name of the preset that the value at fault comes from, if it comes from one: whoever
/// sees
/// `?p=card` refused cannot know what is in it. A length that nobody gave follows from `w` or `h`.
Error with_preset(Error error, const Rendition& rendition);

/// Checks a preset's query at configuration time; presets may name presets declared before them.
Status check_preset(std::string_view name, std::string_view query, const ParseContext& context) noexcept;

/// The canonical form: parameters that make a difference, sorted by name, defaults left out. Two queries with
/// the same canonical form give the same rendition. `dpr` is folded into `w` and `h`, what has no effect is
/// dropped
/// (`g` without `cover`, `q` equal to the format's default, ...). For `fm=auto` it holds the first of
/// `auto_formats` alone, and never the Accept header; of client hints what they have led to. Never holds
/// `dl`, `exp`, `s`.
std::string canonical(const Rendition& rendition, const RenderSettings& settings);

/// The formats this build can write; set once by the picture engine before the first request (and at
/// configuration time, where it must not start the engine). Defaults to every `output` format of the table.
void set_buildable_formats(FormatSet formats) noexcept;
FormatSet buildable_formats() noexcept;

}  // namespace media
