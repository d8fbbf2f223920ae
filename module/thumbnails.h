// Renditions that are made before anybody asks for them.
#pragma once

#include <deque>
#include <string>
#include <string_view>
#include <vector>

#include "module/ngx.h"

namespace media {

/// Setter of media_upload_thumbnails.
char* set_thumbnails(ngx_conf_t* cf, ngx_command_t* command, void* conf);

/// Asks the location of renditions for what was just uploaded, as a client would, so that it is in the caches
/// when the first one comes. One for each worker; belongs to the event loop. All presets of an original at
/// once, so that they are made of one decode, but at most half of what may wait for threads, for clients go
/// first; what a worker that dies has not come to is made when somebody asks.
class Thumbnails {
  public:
    Thumbnails();
    Thumbnails(const Thumbnails&) = delete;
    Thumbnails& operator=(const Thumbnails&) = delete;
    ~Thumbnails();

    /// One of each preset of the original at `uri`, decoded, in that server.
    void make(const ngx_http_core_srv_conf_t* server, std::string_view uri,
              const std::vector<std::string>& presets);

  private:
    struct Wanted {
        const ngx_http_core_srv_conf_t* server;
        std::string uri;
        std::vector<std::string> presets;
        int tries = 0;
    };

    void pump();
    void ask(const Wanted& wanted, const std::string& preset);
    void on_made(const Wanted& one, ngx_uint_t status);
    static void on_timer(ngx_event_t* event);

    std::deque<Wanted> wanted_;
    std::size_t under_way_ = 0;
    ngx_event_t timer_{};  ///< after a refusal for too much work; holds a retiring worker
};

}  // namespace media
