// What the configuration says, ready for use.
#pragma once

#include <array>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include "core/access/signature.h"
#include "core/picture/watermark.h"
#include "core/rendition/parse.h"
#include "core/rendition/settings.h"
#include "module/event_config.h"
#include "module/fetch_config.h"
#include "module/ngx.h"
#include "module/redis_config.h"

namespace media {

/// Where in the configuration something was declared, for errors that show later than it was read.
struct Place {
    std::string file;
    ngx_uint_t line = 0;
};

struct DeclaredPreset {
    std::string name;
    std::string query;
    Place place;
};

/// The text of a watermark, which each request evaluates.
struct DeclaredText {
    ngx_http_complex_value_t* value;
    std::string written;  ///< with its variables
    Place place;
};

struct UploadStore;

/// The C++ side of the main configuration; lives as long as its cycle.
struct Catalogue {
    Catalogue();
    Catalogue(const Catalogue&) = delete;
    Catalogue& operator=(const Catalogue&) = delete;
    ~Catalogue();

    std::vector<DeclaredPreset> declared_presets;
    Presets presets;  ///< the declared ones, once they are checked
    std::vector<WatermarkSpec> watermarks;
    std::vector<std::string> watermark_names;
    std::map<std::string, DeclaredText, std::less<>> watermark_texts;  ///< of those that are texts
    std::vector<std::unique_ptr<RedisConfig>> redis;                   ///< each once
    std::vector<std::unique_ptr<UploadStore>> stores;                  ///< likewise
    std::vector<EventStore> event_stores;                              ///< likewise
    FormatSet documents;  ///< SVG and PDF, where some location decodes them
    bool used = false;    ///< some location serves renditions
};

class EventZone;
class PurgeTable;
struct PresignConfig;
struct TokenConfig;

struct MainConfig {
    ngx_array_t caches;  ///< of ngx_http_file_cache_t*, by media_cache_path
    ngx_int_t threads;
    ngx_int_t queue;
    Catalogue* catalogue;
    PurgeTable* purges;  ///< null where no location serves renditions
    EventZone* events;   ///< null where nobody is told of any
};

/// Preferred formats of `fm=auto`; trivially destructible, for the pool.
struct AutoFormats {
    std::array<Format, format_count> formats{};
    std::size_t count = 0;
};

/// What media_avif_behind says; trivially destructible, for the pool.
struct AvifBehind {
    bool on = true;
    double from = 0.1;            ///< CPU seconds that the format that stands in saves at least
    int effort = -1;              ///< of what is made behind; -1: that of media_effort
    std::uint32_t lifetime = 10;  ///< seconds that it may be kept by whoever gets it
};

/// Keys of media_signature; null in a LocationConfig where it is off.
struct SignatureConfig {
    std::vector<SigningKey> keys;
    bool required = false;
};

/// Words of media_cache_use_stale, as bits; 0: it is not set.
namespace use_stale {
inline constexpr ngx_uint_t off = 1;
inline constexpr ngx_uint_t error = 2;     ///< whatever would be answered with 5xx
inline constexpr ngx_uint_t updating = 4;  ///< while it is refreshed
inline constexpr ngx_uint_t http_403 = 8;
inline constexpr ngx_uint_t http_404 = 16;
}  // namespace use_stale

struct LocationConfig {
    ngx_http_complex_value_t* root;
    ngx_http_complex_value_t* pass;
    FetchConfig* fetch;  ///< of root, pass and fetch a location that serves renditions has one
    std::size_t prefix;  ///< length of the location's prefix, cut off the URI; 0 in a regex location
    ngx_flag_t original;
    ngx_flag_t intercept_errors;
    ngx_flag_t presets_only;
    ngx_flag_t client_hints;
    ngx_flag_t copy_progressive;
    ngx_flag_t purge;
    Place* purge_place;          ///< where media_purge says "on"
    SignatureConfig* signature;  ///< unset: NGX_CONF_UNSET_PTR
    TokenConfig* tokens;         ///< null: no media_token here, nor above
    ngx_str_t forced_watermark;  ///< data null: unset; length 0: off
    Place* forced_place;
    ngx_shm_zone_t* cache;  ///< null: off
    RedisConfig* redis;     ///< null: off; unset: NGX_CONF_UNSET_PTR; belongs to the catalogue
    NotifyConfig* notify;   ///< null: off; unset: NGX_CONF_UNSET_PTR
    ngx_array_t* cache_valid;
    ngx_uint_t use_stale;  ///< bits of use_stale
    ngx_msec_t cache_lock_timeout;
    ngx_msec_t timeout;
    off_t max_source_size;
    off_t max_source_pixels;
    ngx_int_t max_frames;
    ngx_int_t max_width;
    ngx_int_t max_height;
    ngx_uint_t fail_on;
    FormatSet* input;
    AutoFormats* auto_formats;
    AvifBehind* avif_behind;
    std::array<int, format_count>* quality;
    std::array<int, format_count>* effort;

    PresignConfig* presign;  ///< null: no links
    Place* presign_place;    ///< where media_presign stands
    UploadStore* upload;     ///< null: no upload location; belongs to the catalogue
    ngx_str_t upload_url;
    off_t upload_max;
    FormatSet* upload_types;
    std::vector<std::string>* upload_claims;  ///< names; null: none
    FetchConfig* upload_fetch;                ///< null: off
    std::vector<std::string>* thumbnails;     ///< names of presets; null: none
    Place* thumbnails_place;                  ///< where media_upload_thumbnails names them
    ngx_str_t upload_moderate;                ///< data null: unset; length 0: off

    RenderSettings* settings;  ///< all of the above that rendering needs
    ngx_str_t fingerprint;     ///< of the settings, for the cache key
    Place* cache_place;        ///< where media_cache names its zone
    /// What tells the server from others in cache keys: its name, or without one its place in the
    /// configuration, which is the same on every node.
    ngx_str_t server;

    bool has_source() const noexcept { return root != nullptr || pass != nullptr || fetch != nullptr; }
};
static_assert(std::is_trivially_destructible_v<RenderSettings>);
static_assert(std::is_trivially_destructible_v<AutoFormats>);
static_assert(std::is_trivially_destructible_v<AvifBehind>);

MainConfig* main_config(const ngx_conf_t* cf) noexcept;
MainConfig* main_config(const ngx_http_request_t* r) noexcept;
const LocationConfig* location_config(const ngx_http_request_t* r) noexcept;

void* create_main_config(ngx_conf_t* cf);
char* init_main_config(ngx_conf_t* cf, void* conf);
void* create_location_config(ngx_conf_t* cf);
char* merge_location_config(ngx_conf_t* cf, void* parent, void* child);

/// All directives, for ngx_module_t.
extern ngx_command_t commands[];

/// Fills what `child` leaves open from `parent`, or from the defaults of the directive table.
char* merge_scalars(ngx_conf_t* cf, LocationConfig* parent, LocationConfig* child);

/// The default of a directive as its row states it.
std::string_view default_of(std::string_view directive) noexcept;

/// The content handler, set by media_root, media_pass and media_fetch.
ngx_int_t rendition_handler(ngx_http_request_t* r);

}  // namespace media
