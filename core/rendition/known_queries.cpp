#include "core/rendition/known_queries.h"

#include <array>
#include <functional>
#include <utility>

#include "core/base/hash.h"
#include "core/rendition/parse.h"

namespace media {
namespace {

/// What a question is made of, in order.
struct Texts {
    std::array<std::string_view, 7> texts;
    std::size_t count;

    explicit Texts(const Question& question) noexcept : texts{question.query, question.accept}, count(2) {
        if (question.hints) {
            const HintFields& hints = *question.hints;
            for (const std::string_view text :
                 {hints.dpr, hints.legacy_dpr, hints.width, hints.legacy_width, hints.save_data}) {
                texts[count++] = text;
            }
        }
    }
};

std::uint64_t hash_of(const void* location, const Texts& asked) noexcept {
    std::uint64_t hash = std::hash<const void*>{}(location);
    for (std::size_t i = 0; i < asked.count; ++i) {
        hash = mixed(hash, std::hash<std::string_view>{}(asked.texts[i]));
    }
    return hash ^ hash >> 32U;  // a product's low bits, which choose the place, know nothing of the high ones
}

}  // namespace

std::shared_ptr<const Meaning> Meaning::of(Rendition rendition, const RenderSettings& settings) {
    auto meaning = std::make_shared<Meaning>();
    meaning->canonical = media::canonical(rendition, settings);
    meaning->vary = media::vary(rendition);
    meaning->rendition = std::move(rendition);
    return meaning;
}

/// One question and its answer.
struct KnownQueries::Known {
    const void* location;
    std::vector<std::size_t> sizes;
    std::string texts;  ///< one behind the other
    std::shared_ptr<const Meaning> meaning;

    bool answers(const void* where, const Texts& asked) const noexcept {
        if (location != where || sizes.size() != asked.count) {
            return false;
        }
        std::string_view rest = texts;
        for (std::size_t i = 0; i < asked.count; ++i) {
            const std::string_view text = asked.texts[i];
            if (sizes[i] != text.size() || !rest.starts_with(text)) {
                return false;
            }
            rest.remove_prefix(text.size());
        }
        return true;
    }
};

std::shared_ptr<const Meaning> KnownQueries::find(const Question& question) noexcept {
    const Texts asked{question};
    const std::uint64_t hash = hash_of(question.location, asked);
    const Place& place = place_of(hash);
    if (place.known == nullptr || place.hash != hash || !place.known->answers(question.location, asked)) {
        return nullptr;
    }
    return place.known->meaning;
}

void KnownQueries::learn(const Question& question, const std::shared_ptr<const Meaning>& meaning) {
    const Texts asked{question};
    const std::uint64_t hash = hash_of(question.location, asked);
    Place& place = place_of(hash);
    if (std::exchange(place.last, hash) != hash) {
        return;
    }
    auto known = std::make_shared<Known>();
    known->location = question.location;
    for (std::size_t i = 0; i < asked.count; ++i) {
        if (asked.texts[i].size() > longest - known->texts.size()) {
            return;
        }
        known->sizes.push_back(asked.texts[i].size());
        known->texts += asked.texts[i];
    }
    known->meaning = meaning;
    place.known = std::move(known);
    place.hash = hash;
}

}  // namespace media
