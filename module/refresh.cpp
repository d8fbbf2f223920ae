#include "module/refresh.h"

#include <sys/socket.h>

#include <algorithm>
#include <string_view>

#include "module/descriptor.h"
#include "module/guard.h"
#include "module/rendition_request.h"

namespace media {

namespace {

// What is left of a worker's connections for its clients, as a part of them.
constexpr ngx_uint_t reserve = 8;

template <class T>
T* zeroed(ngx_pool_t* pool) noexcept {
    return static_cast<T*>(ngx_pcalloc(pool, sizeof(T)));
}

// Copies a text; an empty one stays empty.
bool carry(ngx_pool_t* pool, const ngx_str_t& from, ngx_str_t& to) noexcept {
    if (from.len == 0) {
        return true;
    }
    to = copy(pool, view(from));
    return to.data != nullptr;
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

// The connection's parts that nginx reads while a request is worked on.
bool furnish(ngx_connection_t* c, const ngx_connection_t& client,
             const ngx_http_connection_t& http) noexcept {
    auto* log = zeroed<ngx_log_t>(c->pool);
    auto* context = zeroed<ngx_http_log_ctx_t>(c->pool);
    auto* own = zeroed<ngx_http_connection_t>(c->pool);
    c->buffer = ngx_create_temp_buf(c->pool, 1);
    if (log == nullptr || context == nullptr || own == nullptr || c->buffer == nullptr) {
        return false;
    }
    c->number = ngx_atomic_fetch_add(ngx_connection_counter, 1);
    *log = *client.log;
    context->connection = c;
    log->connection = c->number;
    log->data = context;
    log->action = const_cast<char*>("refreshing a rendition");
    c->log = log;
    c->read->log = log;
    c->write->log = log;
    c->pool->log = log;

    own->addr_conf = http.addr_conf;
    own->conf_ctx = http.conf_ctx;
    c->data = own;
    c->type = SOCK_DGRAM;
    c->listening = client.listening;
    c->socklen = client.socklen;
    c->local_socklen = client.local_socklen;
    c->sockaddr = carry(c->pool, client.sockaddr, client.socklen);
    if (client.local_sockaddr != nullptr) {
        c->local_sockaddr = carry(c->pool, client.local_sockaddr, client.local_socklen);
    }
    c->recv = client.recv;
    c->send = client.send;
    c->recv_chain = client.recv_chain;
    c->send_chain = client.send_chain;
    c->tcp_nodelay = NGX_TCP_NODELAY_DISABLED;
    c->tcp_nopush = NGX_TCP_NOPUSH_DISABLED;
    c->write->ready = 1;
    c->read->handler = client.read->handler;
    c->write->handler = client.write->handler;
    return c->sockaddr != nullptr && carry(c->pool, client.addr_text, c->addr_text);
}

ngx_connection_t* connect_to_nobody(const ngx_http_request_t* r) noexcept {
    Descriptor socket = silent_socket();
    if (!socket || ngx_cycle->free_connection_n < ngx_cycle->connection_n / reserve) {
        return nullptr;
    }
    ngx_connection_t* c = ngx_get_connection(socket.get(), ngx_cycle->log);
    if (c == nullptr) {
        return nullptr;
    }
    c->pool = ngx_create_pool(512, ngx_cycle->log);
    if (c->pool == nullptr || !furnish(c, *r->connection, *r->main->http_connection)) {
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

// The header fields, and nginx' pointers to those it knows.
bool carry_fields(const ngx_http_request_t* from, ngx_http_request_t* to) noexcept {
    auto* main =
        static_cast<ngx_http_core_main_conf_t*>(ngx_http_get_module_main_conf(to, ngx_http_core_module));
    ngx_http_headers_in_t& in = to->headers_in;
    if (ngx_list_init(&in.headers, to->pool, 20, sizeof(ngx_table_elt_t)) != NGX_OK ||
        !carry(to->pool, from->headers_in.server, in.server)) {
        return false;
    }
    for (const ngx_list_part_t* part = &from->headers_in.headers.part; part != nullptr; part = part->next) {
        const auto* fields = static_cast<const ngx_table_elt_t*>(part->elts);
        for (ngx_uint_t i = 0; i < part->nelts; ++i) {
            if (fields[i].hash == 0) {
                continue;
            }
            auto* field = static_cast<ngx_table_elt_t*>(ngx_list_push(&in.headers));
            if (field == nullptr) {
                return false;
            }
            ngx_memzero(field, sizeof(*field));
            ngx_str_t lowcase{};
            field->hash = fields[i].hash;
            if (!carry(to->pool, fields[i].key, field->key) ||
                !carry(to->pool, fields[i].value, field->value) ||
                !carry(to->pool, {fields[i].key.len, fields[i].lowcase_key}, lowcase)) {
                return false;
            }
            field->lowcase_key = lowcase.data;
            if (view(lowcase) == "host") {
                in.host = field;  // which virtual server it means is settled
                continue;
            }
            auto* known = static_cast<ngx_http_header_t*>(
                ngx_hash_find(&main->headers_in_hash, field->hash, lowcase.data, lowcase.len));
            if (known != nullptr && known->handler(to, field, known->offset) != NGX_OK) {
                return false;
            }
        }
    }
    return true;
}

// Variables that the connection gives, which ours cannot.
bool of_the_connection(std::string_view name) noexcept {
    return name == "scheme" || name == "https" || name.starts_with("ssl_") ||
           name.starts_with("proxy_protocol_");
}

// What was set, matched or looked up for the client's request holds for ours.
bool carry_variables(ngx_http_request_t* from, ngx_http_request_t* to) noexcept {
    const auto* main =
        static_cast<ngx_http_core_main_conf_t*>(ngx_http_get_module_main_conf(to, ngx_http_core_module));
    const auto* declared = static_cast<const ngx_http_variable_t*>(main->variables.elts);
    for (ngx_uint_t i = 0; i < main->variables.nelts; ++i) {
        if (of_the_connection(view(declared[i].name))) {
            (void)ngx_http_get_indexed_variable(from, i);
        }
        const ngx_http_variable_value_t& value = from->variables[i];
        if (value.valid == 0 || value.no_cacheable != 0) {
            continue;
        }
        ngx_str_t text{};
        if (!carry(to->pool, {value.len, value.data}, text)) {
            return false;
        }
        to->variables[i] = value;
        to->variables[i].data = text.data;
    }
    return true;
}

bool carry_captures(const ngx_http_request_t* from, ngx_http_request_t* to) noexcept {
#if (NGX_PCRE)
    if (from->ncaptures == 0) {
        return true;
    }
    to->captures = static_cast<int*>(ngx_palloc(to->pool, from->ncaptures * sizeof(int)));
    if (to->captures == nullptr) {
        return false;
    }
    std::copy_n(from->captures, from->ncaptures, to->captures);
    // Captures lie in the text up to the end of the last one.
    const int* last = std::max_element(from->captures, from->captures + from->ncaptures);
    ngx_str_t text{};
    if (*last > 0 && !carry(to->pool, {static_cast<std::size_t>(*last), from->captures_data}, text)) {
        return false;
    }
    to->ncaptures = from->ncaptures;
    to->captures_data = text.data;
#else
    (void)from;
    (void)to;
#endif
    return true;
}

bool carry_request(ngx_http_request_t* from, ngx_http_request_t* to) noexcept {
    to->main_conf = from->main_conf;
    to->srv_conf = from->srv_conf;
    to->loc_conf = from->loc_conf;
    to->method = NGX_HTTP_GET;
    to->method_name = ngx_http_core_get_method;
    to->http_version = from->http_version;
    to->http_state = ngx_http_state_e::NGX_HTTP_PROCESS_REQUEST_STATE;
    to->valid_location = 1;
    to->valid_unparsed_uri = from->valid_unparsed_uri;
    to->expect_tested = 1;
    to->logged = 1;       // nobody asked
    to->post_action = 1;  // nor is anything to follow
    to->uri_changes = 0;
    ngx_pool_t* pool = to->pool;
    return carry(pool, from->request_line, to->request_line) && carry(pool, from->uri, to->uri) &&
           carry(pool, from->args, to->args) && carry(pool, from->exten, to->exten) &&
           carry(pool, from->unparsed_uri, to->unparsed_uri) && carry(pool, from->schema, to->schema) &&
           carry(pool, from->http_protocol, to->http_protocol) && carry_fields(from, to) &&
           carry_variables(from, to) && carry_captures(from, to);
}

void begin(ngx_http_request_t* r) {
    r->write_event_handler = ngx_http_request_empty_handler;
    RenditionRequest::of(r)->refresh();
}

}  // namespace

bool refresh_behind(ngx_http_request_t* r) noexcept {
    ngx_connection_t* c = connect_to_nobody(r);
    if (c == nullptr) {
        return false;
    }
    ngx_http_request_t* own = ngx_http_create_request(c);
    if (own == nullptr) {
        ngx_http_close_connection(c);
        return false;
    }
    c->data = own;
#if (NGX_STAT_STUB)
    // Not a client's request.
    (void)ngx_atomic_fetch_add(ngx_stat_requests, -1);
    (void)ngx_atomic_fetch_add(ngx_stat_reading, -1);
    (void)ngx_atomic_fetch_add(ngx_stat_writing, 1);
    own->stat_reading = 0;
    own->stat_writing = 1;
#endif
    RenditionRequest* request = nullptr;
    if (carry_request(r, own)) {
        request = make_in_pool<RenditionRequest>(own->pool, own);
    }
    if (request == nullptr) {
        own->logged = 1;
        ngx_http_finalize_request(own, NGX_OK);
        return false;
    }
    ngx_http_set_ctx(own, request, ngx_http_media_module);
    request->come_after(*RenditionRequest::of(r));
    // Not before the client has its answer.
    own->write_event_handler = guard<begin>;
    ngx_post_event(c->write, &ngx_posted_events);
    return true;
}

}  // namespace media
