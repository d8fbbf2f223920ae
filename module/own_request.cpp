#include "module/own_request.h"

#include <arpa/inet.h>
#include <sys/socket.h>

#include <span>

#include "module/descriptor.h"
#include "module/guard.h"

namespace media {

namespace {

// What is left of a worker's connections for its clients, as a part of them.
constexpr ngx_uint_t reserve = 8;

std::span<ngx_listening_t> listening_sockets;

template <class T>
T* zeroed(ngx_pool_t* pool) noexcept {
    return static_cast<T*>(ngx_pcalloc(pool, sizeof(T)));
}

sockaddr* carry(ngx_pool_t* pool, const sockaddr* address, socklen_t length) noexcept {
    auto* copied = static_cast<sockaddr*>(ngx_palloc(pool, length));
    if (copied != nullptr) {
        ngx_memcpy(copied, address, length);
    }
    return copied;
}

// A socket that nobody writes to: it never closes by itself and never has anything to read.
Descriptor silent_socket() noexcept {
    return Descriptor{socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0)};
}

// As nginx' own handler of a connection whose request is being worked on.
void on_event(ngx_event_t* event) {
    auto* c = static_cast<ngx_connection_t*>(event->data);
    auto* r = static_cast<ngx_http_request_t*>(c->data);
    ngx_http_set_log_request(c->log, r);
    if (event->write != 0) {
        r->write_event_handler(r);
    } else {
        r->read_event_handler(r);
    }
    ngx_http_run_posted_requests(c);
}

// The connection's parts that nginx reads while a request is worked on.
bool furnish(ngx_connection_t* c, const OwnConnection& from) noexcept {
    auto* log = zeroed<ngx_log_t>(c->pool);
    auto* context = zeroed<ngx_http_log_ctx_t>(c->pool);
    auto* http = zeroed<ngx_http_connection_t>(c->pool);
    c->buffer = ngx_create_temp_buf(c->pool, 1);
    if (log == nullptr || context == nullptr || http == nullptr || c->buffer == nullptr) {
        return false;
    }
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    *log = *from.log;
    context->connection = c;
    log->connection = c->number;
    log->data = context;
    log->action = const_cast<char*>(from.action);
    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->pool->log = log;

    http->addr_conf = from.listen_conf;
    http->conf_ctx = const_cast<ngx_http_conf_ctx_t*>(from.server);
    c->data = http;
    c->type = SOCK_DGRAM;
    c->listening = from.listening;
    c->socklen = from.client_length;
    c->sockaddr = carry(c->pool, from.client, from.client_length);
    c->addr_text = copy(c->pool, from.client_text);
    if (from.local != nullptr) {
        c->local_socklen = from.local_length;
        c->local_sockaddr = carry(c->pool, from.local, from.local_length);
    }
    c->recv = ngx_recv;
    c->send = ngx_send;
    c->recv_chain = ngx_recv_chain;
    c->send_chain = ngx_send_chain;
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;
    c->write->ready = 1;
    c->read->handler = guard<on_event>;
    c->write->handler = guard<on_event>;
    return c->sockaddr != nullptr && c->addr_text.data != nullptr;
}

ngx_connection_t* connect_to_nobody(const OwnConnection& from) noexcept {
    Descriptor socket = silent_socket();
    if (!socket || from.listening == nullptr ||
        ngx_cycle->free_connection_n < ngx_cycle->connection_n / reserve) {
        return nullptr;
    }
    ngx_connection_t* c = ngx_get_connection(socket.get(), ngx_cycle->log);
    if (c == nullptr) {
        return nullptr;
    }
    c->pool = ngx_create_pool(512, ngx_cycle->log);
    if (c->pool == nullptr || !furnish(c, from)) {
        ngx_pool_t* pool = c->pool;
        c->log = ngx_cycle->log;
        ngx_free_connection(c);
        c->fd = static_cast<ngx_socket_t>(-1);
        if (pool != nullptr) {
            pool->log = ngx_cycle->log;
            ngx_destroy_pool(pool);
        }
        return nullptr;
    }
    socket.release();  // the connection's from here on
#if (NGX_STAT_STUB)
    (void)ngx_atomic_fetch_add(ngx_stat_active, 1);
#endif
    return c;
}

ngx_http_addr_conf_t* first_listen_conf(const ngx_listening_t& listening) noexcept {
    const auto* port = static_cast<const ngx_http_port_t*>(listening.servers);
    switch (listening.sockaddr->sa_family) {
#if (NGX_HAVE_INET6)
        case AF_INET6:
            return &static_cast<ngx_http_in6_addr_t*>(port->addrs)->conf;
#endif
        default:
            return &static_cast<ngx_http_in_addr_t*>(port->addrs)->conf;
    }
}

// A log that says what is being done, as nginx' own say who asks.
u_char* describe(ngx_log_t* log, u_char* buffer, std::size_t length) noexcept {
    const auto* context = static_cast<const ngx_http_log_ctx_t*>(log->data);
    const ngx_http_request_t* r = context == nullptr ? nullptr : context->current_request;
    u_char* end = buffer;
    if (log->action != nullptr) {
        end = ngx_snprintf(end, length, " while %s", log->action);
    }
    if (r != nullptr) {
        end = ngx_snprintf(end, length - static_cast<std::size_t>(end - buffer), ", own request: \"%V\"",
                           &r->uri);
    }
    return end;
}

}  // namespace

OwnConnection OwnConnection::like(const ngx_http_request_t* r, const char* action) noexcept {
    const ngx_connection_t& c = *r->connection;
    const ngx_http_connection_t& http = *r->main->http_connection;
    return {.server = http.conf_ctx,
            .listen_conf = http.addr_conf,
            .listening = c.listening,
            .log = c.log,
            .action = action,
            .client = c.sockaddr,
            .client_length = c.socklen,
            .client_text = view(c.addr_text),
            .local = c.local_sockaddr,
            .local_length = c.local_socklen};
}

OwnConnection OwnConnection::of_machine(const ngx_http_core_srv_conf_t* server, const char* action) noexcept {
    // Both are copied before anybody else gets here.
    static sockaddr_in self;
    self.sin_family = AF_INET;
    self.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    static ngx_log_t log;
    log = *ngx_cycle->log;
    log.handler = &describe;
    OwnConnection from{.server = server->ctx,
                       .listen_conf = nullptr,
                       .listening = nullptr,
                       .log = &log,
                       .action = action,
                       .client = reinterpret_cast<const sockaddr*>(&self),
                       .client_length = sizeof(self),
                       .client_text = "127.0.0.1",
                       .local = nullptr,
                       .local_length = 0};
    for (ngx_listening_t& socket : listening_sockets) {
        // Sockets of other protocols (stream, mail) have other handlers.
        if (socket.handler != ngx_http_init_connection) {
            continue;
        }
        ngx_http_addr_conf_t* conf = first_listen_conf(socket);
        if (from.listening == nullptr || conf->default_server == server) {
            from.listening = &socket;
            from.listen_conf = conf;
            from.local = socket.sockaddr;
            from.local_length = socket.socklen;
        }
        if (conf->default_server == server) {
            break;
        }
    }
    return from;
}

void note_listening(const ngx_cycle_t* cycle) noexcept {
    listening_sockets = {static_cast<ngx_listening_t*>(cycle->listening.elts), cycle->listening.nelts};
}

ngx_http_request_t* make_own_request(const OwnConnection& from) noexcept {
    ngx_connection_t* c = connect_to_nobody(from);
    if (c == nullptr) {
        return nullptr;
    }
    ngx_http_request_t* r = ngx_http_create_request(c);
    if (r == nullptr) {
        ngx_http_close_connection(c);
        return nullptr;
    }
    c->data = r;
#if (NGX_STAT_STUB)
    // Not a client's request.
    (void)ngx_atomic_fetch_add(ngx_stat_requests, -1);
    (void)ngx_atomic_fetch_add(ngx_stat_reading, -1);
    (void)ngx_atomic_fetch_add(ngx_stat_writing, 1);
    r->stat_reading = 0;
    r->stat_writing = 1;
#endif
    r->method = NGX_HTTP_GET;
    r->method_name = ngx_http_core_get_method;
    r->http_version = NGX_HTTP_VERSION_11;
    r->http_state = ngx_http_state_e::NGX_HTTP_PROCESS_REQUEST_STATE;
    r->valid_location = 1;
    r->expect_tested = 1;
    r->logged = 1;       // nobody asked
    r->post_action = 1;  // nor is anything to follow
    r->uri_changes = 0;
    r->read_event_handler = ngx_http_block_reading;
    r->write_event_handler = ngx_http_request_empty_handler;
    if (ngx_list_init(&r->headers_in.headers, r->pool, 20, sizeof(ngx_table_elt_t)) != NGX_OK) {
        end_own_request(r);
        return nullptr;
    }
    return r;
}

void begin_own_request(ngx_http_request_t* r, ngx_http_event_handler_pt handler) noexcept {
    r->write_event_handler = handler;
    ngx_post_event(r->connection->write, &ngx_posted_events);
}

void end_own_request(ngx_http_request_t* r) noexcept {
    ngx_http_finalize_request(r, NGX_OK);
}

bool is_own_request(const ngx_http_request_t* r) noexcept {
    return r->connection->read->handler == guard<on_event>;
}

bool add_request_field(ngx_http_request_t* r, std::string_view name, std::string_view lowcase,
                       std::string_view value) noexcept {
    const auto* main =
        static_cast<ngx_http_core_main_conf_t*>(ngx_http_get_module_main_conf(r, ngx_http_core_module));
    auto* field = static_cast<ngx_table_elt_t*>(ngx_list_push(&r->headers_in.headers));
    if (field == nullptr) {
        return false;
    }
    ngx_memzero(field, sizeof(*field));
    field->key = str(name);
    field->value = str(value);
    field->lowcase_key = str(lowcase).data;
    field->hash = ngx_hash_key(field->lowcase_key, lowcase.size());
    if (lowcase == "host") {
        r->headers_in.host = field;  // which virtual server it means is settled
        return true;
    }
    auto* known = static_cast<ngx_http_header_t*>(ngx_hash_find(
        const_cast<ngx_hash_t*>(&main->headers_in_hash), field->hash, field->lowcase_key, lowcase.size()));
    return known == nullptr || known->handler(r, field, known->offset) == NGX_OK;
}

}  // namespace media
