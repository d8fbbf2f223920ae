// A remembered 404 of an original that has been uploaded since.

#include <sys/stat.h>

#include <algorithm>
#include <string>

#include "core/store/layout.h"
#include "module/guard.h"
#include "module/record_mirror.h"
#include "module/rendition_request.h"
#include "module/upload_config.h"
#include "module/worker.h"

namespace media {

namespace {

constexpr std::size_t key_length = 64;

// What a URI calls an original of a store: "<key>.<extension>"; else empty.
std::string_view stored_name(std::string_view uri) noexcept {
    const std::string_view name = uri.substr(uri.rfind('/') + 1);
    const bool shaped = name.size() > key_length + 1 && name[key_length] == '.';
    return shaped && is_key(name.substr(0, key_length)) ? name : std::string_view{};
}

bool is_stored(const Catalogue& catalogue, std::string_view name) {
    const std::string below = '/' + folder_of(name.substr(0, key_length)) + '/' + std::string{name};
    return std::any_of(catalogue.stores.begin(), catalogue.stores.end(), [&below](const auto& store) {
        struct stat about {};
        return stat((store->path + below).c_str(), &about) == 0 && S_ISREG(about.st_mode);
    });
}

}  // namespace

// The names of originals in stores tell what they hold, so an upload needs no purge to end a 404: who comes
// to one looks whether it is still true. For all other names it is.
ngx_int_t RenditionRequest::doubt_absence() {
    const std::string_view name = stored_name(view(r_->uri));
    if (detour_.arrived || name.empty()) {
        return send_stored();
    }
    if (is_stored(*main_config(r_)->catalogue, name)) {
        return on_arrived();
    }
    if (conf_->redis == nullptr) {
        return send_stored();
    }
    auto* mirror = make_in_pool<RecordMirror>(r_->pool);
    const bool asked =
        mirror != nullptr &&
        mirror->find(*worker()->redis.at(conf_->redis), name.substr(0, key_length),
                     [this](const auto& record) {
                         ngx_connection_t* connection = r_->connection;
                         ngx_http_set_log_request(connection->log, r_);
                         resume(record ? &RenditionRequest::on_arrived : &RenditionRequest::send_stored);
                         ngx_http_run_posted_requests(connection);
                     });
    if (!asked) {
        return send_stored();
    }
    r_->write_event_handler = ngx_http_request_empty_handler;
    r_->read_event_handler = ngx_http_block_reading;
    deadline_ = 0;
    arm(DiskTier::lease / 2);
    return pending;
}

ngx_int_t RenditionRequest::on_arrived() {
    detour_.arrived = true;
    return look_elsewhere();
}

}  // namespace media
