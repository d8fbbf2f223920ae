// The parameter table, as the parser uses it.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "core/rendition/parse.h"
#include "core/rendition/rendition.h"

namespace media::detail {

/// How reading a value ended.
enum class Reading : std::uint8_t {
    ok,
    invalid,   ///< not one of the row's values
    unknown,   ///< a name that the configuration does not know
    repeated,  ///< a name twice in one list
    no_build,  ///< an output format this build lacks
    unused,    ///< something that this location does not do
};

struct Parameter;

/// Reads a decoded, non-empty value into a rendition. While parameters are read, `width`, `height` and
/// `round` are in CSS pixels: `dpr` is folded in at the end.
using Reader = Reading (*)(std::string_view value, const Parameter& row, Rendition& rendition,
                           const ParseContext& context);

/// One parameter: a row is all that it takes to parse, check and document it. `canonical` says what of it
/// reaches the cache key.
struct Parameter {
    ParameterInfo info;
    Reader read = nullptr;  ///< none: the parser itself deals with it
    double min = 0, max = 0;
    bool leaves_original = false;  ///< beside it alone, the original stays untouched
    bool with_presets_only = false;
    bool with_json = false;  ///< means something beside `fm=json`
};

inline constexpr std::size_t parameter_count = 34;

std::span<const Parameter, parameter_count> parameter_table() noexcept;

/// Position of a name in the table.
std::optional<std::size_t> find_parameter(std::string_view name) noexcept;

extern const std::size_t place_of_dpr, place_of_fx, place_of_fy, place_of_presets;

/// Calls `use` with each name of a comma-separated list until it does not return `ok`. An empty name is
/// invalid, and so is one that stands there twice: it could only multiply the work.
template <class Use>
Reading each_name(std::string_view list, Use&& use) {
    for (std::size_t at = 0;;) {
        const std::size_t comma = list.find(',', at);
        const std::string_view name = list.substr(at, comma - at);
        if (name.empty()) {
            return Reading::invalid;
        }
        for (std::size_t before = 0; before < at;) {
            const std::size_t end = list.find(',', before);
            if (list.substr(before, end - before) == name) {
                return Reading::repeated;
            }
            before = end + 1;
        }
        if (const Reading reading = use(name); reading != Reading::ok) {
            return reading;
        }
        if (comma == std::string_view::npos) {
            return Reading::ok;
        }
        at = comma + 1;
    }
}

/// The formats of `preferred` that an Accept header (RFC 9110, section 12.5.1) names explicitly and this
/// build writes. Wildcards do not count: browsers send them along for formats they cannot show.
std::vector<Format> negotiate(std::string_view accept, std::span<const Format> preferred);

}  // namespace media::detail
