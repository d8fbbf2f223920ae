// From a query to a rendition: presets first, then the query's own parameters, then what ties them together.
#include "core/rendition/parse.h"

#include <algorithm>
#include <array>

#include "core/rendition/guard.h"
#include "core/rendition/numbers.h"
#include "core/rendition/parameter.h"
#include "core/rendition/query.h"

namespace media {
namespace {

using detail::max_device_pixels;
using detail::parameter_count;
using detail::parameter_table;
using detail::Reading;

constexpr int max_preset_depth = 16;
constexpr std::size_t max_shown_name = 64;

/// A client's own text, short enough to be sent back.
std::string shown(std::string_view name) {
    if (name.size() > max_shown_name) {
        std::size_t length = max_shown_name;
        while (length > 0 && (static_cast<unsigned char>(name[length]) & 0xC0) == 0x80) {
            --length;  // not in the middle of a character
        }
        name = name.substr(0, length);
    }
    return std::string(name);
}

Error refused(std::string_view name, std::string_view detail, int status = 400) {
    return {status, std::string(detail), shown(name)};
}

Status outcome(Reading reading, const ParameterInfo& row) {
    switch (reading) {
        case Reading::ok:
            return Nothing{};
        case Reading::unknown:
            return refused(row.name, "no such name");
        case Reading::repeated:
            return refused(row.name, "a name is given twice");
        case Reading::no_build:
            return refused(row.name, "this server cannot write that format", 415);
        case Reading::unused:
            return refused(row.name, "not checked here");
        case Reading::invalid:
            break;
    }
    return refused(row.name, "expected " + std::string(row.values));
}

/// Where a query comes from decides what may stand in it.
enum class Source { url, preset };

/// The pairs of one query by row of the table, values still encoded.
struct Pairs {
    std::array<std::string_view, parameter_count> values{};
    std::array<bool, parameter_count> given{};
};

class Parser {
  public:
    explicit Parser(const ParseContext& context) : context_(context) {}

    Result<Rendition> parse(std::string_view query, Source source) {
        if (Status read = read_layer(query, source, 0, {}); !read) {
            return with_preset(std::move(read.error()), rendition_);
        }
        if (Status whole = finish(); !whole) {
            return with_preset(std::move(whole.error()), rendition_);
        }
        return std::move(rendition_);
    }

  private:
    /// One query on top of what was read before: its presets, then its own parameters. `preset`: whose query
    /// it is.
    Status read_layer(std::string_view query, Source source, int depth, std::string_view preset) {
        Pairs pairs;
        if (Status collected = collect(query, source, pairs); !collected) {
            return collected;
        }
        if (pairs.given[detail::place_of_presets]) {
            if (Status applied = apply_presets(pairs.values[detail::place_of_presets], depth); !applied) {
                return applied;
            }
        }
        const auto table = parameter_table();
        for (std::size_t i = 0; i < table.size(); ++i) {
            if (!pairs.given[i] || table[i].read == nullptr) {
                continue;
            }
            remember(table[i].info.name, preset);
            const auto value = detail::percent_decode(pairs.values[i], scratch_);
            const Reading reading = value && !value->empty()
                                        ? table[i].read(*value, table[i], rendition_, context_)
                                        : Reading::invalid;
            if (reading != Reading::ok) {
                return outcome(reading, table[i].info);
            }
            rendition_.original = rendition_.original && table[i].leaves_original;
        }
        density_given_ = density_given_ || pairs.given[detail::place_of_dpr];
        if (depth == 0) {
            if (Status meant = check_description(pairs); !meant) {
                return meant;
            }
        }
        return check_focus(pairs);
    }

    /// Whose value a parameter has from now on.
    void remember(std::string_view parameter, std::string_view preset) {
        std::erase_if(rendition_.preset_of, [&](const auto& entry) { return entry.first == parameter; });
        if (!preset.empty()) {
            rendition_.preset_of.emplace_back(parameter, preset);
        }
    }

    /// Sorts the pairs of a query into `pairs`; refuses names that may not stand there.
    Status collect(std::string_view query, Source source, Pairs& pairs) {
        while (const auto pair = detail::next_pair(query)) {
            const auto name = detail::percent_decode(pair->name, scratch_);
            if (!name) {
                return refused(pair->name, "malformed name");
            }
            const auto place = detail::find_parameter(*name);
            if (source == Source::url && context_.presets_only &&
                !(place && parameter_table()[*place].with_presets_only)) {
                return refused(*name, "only presets are allowed here", 403);
            }
            if (!place) {
                return refused(*name, "unknown parameter");
            }
            if (pairs.given[*place]) {
                return refused(*name, "given more than once");
            }
            pairs.given[*place] = true;
            pairs.values[*place] = pair->value;
        }
        return Nothing{};
    }

    Status apply_presets(std::string_view encoded, int depth) {
        rendition_.original = false;
        const ParameterInfo& row = parameter_table()[detail::place_of_presets].info;
        std::string own_scratch;  // the list is read while the presets in it use the other
        const auto list = detail::percent_decode(encoded, own_scratch);
        if (!list || depth == max_preset_depth) {
            return outcome(Reading::invalid, row);
        }
        Status applied = Nothing{};
        const Reading reading = detail::each_name(*list, [&](std::string_view name) {
            const auto found =
                context_.presets == nullptr ? Presets::const_iterator{} : context_.presets->find(name);
            if (context_.presets == nullptr || found == context_.presets->end()) {
                return Reading::unknown;
            }
            remember_preset(name);
            applied = read_layer(found->second, Source::preset, depth + 1, name);
            return applied ? Reading::ok : Reading::invalid;
        });
        return applied ? outcome(reading, row) : std::move(applied);
    }

    void remember_preset(std::string_view name) {
        auto& names = rendition_.presets;
        const auto place = std::lower_bound(names.begin(), names.end(), name);
        if (place == names.end() || *place != name) {
            names.emplace(place, name);
        }
    }

    /// A point without g=fp would be ignored; one of an earlier layer ends when `g` is set to something else.
    Status check_focus(const Pairs& pairs) {
        if (rendition_.gravity == Gravity::fp) {
            return Nothing{};
        }
        for (const std::size_t place : {detail::place_of_fx, detail::place_of_fy}) {
            if (pairs.given[place]) {
                return refused(parameter_table()[place].info.name, "needs g=fp");
            }
        }
        rendition_.focus_x = rendition_.focus_y = Rendition{}.focus_x;
        return Nothing{};
    }

    /// What says how a picture is to be made would be ignored where none is. Of a preset it is: presets are
    /// made for many uses.
    Status check_description(const Pairs& pairs) const {
        const auto table = parameter_table();
        for (std::size_t i = 0; rendition_.describe && i < table.size(); ++i) {
            if (pairs.given[i] && !table[i].with_json) {
                return refused(table[i].info.name, "means nothing with fm=json");
            }
        }
        return Nothing{};
    }

    /// Only what has a meaning for a description, so that presets that differ in the rest give the same one.
    static Rendition description_of(Rendition asked) {
        Rendition kept;
        kept.describe = true;
        kept.crop = asked.crop;
        kept.trim = asked.trim;
        kept.rotate = asked.rotate;
        kept.flip = asked.flip;
        kept.watermarks = std::move(asked.watermarks);
        kept.page = asked.page;
        kept.version = std::move(asked.version);
        kept.download = std::move(asked.download);
        kept.expires = asked.expires;
        kept.presets = std::move(asked.presets);
        kept.preset_of = std::move(asked.preset_of);
        kept.original = false;
        return kept;
    }

    /// What no parameter can decide alone.
    Status finish() {
        if (rendition_.describe) {
            rendition_ = description_of(std::move(rendition_));
            return Nothing{};
        }
        if (rendition_.lossless && rendition_.format && !info(*rendition_.format).lossless_option) {
            return refused("lossless", "this format has no lossless mode");
        }
        const bool hinted = context_.hints != nullptr && !rendition_.original;
        if (hinted && !density_given_) {
            hint_density(rendition_, *context_.hints, *context_.settings);
        }
        const std::pair<std::string_view, std::optional<int>*> lengths[] = {
            {"w", &rendition_.width}, {"h", &rendition_.height}, {"round", &rendition_.round}};
        for (const auto& [name, length] : lengths) {
            if (*length && !fold_dpr(**length)) {
                return refused(name, "too large after dpr");
            }
        }
        if (hinted && !context_.presets_only) {
            hint_width(rendition_, *context_.hints, *context_.settings);
        }
        if (hinted) {
            hint_quality(rendition_, *context_.hints, *context_.settings);
        }
        if (!rendition_.width || !rendition_.height) {
            rendition_.fit = Fit::inside;
        }
        if (rendition_.auto_format) {
            rendition_.auto_formats = detail::negotiate(context_.accept, context_.auto_formats);
        }
        return Nothing{};
    }

    bool fold_dpr(int& length) const {
        if (length == round_max) {
            return true;
        }
        const std::int64_t pixels =
            detail::scale_half_up(length, detail::millionths(rendition_.dpr), detail::million);
        if (pixels > max_device_pixels) {
            return false;
        }
        length = static_cast<int>(std::max<std::int64_t>(1, pixels));
        return true;
    }

    const ParseContext& context_;
    Rendition rendition_;
    bool density_given_ = false;  ///< `dpr`, by the query or a preset
    std::string scratch_;
};

}  // namespace

Result<Rendition> parse_query(std::string_view query, const ParseContext& context) noexcept {
    return detail::guarded([&] { return Parser(context).parse(query, Source::url); });
}

Error with_preset(Error error, const Rendition& rendition) {
    const auto name_of = [&](std::string_view parameter) -> std::string_view {
        for (const auto& [name, preset] : rendition.preset_of) {
            if (name == parameter) {
                return preset;
            }
        }
        return {};
    };
    // A side that was not given follows from the other; without a name it is the size that is refused.
    const bool follows = error.parameter.empty()  ? error.status == 400
                         : error.parameter == "w" ? !rendition.width
                         : error.parameter == "h" ? !rendition.height
                                                  : error.parameter == "n" && !rendition.pages;
    std::string_view preset = name_of(error.parameter);
    for (const std::string_view other : {"w", "h"}) {
        if (preset.empty() && follows) {
            preset = name_of(other);
        }
    }
    if (!preset.empty()) {
        error.detail = "in preset \"" + shown(preset) + "\": " + error.detail;
    }
    return error;
}

Status check_preset(std::string_view name, std::string_view query, const ParseContext& context) noexcept {
    return detail::guarded([&]() -> Status {
        const std::string place = "preset \"" + shown(name) + "\": ";
        for (const char c : name) {
            if (c == ',' || static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
                return Error{400, place + "a name has no commas and control characters"};
            }
        }
        if (name.empty()) {
            return Error{400, place + "the name is empty"};
        }
        auto parsed = Parser(context).parse(query, Source::preset);
        if (!parsed) {
            Error& error = parsed.error();
            error.detail = place + error.parameter + ": " + error.detail;
            return std::move(error);
        }
        return Nothing{};
    });
}

}  // namespace media
