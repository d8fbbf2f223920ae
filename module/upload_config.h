// What a location says about uploads.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "core/store/store.h"
#include "module/config.h"
#include "module/ngx.h"

namespace media {

/// Originals below one folder; locations that name the same folder share it.
struct UploadStore {
    std::string path;  ///< absolute, without a slash at its end
    std::shared_ptr<Store> store;
};

/// Setters of the directives of the upload location.
char* set_upload(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_upload_url(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_upload_types(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_upload_fetch(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_upload_claims(ngx_conf_t* cf, ngx_command_t* command, void* conf);
char* set_upload_moderate(ngx_conf_t* cf, ngx_command_t* command, void* conf);

/// Fills what `child` leaves open, once its settings are known.
char* merge_upload(ngx_conf_t* cf, LocationConfig* parent, LocationConfig* child);

/// The URI, decoded, under which a location of this server is to serve an original; empty where the escapes
/// of media_upload_url are malformed.
std::string uri_of(const LocationConfig& conf, const Record& record);

/// The content handler of an upload location.
ngx_int_t upload_handler(ngx_http_request_t* r);

}  // namespace media
