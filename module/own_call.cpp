#include "module/own_call.h"

#include "module/guard.h"
#include "module/origin_capture.h"
#include "module/own_request.h"

namespace media {

namespace {

// Of an answer that nobody reads: more is not taken from the connection.
constexpr off_t longest_answer = 64 << 10;

/// Lives in the pool of the own request.
class OwnCall {
  public:
    OwnCall(ngx_http_request_t* r, OwnCallContent content, std::function<void(ngx_uint_t)> done)
        : r_(r),
          content_(std::move(content)),
          uri_(str(content_.uri)),
          args_(str(content_.args)),
          capture_(longest_answer, &OwnCall::on_answer, this),
          done_(std::move(done)) {}
    OwnCall(const OwnCall&) = delete;
    OwnCall& operator=(const OwnCall&) = delete;
    ~OwnCall() { tell(); }

    static void begin(ngx_http_request_t* r) {
        r->write_event_handler = ngx_http_request_empty_handler;
        if (of(r)->ask() != NGX_OK) {
            ngx_http_finalize_request(r, NGX_ERROR);  // what has been begun of it as well
        }
    }

  private:
    static OwnCall* of(const ngx_http_request_t* r) noexcept {
        return find_in_pool<OwnCall>(r->pool, [](const OwnCall&) { return true; });
    }

    ngx_int_t ask() {
        std::vector<OriginCapture::Field> fields;
        fields.reserve(content_.fields.size());
        for (const auto& [name, value] : content_.fields) {
            fields.push_back({name, name, value});
        }
        return content_.body ? capture_.post(r_, &uri_, &args_, content_.body->view(), fields)
                             : capture_.get(r_, &uri_, &args_, fields);
    }

    // The subrequest has to be over before its parent may end.
    static void on_answer(void* self) {
        static_cast<OwnCall*>(self)->r_->write_event_handler = guard<&OwnCall::finish>;
    }

    static void finish(ngx_http_request_t* r) {
        OwnCall* call = of(r);
        const ngx_uint_t status = call->capture_.status();
        const auto done = std::exchange(call->done_, nullptr);
        end_own_request(r);
        done(status);
    }

    void tell() noexcept {
        try {
            if (done_) {
                done_(0);
            }
        } catch (...) {
            ngx_log_error(NGX_LOG_ERR, ngx_cycle->log, 0, "media: out of memory");
        }
    }

    ngx_http_request_t* r_;
    OwnCallContent content_;
    ngx_str_t uri_;
    ngx_str_t args_;
    OriginCapture capture_;
    std::function<void(ngx_uint_t)> done_;
};

bool describe(ngx_http_request_t* r, const ngx_http_core_srv_conf_t* server, const OwnCallContent& content) {
    r->uri = copy(r->pool, content.uri);
    r->unparsed_uri = copy(r->pool, content.args.empty() ? content.uri : content.uri + '?' + content.args);
    r->args = copy(r->pool, content.args);
    r->request_line =
        copy(r->pool, (content.body ? "POST " : "GET ") + std::string{view(r->unparsed_uri)} + " HTTP/1.1");
    r->http_protocol = ngx_string("HTTP/1.1");
    r->headers_in.server = server->server_name;
    return r->uri.data != nullptr && r->unparsed_uri.data != nullptr && r->args.data != nullptr &&
           r->request_line.data != nullptr;
}

}  // namespace

void call_location(const ngx_http_core_srv_conf_t* server, const char* action, OwnCallContent content,
                   const std::function<void(ngx_uint_t status)>& done) {
    ngx_http_request_t* r = make_own_request(OwnConnection::of_machine(server, action));
    if (r == nullptr) {
        done(0);
        return;
    }
    if (!describe(r, server, content) ||
        make_in_pool<OwnCall>(r->pool, r, std::move(content), done) == nullptr) {
        end_own_request(r);
        done(0);
        return;
    }
    begin_own_request(r, guard<&OwnCall::begin>);
}

}  // namespace media
