#include "module/token_access.h"

#include <algorithm>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "core/access/bearer.h"
#include "core/access/jwt.h"
#include "core/access/revoked.h"
#include "core/rendition/header_text.h"
#include "module/answer.h"
#include "module/config.h"
#include "module/guard.h"
#include "module/presign.h"
#include "module/setter.h"
#include "module/watched_file.h"

namespace media {

namespace {

/// One media_token line: `bearer` or `keys` is there.
struct TokenRule {
    std::unique_ptr<WatchedFile<BearerTokens>> bearer;
    std::unique_ptr<WatchedFile<KeySet>> keys;
    std::unique_ptr<WatchedFile<RevokedTokens>> revoked;
    JwtRules jwt;
};

}  // namespace

/// Without rules: "off". What the files mean is each worker's own.
struct TokenConfig {
    std::vector<TokenRule> rules;
};

namespace {

/// What became of a request's token; lives in the request's pool.
struct Verdict {
    const TokenConfig* by = nullptr;
    std::optional<TokenClaims> claims;
    std::optional<Error> error;  ///< of the token; none where there is no token
};

// --- the directive

bool read_seconds(const ngx_str_t& option, std::size_t name, std::int64_t least, std::int64_t& seconds) {
    ngx_str_t text{option.len - name, option.data + name};
    seconds = ngx_parse_time(&text, 1);
    return seconds != NGX_ERROR && seconds >= least;
}

// Words that may stand in a scope (RFC 6749, section 3.3), and thus between quotes in a header field.
bool read_scopes(std::string_view text, std::vector<std::string>& scopes) {
    while (!text.empty()) {
        const std::size_t end = std::min(text.find(' '), text.size());
        const std::string_view word = text.substr(0, end);
        if (std::any_of(word.begin(), word.end(),
                        [](char c) { return c < 0x21 || c > 0x7E || c == '"' || c == '\\'; })) {
            return false;
        }
        if (!word.empty()) {
            scopes.emplace_back(word);
        }
        text.remove_prefix(std::min(end + 1, text.size()));
    }
    return !scopes.empty();
}

template <class T>
std::unique_ptr<WatchedFile<T>> open_file(ngx_conf_t* cf, std::string_view name) {
    ngx_str_t path = copy(cf->pool, name);
    if (path.data == nullptr || ngx_conf_full_name(cf->cycle, &path, 1) != NGX_OK) {
        return nullptr;
    }
    auto file = std::make_unique<WatchedFile<T>>(std::string{view(path)});
    if (const Status status = file->check(); !status) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "\"%V\" of \"media_token\": %s", &path,
                           status.error().detail.c_str());
        return nullptr;
    }
    return file;
}

// One `name=value` behind a key set; false where it is wrong, which is then reported unless it was.
bool read_jwt_option(ngx_conf_t* cf, const ngx_str_t& option, TokenRule& rule, bool& reported) {
    const std::size_t equals = view(option).find('=');
    if (equals == std::string_view::npos || equals + 1 == option.len) {
        return false;
    }
    const std::string_view name = view(option).substr(0, equals);
    const std::string_view value = view(option).substr(equals + 1);
    if (name == "issuer" && rule.jwt.issuer.empty()) {
        rule.jwt.issuer = value;
        return true;
    }
    if (name == "audience" && rule.jwt.audience.empty()) {
        rule.jwt.audience = value;
        return true;
    }
    if (name == "leeway") {
        return read_seconds(option, equals + 1, 0, rule.jwt.leeway);
    }
    if (name == "max_age" && !rule.jwt.oldest) {
        return read_seconds(option, equals + 1, 1, rule.jwt.oldest.emplace());
    }
    if (name == "scope" && rule.jwt.scopes.empty()) {
        return read_scopes(value, rule.jwt.scopes);
    }
    if (name == "revoked" && rule.revoked == nullptr) {
        rule.revoked = open_file<RevokedTokens>(cf, value);
        reported = rule.revoked == nullptr;
        return !reported;
    }
    return false;
}

// --- judging a token

/// What stands behind the scheme, which is not case-sensitive; nothing where there is no such field.
std::optional<std::string_view> bearer_token(const ngx_http_request_t* r) noexcept {
    const ngx_table_elt_t* field = r->headers_in.authorization;
    constexpr std::string_view scheme = "bearer ";
    if (field == nullptr || field->value.len < scheme.size() ||
        !detail::same_word(view(field->value).substr(0, scheme.size()), scheme)) {
        return std::nullopt;
    }
    return detail::trimmed(view(field->value).substr(scheme.size()));
}

Result<TokenClaims> try_rule(TokenRule& rule, std::string_view token) {
    if (rule.bearer != nullptr) {
        const BearerTokens* known = rule.bearer->current();
        if (known == nullptr || token.empty() || !known->holds(token)) {
            return Error{401, "the token is not known"};
        }
        return TokenClaims{};
    }
    const KeySet* keys = rule.keys->current();
    const RevokedTokens* revoked = rule.revoked == nullptr ? nullptr : rule.revoked->current();
    if (keys == nullptr || (rule.revoked != nullptr && revoked == nullptr)) {
        return Error{401, "no token can be checked now"};
    }
    auto verified = verify_jwt(token, *keys, rule.jwt, ngx_time());
    if (!verified) {
        return std::move(verified).error();
    }
    if (revoked != nullptr && revoked->covers(*verified)) {
        return Error{401, "the token was revoked"};
    }
    return TokenClaims{std::move(verified->subject), std::move(verified->claims)};
}

// Any rule that passes is enough. Where none does, the answer tells what is wrong with a token that is good
// but may not, else what the last rule said.
void judge(TokenConfig& config, std::string_view token, Verdict& verdict) {
    for (TokenRule& rule : config.rules) {
        auto claims = try_rule(rule, token);
        if (claims) {
            verdict.claims.emplace(std::move(*claims));
            verdict.error.reset();
            return;
        }
        if (!verdict.error || verdict.error->status != 403) {
            verdict.error = std::move(claims).error();
        }
    }
}

Verdict* find_verdict(const ngx_http_request_t* r) noexcept {
    return find_in_pool<Verdict>(r->pool, [](const Verdict&) { return true; });
}

bool asks(const TokenConfig* config) noexcept {
    return config != nullptr && !config->rules.empty();
}

/// The verdict by the rules of the location where the request is now; that of the last location which had
/// rules where it has none. Before the access phase, as for limit_req, it is reached early. Null where there
/// were no rules so far, or memory has run out.
const Verdict* verdict_of(const ngx_http_request_t* r) noexcept {
    TokenConfig* config = location_config(r->main)->tokens;
    Verdict* verdict = find_verdict(r->main);
    if (!asks(config) || (verdict != nullptr && verdict->by == config)) {
        return verdict;
    }
    if (verdict == nullptr) {
        verdict = make_in_pool<Verdict>(r->main->pool);
    }
    if (verdict == nullptr) {
        return nullptr;
    }
    *verdict = {};
    try {
        if (const auto token = bearer_token(r->main)) {
            judge(*config, *token, *verdict);
        }
    } catch (...) {
        *verdict = {};
        return nullptr;
    }
    verdict->by = config;
    return verdict;
}

// --- the access phase

std::string challenge(const TokenConfig& config, const Verdict& verdict) {
    std::string text = "Bearer realm=\"media\"";
    if (!verdict.error) {
        return text;
    }
    if (verdict.error->status != 403) {
        return text + ", error=\"invalid_token\", error_description=\"" + verdict.error->detail + '"';
    }
    text += ", error=\"insufficient_scope\", scope=\"";
    for (const TokenRule& rule : config.rules) {
        if (!rule.jwt.scopes.empty()) {
            std::string_view between;
            for (const std::string& scope : rule.jwt.scopes) {
                text += between;
                text += scope;
                between = " ";
            }
            break;
        }
    }
    return text + '"';
}

bool add_challenge(ngx_http_request_t* r, std::string_view text) noexcept {
    ngx_table_elt_t* others = r->headers_out.www_authenticate;
    if (others != nullptr && view(others->value).starts_with("Bearer ")) {
        others->hash = 0;  // of a location that led here
    }
    const ngx_str_t value = copy(r->pool, text);
    ngx_table_elt_t* field = value.data == nullptr ? nullptr : add_header(r, "WWW-Authenticate", view(value));
    if (field == nullptr) {
        return false;
    }
#if (nginx_version >= 1023000)
    field->next = others;
#endif
    r->headers_out.www_authenticate = field;
    return true;
}

// Whatever else the location checks.
ngx_int_t answer(ngx_http_request_t* r, const Error& error) {
    if (has_error_page(r, error.status)) {
        ngx_http_finalize_request(r, error.status);
        return NGX_DONE;
    }
    if (ngx_http_discard_request_body(r) != NGX_OK) {
        r->keepalive = 0;
    }
    ngx_http_finalize_request(r, send_problem(r, error, false));
    return NGX_DONE;
}

// With "satisfy any" another check may pass.
ngx_int_t refuse(ngx_http_request_t* r, const Error& error) {
    const auto* core =
        static_cast<const ngx_http_core_loc_conf_t*>(ngx_http_get_module_loc_conf(r, ngx_http_core_module));
    return core->satisfy == NGX_HTTP_SATISFY_ANY ? error.status : answer(r, error);
}

ngx_int_t access_handler(ngx_http_request_t* r) {
    if (comes_with_link(r)) {
        const auto link = link_of(r);
        return link ? NGX_OK : answer(r, link.error());
    }
    const TokenConfig* config = location_config(r)->tokens;
    if (!asks(config)) {
        return NGX_DECLINED;
    }
    if (r->method == NGX_HTTP_OPTIONS) {
        return NGX_OK;  // a browser's preflight has no token
    }
    const Verdict* verdict = verdict_of(r);
    if (verdict == nullptr) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    if (verdict->claims) {
        return NGX_OK;
    }
    if (!add_challenge(r, challenge(*config, *verdict))) {
        return NGX_HTTP_INTERNAL_SERVER_ERROR;
    }
    return refuse(r, verdict->error.value_or(Error{401, "this needs an access token"}));
}

// --- variables

ngx_int_t give(ngx_http_request_t* r, ngx_http_variable_value_t* value,
               const std::optional<std::string>& text) {
    value->not_found = 1;
    if (!text) {
        return NGX_OK;
    }
    const ngx_str_t kept = copy(r->pool, *text);
    if (kept.data == nullptr) {
        return NGX_ERROR;
    }
    value->valid = 1;
    value->not_found = 0;
    value->no_cacheable = 0;
    value->len = static_cast<unsigned>(kept.len) & 0xfffffffU;
    value->data = kept.data;
    return NGX_OK;
}

}  // namespace

char* set_token(ngx_conf_t* cf, ngx_command_t* /*command*/, void* conf) {
    auto* location = static_cast<LocationConfig*>(conf);
    const std::string_view kind = view(values(cf)[0]);
    const bool off = kind == "off" && values(cf).size() == 1;
    if (location->tokens != nullptr && (off || location->tokens->rules.empty())) {
        return duplicate;
    }
    if (location->tokens == nullptr) {
        location->tokens = make_in_pool<TokenConfig>(cf->pool);
        if (location->tokens == nullptr) {
            return fail();
        }
    }
    if (off) {
        return ok;
    }
    if ((kind != "bearer" && kind != "jwt") || values(cf).size() < 2 ||
        (kind == "bearer" && values(cf).size() > 2)) {
        ngx_conf_log_error(NGX_LOG_EMERG, cf, 0,
                           "\"media_token\" takes \"bearer file\", \"jwt file\" with options, or \"off\"");
        return fail();
    }
    TokenRule rule;
    if (kind == "bearer") {
        rule.bearer = open_file<BearerTokens>(cf, view(values(cf)[1]));
    } else {
        rule.keys = open_file<KeySet>(cf, view(values(cf)[1]));
    }
    if (rule.bearer == nullptr && rule.keys == nullptr) {
        return fail();
    }
    for (const ngx_str_t& option : values(cf).subspan(2)) {
        bool reported = false;
        if (!read_jwt_option(cf, option, rule, reported)) {
            if (!reported) {
                ngx_conf_log_error(NGX_LOG_EMERG, cf, 0, "invalid parameter \"%V\"", &option);
            }
            return fail();
        }
    }
    location->tokens->rules.push_back(std::move(rule));
    return ok;
}

bool asks_for_token(const ngx_http_request_t* r) noexcept {
    return asks(location_config(r)->tokens);
}

const TokenClaims* token_of(const ngx_http_request_t* r) noexcept {
    const Verdict* verdict = verdict_of(r);
    return verdict != nullptr && verdict->claims ? &*verdict->claims : nullptr;
}

ngx_int_t get_token_subject(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t /*data*/) {
    const TokenClaims* claims = token_of(r);
    return give(r, value,
                claims == nullptr || claims->subject.empty() ? std::nullopt : std::optional{claims->subject});
}

ngx_int_t get_token_claim(ngx_http_request_t* r, ngx_http_variable_value_t* value, uintptr_t data) {
    const TokenClaims* claims = token_of(r);
    // NOLINTNEXTLINE(performance-no-int-to-ptr): so nginx hands over the name that a prefix stands for
    const std::string_view whole = view(*reinterpret_cast<const ngx_str_t*>(data));
    const std::string_view name = whole.substr(token_claim_prefix.size());
    return give(r, value,
                claims == nullptr || name.empty() ? std::nullopt : claim_text(claims->claims_json, name));
}

ngx_int_t install_token_access(ngx_conf_t* cf) {
    auto* core =
        static_cast<ngx_http_core_main_conf_t*>(ngx_http_conf_get_module_main_conf(cf, ngx_http_core_module));
    auto* handler = static_cast<ngx_http_handler_pt*>(
        ngx_array_push(&core->phases[ngx_http_phases::NGX_HTTP_ACCESS_PHASE].handlers));
    if (handler == nullptr) {
        return NGX_ERROR;
    }
    *handler = guard<access_handler>;
    return NGX_OK;
}

}  // namespace media
