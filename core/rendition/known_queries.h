// What queries mean, kept for those that are asked again and again: most requests of a site have one of a few
// queries.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/rendition/hints.h"
#include "core/rendition/rendition.h"
#include "core/rendition/settings.h"

namespace media {

/// A rendition, and what of it every request needs. Immutable: it is shared.
struct Meaning {
    Rendition rendition;
    std::string canonical;
    std::string vary;  ///< the header field; empty where none is needed

    static std::shared_ptr<const Meaning> of(Rendition rendition, const RenderSettings& settings);
};

/// All that decides what a query means.
struct Question {
    const void* location = nullptr;  ///< names what a ParseContext else has, which must not change meanwhile
    std::string_view query{};        ///< raw
    std::string_view accept{};       ///< the header field
    std::optional<HintFields> hints{};  ///< nothing where they do not count
};

/// The queries of late. Belongs to one thread. Memory is bounded: so many places of at most a few kilobytes.
class KnownQueries {
  public:
    static constexpr std::size_t places = 1024;   ///< a power of 2
    static constexpr std::size_t longest = 1024;  ///< bytes of a question that is kept

    /// Null where the question is not known.
    std::shared_ptr<const Meaning> find(const Question& question) noexcept;

    /// Tells what a question that find() did not know means. It is kept where it was the last one of its
    /// place before, too: what is asked but once, as signed links are, drives nothing out.
    void learn(const Question& question, const std::shared_ptr<const Meaning>& meaning);

  private:
    struct Known;
    struct Place {
        std::uint64_t hash = 0;  ///< of what is known
        std::uint64_t last = 0;  ///< of what was learned last
        std::shared_ptr<const Known> known;
    };
    Place& place_of(std::uint64_t hash) noexcept { return places_[hash % places]; }

    std::vector<Place> places_ = std::vector<Place>(places);
};

}  // namespace media
