// Requests that no client has sent.
#pragma once

#include <string>
#include <string_view>

#include "module/ngx.h"

namespace media {

/// What a request of our own is told of the connection that it did not come through. Everything is copied.
struct OwnConnection {
    const ngx_http_conf_ctx_t* server;  ///< whose locations it sees
    ngx_http_addr_conf_t* listen_conf;  ///< of the socket that it might have come through
    ngx_listening_t* listening;         ///< likewise
    const ngx_log_t* log;               ///< what it writes goes there, and says what this says
    const char* action;                 ///< "while ..." in the log; lives for ever
    const sockaddr* client;             ///< who seems to ask
    socklen_t client_length;
    std::string_view client_text;
    const sockaddr* local;  ///< may be null
    socklen_t local_length;

    /// As if the client of `r` asked again.
    static OwnConnection like(const ngx_http_request_t* r, const char* action) noexcept;
    /// As if this machine asked the server through its first listening socket, or through any where it has
    /// none of its own. `listening` is null where there is none at all.
    static OwnConnection of_machine(const ngx_http_core_srv_conf_t* server, const char* action) noexcept;
};

/// Remembers the listening sockets, of which a worker that winds down knows no more. At its start.
void note_listening(const ngx_cycle_t* cycle) noexcept;

/// A main request without a client: a request like any other for everything that it calls, but for its
/// connection, at whose other end is nobody. No phase is run, it answers nobody, and it is not logged. Null
/// where there is no room for it. Whoever gets it fills in what is asked (its URI, its header fields) and
/// calls begin_own_request(), or ends it with end_own_request().
ngx_http_request_t* make_own_request(const OwnConnection& from) noexcept;

/// Calls `handler` from the event loop, after what is going on now.
void begin_own_request(ngx_http_request_t* r, ngx_http_event_handler_pt handler) noexcept;

void end_own_request(ngx_http_request_t* r) noexcept;

/// Whether nobody has sent it: access was settled by whoever made it.
bool is_own_request(const ngx_http_request_t* r) noexcept;

/// Adds a header field to a request; nginx' pointers to those that it knows are set. The texts must live as
/// long as the request, `lowcase` holds the name in lower case.
bool add_request_field(ngx_http_request_t* r, std::string_view name, std::string_view lowcase,
                       std::string_view value) noexcept;

}  // namespace media
