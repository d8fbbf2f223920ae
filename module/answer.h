// Header fields and bodies of our own answers.
#pragma once

#include <string>
#include <string_view>

#include "core/base/error.h"
#include "module/ngx.h"

namespace media {

/// Adds a header field to the answer. `name` and `value` must live as long as the request. Null: out of
/// memory.
ngx_table_elt_t* add_header(ngx_http_request_t* r, std::string_view name, std::string_view value) noexcept;

/// Sets the entity tag, quotes included; the text must live as long as the request.
bool set_etag(ngx_http_request_t* r, std::string_view etag) noexcept;

/// All values of a request header, joined by commas; empty where there is none.
std::string_view request_header(ngx_http_request_t* r, std::string_view lowcase_name) noexcept;

/// All values, joined by commas, of a header field of an answer that was not sent yet, as a subrequest's
/// handler left it.
std::string answer_header(const ngx_http_request_t* r, std::string_view name);

/// Whether an error_page of the request's location stands for a status.
bool has_error_page(const ngx_http_request_t* r, int status) noexcept;

/// Sets status, type, length and validators of a body of `length` bytes. Cheap; no allocation but the tag.
bool set_entity(ngx_http_request_t* r, ngx_uint_t status, std::string_view type, off_t length,
                time_t last_modified, std::string_view etag) noexcept;

/// Sends `bytes`, which must live as long as the request, behind the headers that are set.
ngx_int_t send_memory(ngx_http_request_t* r, const std::uint8_t* bytes, std::size_t size) noexcept;

/// Answers OPTIONS with 204; `allow` must live as long as the request.
ngx_int_t send_options(ngx_http_request_t* r, std::string_view allow) noexcept;

/// Answers with an error: as problem+json, or, where `intercept` is set and an error_page stands for the
/// status, by returning the status, which nginx then shows.
ngx_int_t send_problem(ngx_http_request_t* r, const Error& error, bool intercept);

/// Sets the headers of a problem whose JSON body is `body` (kept by the caller).
bool set_problem(ngx_http_request_t* r, int status, std::string_view body) noexcept;

}  // namespace media
