// media_token: who may, by access tokens (RFC 6750).
#pragma once

#include <string>
#include <string_view>

#include "module/ngx.h"

namespace media {

/// What the access token of a request says.
struct TokenClaims {
    std::string subject;      ///< "sub" of a JWT, without control characters; empty: it has none
    std::string claims_json;  ///< all claims of a JWT as a JSON object, or empty
};

/// The token that a request brought and that passed; null where none did. Of subrequests and behind
/// redirects within nginx it is that of the client's request.
const TokenClaims* token_of(const ngx_http_request_t* r) noexcept;

/// Whether requests need a token where this one is now.
bool asks_for_token(const ngx_http_request_t* r) noexcept;

/// What the names of variables with claims begin with.
inline constexpr std::string_view token_claim_prefix = "media_token_claim_";

/// The rules of a location; belongs to the configuration.
struct TokenConfig;

/// The setter of media_token.
char* set_token(ngx_conf_t* cf, ngx_command_t* command, void* conf);

/// Variables of tokens, for preconfiguration.
ngx_int_t get_token_subject(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t data);
ngx_int_t get_token_claim(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t data);

/// Adds the handler of the access phase; for postconfiguration.
ngx_int_t install_token_access(ngx_conf_t* cf);

}  // namespace media
