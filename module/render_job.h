// One rendition as a task for the pool.
#pragma once

#include <chrono>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "core/base/cancellation.h"
#include "core/picture/render.h"
#include "core/picture/together.h"
#include "core/share/resp.h"
#include "module/disk_tier.h"
#include "module/freshness.h"
#include "module/render_pool.h"
#include "module/source.h"

namespace media {

class RenditionRequest;

/// Whether a failure of this status may be due to the size of a rendition.
constexpr bool may_be_of_size(int status) noexcept {
    return status == 400 || status == 422;
}

/// Everything a rendition needs and everything that comes of it. Made on the loop, worked on in a thread,
/// read again on the loop. Outlives its request when the client leaves or the deadline passes.
class RenderJob final : public Task {
  public:
    RenderJob(RenditionRequest* requester, Source original, Rendition wanted, const RenderSettings& how,
              std::chrono::milliseconds time)
        : owner(requester),
          source(std::move(original)),
          rendition(std::move(wanted)),
          settings(how),
          cancellation(Cancellation::Clock::now() + time),
          posted(Cancellation::Clock::now()) {}

    std::optional<double> estimate() noexcept override;
    void work() noexcept override;
    void complete() noexcept override;
    void cancel() noexcept override { cancellation.cancel(); }

    // shared_decode.cpp
    bool alike(const Task& other) const noexcept override;
    void gather() noexcept override;
    void share(std::span<Task* const> others) noexcept override;

    /// Whether it failed for a size that a client hint has made; `source` is then there to be tried without.
    bool gives_way() const noexcept;

    RenditionRequest* owner;  ///< null once nobody waits; the loop's

    Source source;
    std::string original_name;       ///< the same for those that may share a decode; empty: with none
    bool original_vouched = true;    ///< under that name there is one content; else contents are compared
    std::optional<StoredBody> kept;  ///< instead of rendering: the rendition that holds on
    Rendition rendition;
    RenderSettings settings;
    std::vector<std::shared_ptr<Watermark>> watermarks;
    Cancellation cancellation;
    Cancellation::Clock::time_point posted;
    std::optional<std::chrono::milliseconds> time_from_begin;  ///< to work, however long it has waited
    std::optional<CacheFile> file;                             ///< where to store the outcome
    Freshness freshness;

    /// Under which key the disk tier may hold a copy of the original that is read faster; empty: none is
    /// wanted. Where it is, if it is there; and whether one is to be made if not.
    std::string copy_key;
    std::string copy_path;
    bool copy_wanted = false;
    bool copies = false;  ///< it makes that copy, and no rendition

    /// Whether the rendition was made of the copy; whether a copy would have paid; and whether it is to be
    /// made.
    bool copied() const noexcept { return from_copy_; }
    bool slow() const noexcept { return slow_; }
    bool lacks_copy() const noexcept { return slow_ && copy_wanted && !guest_; }

    std::string shared_key;        ///< the whole cache key, where the outcome may be shared; else empty
    std::size_t shared_limit = 0;  ///< bytes of a body that is shared
    RespReply stored;              ///< an envelope to open, instead of anything to render

    std::string sealed;        ///< the outcome in an envelope
    time_t fresh_seconds = 0;  ///< for which it may be kept
    bool foreign = false;      ///< `stored` is no rendition
    bool lapsed = false;       ///< `stored` is one that is no longer fresh

    /// Instead of an outcome: what is stored is a signpost. One that was made leaves `source` to be rendered
    /// elsewhere.
    bool signpost = false;
    std::optional<Result<Encoded>> outcome;
    std::string etag;
    std::string problem;  ///< the JSON body of a failure
    StoredFacts facts;
    std::uint64_t source_bytes = 0;
    double queue_seconds = 0;
    bool keeps_source = false;  ///< `source` is wanted again afterwards
    /// Likewise, also for a copy that is to be made of it; a local one is read again.
    bool leaves_source() const noexcept { return keeps_source || (lacks_copy() && !original_vouched); }
    bool changed = false;  ///< the original is no longer the one that was asked for

  private:
    void begin() noexcept;
    void open_stored();
    void begin_with_copy() noexcept;
    void take_in();
    void make();
    void make_of_what_there_is();
    Result<Encoded> copy_of(ByteView original) const;
    void store(bool foretold);
    bool has(const Bytes& original, const RenderJob& reader) const;
    static void keep_header_alone(std::span<RenderJob* const> jobs, const Bytes& original);
    /// Whether its original may be wanted afterwards.
    bool may_be_tried_again() const noexcept {
        return keeps_source || rendition.hinted_size ||
               (copy_wanted && !original_vouched && !from_copy_ && !guest_);
    }
    RenderTask task(ByteView original) const;

    bool begun_ = false;
    bool guest_ = false;                            ///< another has gathered it
    bool from_copy_ = false;                        ///< what was gathered is a copy
    FailOn forgives_ = FailOn::truncated;           ///< then: what is asked of the original
    bool slow_ = false;                             ///< what was gathered was read slowly
    std::optional<Result<Bytes>> gathered_;         ///< of `source`
    std::shared_ptr<const Bytes> original_;         ///< what was gathered, once several have it
    std::shared_ptr<const DecodedPlanes> decoded_;  ///< what has been done already
};

}  // namespace media
