#include "module/presign.h"

#include <algorithm>
#include <array>
#include <string>
#include <utility>

#include "core/rendition/header_text.h"
#include "core/rendition/query.h"
#include "module/answer.h"
#include "module/config.h"
#include "module/guard.h"
#include "module/setter.h"
#include "module/upload_request.h"

namespace media {

namespace {

constexpr std::string_view last_part = "presign";

// What a client may say of a link; there is no need for more.
constexpr std::size_t longest_request = std::size_t{8} << 10U;

// The body of a request, which is small: nginx may have put it into a file all the same.
Result<std::string> read_body(const ngx_http_request_t* r) {
    std::string text;
    for (const ngx_chain_t* link = r->request_body == nullptr ? nullptr : r->request_body->bufs;
         link != nullptr; link = link->next) {
        const ngx_buf_t* buffer = link->buf;
        const auto size = static_cast<std::size_t>(ngx_buf_size(buffer));
        if (text.size() + size > longest_request) {
            return Error{413, "more than 8 KiB of JSON"};
        }
        if (buffer->in_file == 0) {
            text.append(reinterpret_cast<const char*>(buffer->pos), size);
            continue;
        }
        std::array<u_char, longest_request> piece{};
        if (ngx_read_file(buffer->file, piece.data(), size, buffer->file_pos) != static_cast<ssize_t>(size)) {
            return Error{500, "the body cannot be read"};
        }
        text.append(reinterpret_cast<const char*>(piece.data()), size);
    }
    return text;
}

// The path before "presign", as the client wrote it: it may have been rewritten since.
std::string place_of_links(const ngx_http_request_t* r, std::string_view base) {
    const std::string_view url = view(r->unparsed_uri);
    const std::string_view path = url.substr(0, url.find('?'));
    if (path.ends_with(last_part) && path.starts_with('/')) {
        return std::string{path.substr(0, path.size() - last_part.size())};
    }
    std::string place;
    while (!base.empty()) {
        const std::size_t end = std::min(base.find('/'), base.size());
        detail::append_encoded(place, base.substr(0, end));
        place += end < base.size() ? "/" : "";
        base.remove_prefix(std::min(end + 1, base.size()));
    }
    return place;
}

Result<std::string> make_link(const ngx_http_request_t* r) {
    const LocationConfig& conf = *location_config(r);
    const auto body = read_body(r);
    if (!body) {
        return body.error();
    }
    const auto terms = read_presign_request(*body,
                                            {.max_bytes = static_cast<std::uint64_t>(conf.upload_max),
                                             .types = *conf.upload_types,
                                             .max_age = conf.presign->max_age},
                                            ngx_time());
    if (!terms) {
        return terms.error();
    }
    const std::string_view base = view(r->uri).substr(0, r->uri.len - last_part.size());
    const std::string query =
        presign_query(*terms, conf.presign->keys.front(), std::string{base} + terms->id);
    return presign_json(*terms, place_of_links(r, base) + terms->id + '?' + query);
}

ngx_int_t answer(ngx_http_request_t* r) {
    const auto link = make_link(r);
    if (!link) {
        return send_problem(r, link.error(), location_config(r)->intercept_errors != 0);
    }
    const ngx_str_t body = copy(r->pool, *link);
    if (body.data == nullptr ||
        !set_entity(r, NGX_HTTP_CREATED, "application/json", static_cast<off_t>(body.len), -1, {}) ||
        add_header(r, "Cache-Control", "no-store") == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    r->allow_ranges = 0;
    return send_memory(r, body.data, body.len);
}

void on_body(ngx_http_request_t* r) {
    ngx_http_finalize_request(r, answer(r));
}

Status acceptable(ngx_http_request_t* r) {
    const ngx_http_headers_in_t& in = r->headers_in;
    if (in.content_length_n > static_cast<off_t>(longest_request)) {
        return Error{413, "more than 8 KiB of JSON"};
    }
    const std::string_view type = request_header(r, "content-type");
    const bool json = detail::same_word(detail::trimmed(type.substr(0, type.find(';'))), "application/json");
    if (!json && (in.content_length_n > 0 || in.chunked != 0 || !type.empty())) {
        return Error{415, "expected application/json"};
    }
    if (r->args.len > 0) {
        return Error{400, "there are no parameters here"};
    }
    return Nothing{};
}

}  // namespace

char* set_presign(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    if (location->presign != nullptr) {
        return duplicate;
    }
    constexpr std::string_view age = "max_age=";
    PresignConfig presign;
    bool aged = false;
    for (const ngx_str_t& value : values(cf)) {
        if (!view(value).starts_with(age)) {
            if (!read_key_option(cf, value, presign.keys)) {
                return fail();
            }
            continue;
        }
        ngx_str_t text{value.len - age.size(), value.data + age.size()};
        presign.max_age = ngx_parse_time(&text, 1);
        if (aged || presign.max_age == NGX_ERROR || presign.max_age < 1) {
            ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"", &value);
            return fail();
        }
        aged = true;
    }
    if (presign.keys.empty()) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"media_presign\" needs a key");
        return fail();
    }
    location->presign = make_in_pool<PresignConfig>(cf->pool, std::move(presign));
    location->presign_place = make_in_pool<Place>(cf->pool, place_of(cf));
    return location->presign == nullptr || location->presign_place == nullptr ? fail() : ok;
}

ngx_int_t presign_handler(ngx_http_request_t* r) {
    if (const Status status = acceptable(r); !status) {
        r->expect_tested = 1;
        if (const ngx_int_t outcome = ngx_http_discard_request_body(r); outcome != NGX_OK) {
            return outcome;
        }
        return send_problem(r, status.error(), location_config(r)->intercept_errors != 0);
    }
    const ngx_int_t outcome = ngx_http_read_client_request_body(r, guard<on_body>);
    return outcome >= NGX_HTTP_SPECIAL_RESPONSE ? outcome : NGX_DONE;
}

bool comes_with_link(const ngx_http_request_t* r) noexcept {
    return r->method == NGX_HTTP_PUT && location_config(r)->presign != nullptr &&
           UploadTarget::of(r).kind == UploadTarget::Kind::link;
}

Result<PresignTerms> link_of(const ngx_http_request_t* r) noexcept {
    return check_presigned(location_config(r)->presign->keys, view(r->uri), UploadTarget::of(r).key,
                           view(r->args));
}

}  // namespace media
