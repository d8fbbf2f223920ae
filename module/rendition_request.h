// The life of one request for a rendition, from its query to its answer.
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "core/rendition/known_queries.h"
#include "core/rendition/rendition.h"
#include "module/config.h"
#include "module/disk_tier.h"
#include "module/fetch.h"
#include "module/freshness.h"
#include "module/local_original.h"
#include "module/ngx.h"
#include "module/origin_capture.h"
#include "module/render_job.h"
#include "module/shared_tier.h"

namespace media {

/// How the disk tier took part, as $media_cache_status says it.
enum class CacheStatus : std::uint8_t {
    none,
    hit,
    redis,
    miss,
    stale,
    updating,
    expired,
    revalidated,
    bypass
};
std::string_view name_of(CacheStatus status) noexcept;

/// Whether an answer stands in for an AVIF that will come, as $media_behind says it.
enum class StandIn : std::uint8_t {
    none,
    queued,   ///< this request has it made
    pending,  ///< another one does, or there is no room for it now
};
std::string_view name_of(StandIn how) noexcept;

/// What a request has to do with a copy of its original that is read faster, as $media_copy says it.
enum class Copy : std::uint8_t {
    none,
    queued,  ///< it has one made
    used,    ///< the rendition was made of one
};
std::string_view name_of(Copy how) noexcept;

/// What variables and logs tell about a request.
struct Report {
    CacheStatus cache = CacheStatus::none;
    StandIn stand_in = StandIn::none;
    Copy copy = Copy::none;
    bool rendered = false;
    double render_seconds = 0, queue_seconds = 0;
    Route route = Route::libvips;
    int shared = 1;
    bool described = false;  ///< the fields below hold
    std::uint64_t source_bytes = 0, bytes = 0;
    OutputFormat format = Format::jpeg;
    int width = 0, height = 0;
};

/// Lives in its request's pool; all of it belongs to the event loop. Steps return `pending` while something
/// else will call back, and otherwise what the request is to be finalized with.
class RenditionRequest {
  public:
    explicit RenditionRequest(ngx_http_request_t* r) noexcept
        : r_(r), conf_(location_config(r)), loc_conf_(r->loc_conf) {}
    RenditionRequest(const RenditionRequest&) = delete;
    RenditionRequest& operator=(const RenditionRequest&) = delete;
    ~RenditionRequest();

    /// The content handler's work; returns as a content handler.
    ngx_int_t start();

    /// In a request of refresh_behind(): renews the stale entry and answers nobody.
    void refresh();
    /// For that request, before: it renews what `client` has come to.
    void come_after(const RenditionRequest& client) noexcept { detour_ = client.detour_; }

    /// In a request of make_behind(): makes the rendition that `client` has done without, and answers nobody.
    /// What `client` knows of the original is taken over.
    void come_behind(RenditionRequest& client) noexcept;
    /// Likewise, but to make a copy of the original of `client`, which is kept under `key`.
    void come_to_copy(RenditionRequest& client, std::string key) noexcept;
    void make_spare();
    ngx_http_request_t* own() const noexcept { return r_; }

    /// A job's outcome.
    void on_rendered(RenderJob& job);

    /// The RenditionRequest of a request, also behind an internal redirect; null where there is none.
    static RenditionRequest* of(const ngx_http_request_t* r) noexcept;

    /// The header of an untouched original that another location sends in our place; an answer that is not a
    /// file becomes the error that it means for us.
    ngx_int_t on_original_header(ngx_http_request_t* r, ngx_http_output_header_filter_pt next,
                                 ngx_http_output_body_filter_pt next_body);
    /// Whether the body of that answer is dropped, the error having taken its place.
    bool swallows() const noexcept { return swallows_; }

    const Report& report() const noexcept { return report_; }
    /// The cache key, empty where none was needed; put together only when somebody wants to see it.
    const std::string& key();

  private:
    /// What a step returns while something will call back; no code of nginx' own.
    static constexpr ngx_int_t pending = -1000;

    ngx_int_t begin();
    Status authorize();
    Status find_original(std::string_view below, ngx_str_t base);
    Status parse();
    Question question() noexcept;
    Result<Rendition> read(const Question& question);
    void accept_only(std::vector<Format> formats);
    void do_without_first();
    bool evaluate_texts();
    ngx_int_t serve_original();
    ngx_int_t look_up();
    ngx_int_t on_cache(DiskTier::Outcome outcome);
    ngx_int_t seek();
    ngx_int_t take_shared();
    bool stored_leads_on() const noexcept;
    ngx_int_t follow_stored();
    ngx_int_t look_elsewhere();
    ngx_int_t doubt_absence();
    ngx_int_t on_arrived();
    ngx_int_t follow_signpost();
    void pass_signpost();
    ngx_int_t ignore_hints();
    ngx_int_t make();
    ngx_int_t render(Source source, Freshness freshness);
    ngx_int_t post(std::unique_ptr<RenderJob> job);
    ngx_int_t ask_origin();
    ngx_int_t on_origin();
    ngx_int_t conclude(RenderJob& job);
    void keep_at_hand(Source source, Freshness freshness);

    ngx_int_t on_stale(DiskTier::Outcome outcome);
    ngx_int_t on_unchanged();
    ngx_int_t extend(Freshness freshness);
    bool stale_while_updating() const noexcept;
    bool stale_if(int status) const noexcept;
    bool confirmed_meanwhile() const noexcept;
    Validators known() const;
    std::optional<ngx_int_t> fail_stale(int status);

    RenderSettings settings_to_render() const;
    bool may_come_behind() const;
    bool wants_more_effort() const;
    bool may_stand_in() const;
    ngx_int_t stand_in(StandIn how);
    ngx_int_t begin_with_less(Source source, Freshness freshness);
    void miss_nothing() noexcept;
    bool still_wanted();
    void queue_missing() noexcept;
    StandIn begin_missing();
    ngx_msec_t time_to_render() const noexcept;

    std::string content_of(const Freshness& freshness) const;
    std::string key_of_copy(const std::string& content) const;
    void offer_copy(RenderJob& job);
    void queue_copy(const RenderJob& job) noexcept;
    bool copy_still_wanted() const;
    ngx_int_t look_for_copy();
    ngx_int_t copy_original(Source source, Freshness freshness);

    ngx_int_t send_stored();
    ngx_int_t send_fresh();
    ngx_int_t fail(const Error& error);

    /// What is asked for; after parse().
    const Rendition& rendition() const noexcept { return asked_->rendition; }
    void collect_rest();
    void add_watermarks();
    HotName hot_name() const noexcept;
    void compose_key();
    void describe(const StoredFacts& facts, std::uint64_t bytes) noexcept;
    bool vary() noexcept;
    bool decorate(std::string_view cache_control) noexcept;
    bool evaluate(ngx_http_complex_value_t* value, ngx_str_t& text) noexcept;

    void resume(ngx_int_t (RenditionRequest::*step)());
    void finish(ngx_int_t outcome);
    void await(RenderJob* job) noexcept;
    void detach() noexcept;
    void arm(ngx_msec_t time);

    static void on_cache_event(ngx_http_request_t* r);
    static void on_origin_event(ngx_http_request_t* r);
    static void on_client_event(ngx_http_request_t* r);
    static void on_timer(ngx_event_t* event);
    static void on_origin_done(void* self);
    static void on_fetched(void* self);
    ngx_int_t look_again();

    ngx_http_request_t* r_;
    const LocationConfig* conf_;
    void** loc_conf_;                                        ///< of the location that was asked
    std::shared_ptr<const Meaning> asked_;                   ///< null before parse()
    std::map<std::string, std::string, std::less<>> texts_;  ///< of the text watermarks, by name

    std::optional<LocalOriginal> local_;
    FileVersion version_;
    OriginCapture* capture_ = nullptr;
    std::optional<Target> target_;  ///< the URL of the original, where it has one
    Fetch* fetch_ = nullptr;
    std::string_view base_;  ///< the evaluated media_root
    ngx_str_t origin_uri_{};
    /// From the entry that was asked for to the one that answers.
    struct Detour {
        bool past_signpost = false;  ///< the original moves
        bool bare_size = false;      ///< hints have given way: they set no size any more
        bool hasty = false;          ///< no AVIF of more effort is there: one of the usual effort will do
        bool stands_in = false;      ///< the AVIF is not there: the next format is the one
        bool arrived = false;        ///< the original was missing, and has been uploaded since
        bool copies = false;         ///< no rendition is wanted, but a copy of the original
    };
    Detour detour_;
    /// What is known of the original when another rendition of it is looked up: no need to fetch it again.
    std::unique_ptr<std::pair<Source, Freshness>> at_hand_;
    std::optional<Error> failure_;

    /// What the key holds beside what every key does: the tenant, the URL of the original, and what tells
    /// renditions apart that are not told apart by their queries. By look_up().
    std::string rest_;
    std::size_t tenant_end_ = 0, target_end_ = 0;
    bool named_ = false;               ///< it holds
    std::string key_;                  ///< empty where a hit needs none
    std::size_t original_length_ = 0;  ///< of the part of the key that names the original
    DiskTier disk_;
    std::unique_ptr<SharedTier> shared_;  ///< null where Redis was not asked
    RenderJob* job_ = nullptr;            ///< owned by the pool
    ngx_event_t timer_{};  ///< while work goes on: keeps a retiring worker alive, renews the lease, ends it
    ngx_msec_t deadline_ = 0;

    std::optional<Encoded> encoded_;  ///< what is being sent
    std::string etag_;
    std::string control_;
    std::optional<time_t> born_;  ///< when the origin made what is sent, if it states a lifetime
    bool expired_ = false;        ///< a stale rendition is at hand
    bool waited_ = false;         ///< long enough for another of this machine
    bool late_ = false;           ///< the deadline has passed
    bool refreshing_ = false;     ///< nobody waits for the answer
    bool behind_ = false;         ///< nor did anybody ask for it: it is made where threads are spare
    bool failed_ = false;
    std::string wanted_;  ///< the cache key of what is made behind
    /// The AVIF that this answer does without, if nobody makes it: its key, and the way to it.
    struct Missing {
        std::string key;
        Detour detour;
    };
    std::optional<Missing> missing_;
    int restarts_ = 0;
    bool passing_ = false;  ///< another location sends the untouched original
    bool swallows_ = false;
    Report report_;
};

}  // namespace media
