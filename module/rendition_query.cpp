// What a request for a rendition asks for: whether its URL may be asked, what its query means, and which of
// the formats that the client accepts count.

#include <algorithm>
#include <string>
#include <utility>

#include "core/rendition/parse.h"
#include "module/answer.h"
#include "module/own_request.h"
#include "module/rendition_request.h"
#include "module/worker.h"

namespace media {

// The signature speaks of the URL as the client sent it, whatever a rewrite has made of it since.
Status RenditionRequest::authorize() {
    if (conf_->signature == nullptr || is_own_request(r_)) {
        return Nothing{};
    }
    const std::string_view url = view(r_->main->unparsed_uri);
    const std::size_t mark = std::min(url.find('?'), url.size());
    return check_signature(conf_->signature->keys, url.substr(0, mark),
                           url.substr(std::min(mark + 1, url.size())), conf_->signature->required);
}

// Hints that have given way are as good as not sent.
Question RenditionRequest::question() noexcept {
    Question question{.location = conf_, .query = view(r_->args)};
    if (question.query.empty()) {
        return question;
    }
    question.accept = request_header(r_, "accept");
    if (conf_->client_hints != 0) {
        HintFields& hints = question.hints.emplace();
        hints.save_data = request_header(r_, "save-data");
        if (!detour_.bare_size) {
            hints.dpr = request_header(r_, "sec-ch-dpr");
            hints.legacy_dpr = request_header(r_, "dpr");
            hints.width = request_header(r_, "sec-ch-width");
            hints.legacy_width = request_header(r_, "width");
        }
    }
    return question;
}

// Of nothing but the question, so that the answer can be kept.
Result<Rendition> RenditionRequest::read(const Question& question) {
    std::optional<ClientHints> hints;
    if (question.hints) {
        hints = read_hints(*question.hints);
    }
    const Catalogue& catalogue = *main_config(r_)->catalogue;
    const AutoFormats& preferred = *conf_->auto_formats;
    auto parsed = parse_query(question.query, {.presets = &catalogue.presets,
                                               .watermark_names = &catalogue.watermark_names,
                                               .settings = conf_->settings,
                                               .presets_only = conf_->presets_only != 0,
                                               .auto_formats = {preferred.formats.data(), preferred.count},
                                               .accept = question.accept,
                                               .hints = hints ? &*hints : nullptr,
                                               .signatures = conf_->signature != nullptr});
    if (parsed && conf_->forced_watermark.len > 0) {
        // Last, so that nothing is laid over it; and there is no untouched original any more.
        const std::string name{view(conf_->forced_watermark)};
        std::erase(parsed->watermarks, name);
        parsed->watermarks.push_back(name);
        parsed->original = false;
    }
    return parsed;
}

Status RenditionRequest::parse() {
    const Question asked = question();
    KnownQueries& known = worker()->queries;
    auto meaning = known.find(asked);
    if (meaning == nullptr) {
        auto parsed = read(asked);
        if (!parsed) {
            return parsed.error();
        }
        meaning = Meaning::of(std::move(*parsed), *conf_->settings);
        known.learn(asked, meaning);
    }
    asked_ = std::move(meaning);
    if (detour_.stands_in) {
        do_without_first();
    }
    if (detour_.past_signpost) {
        pass_signpost();
    }
    if (rendition().expires && *rendition().expires < static_cast<std::uint64_t>(ngx_time())) {
        return Error{410, "the link has expired", "exp"};
    }
    return Nothing{};
}

void RenditionRequest::accept_only(std::vector<Format> formats) {
    Rendition changed = rendition();
    changed.auto_formats = std::move(formats);
    asked_ = Meaning::of(std::move(changed), *conf_->settings);
}

// The AVIF is not there: the next format is the one.
void RenditionRequest::do_without_first() {
    const std::vector<Format>& accepted = rendition().auto_formats;
    accept_only({accepted.begin() + 1, accepted.end()});
}

// The original moves: the first accepted format that can move is the one, or else its own.
void RenditionRequest::pass_signpost() {
    const std::vector<Format>& accepted = rendition().auto_formats;
    accept_only(
        {std::find_if(accepted.begin(), accepted.end(), [](Format format) { return info(format).animated; }),
         accepted.end()});
}

}  // namespace media
