#include "module/moderation.h"

#include <algorithm>
#include <array>
#include <utility>

#include "module/guard.h"

namespace media {

namespace {

// Of an answer that nobody reads: more is not taken from the connection.
constexpr off_t longest_answer = 64 << 10;

// A token's subject may hold anything; a header field may not.
std::string fit_for_header(std::string_view text) {
    std::string fit{text};
    std::replace_if(
        fit.begin(), fit.end(), [](unsigned char c) { return c < 0x20 || c == 0x7F; }, '?');
    return fit;
}

}  // namespace

ngx_int_t Moderation::judge(std::vector<UploadItem>& items, const ngx_str_t& uri, RequestWait::Step then) {
    items_ = &items;
    at_ = 0;
    then_ = std::move(then);
    const std::string_view text = view(uri);
    const std::size_t mark = std::min(text.find('?'), text.size());
    uri_ = str(text.substr(0, mark));
    arguments_ = str(text.substr(std::min(mark + 1, text.size())));
    return next();
}

ngx_int_t Moderation::next() {
    for (; at_ < items_->size(); ++at_) {
        UploadItem& item = (*items_)[at_];
        if (item.sample.empty()) {
            continue;
        }
        if (ask(item)) {
            return RequestWait::pending;
        }
        item.fail({503, "the moderator could not be asked"});
    }
    return std::exchange(then_, nullptr)();
}

bool Moderation::ask(const UploadItem& item) {
    const ngx_str_t key = copy(r_->pool, item.record.key);
    const ngx_str_t type = copy(r_->pool, item.record.type);
    const ngx_str_t subject = copy(r_->pool, fit_for_header(item.record.subject));
    if (key.data == nullptr || type.data == nullptr || subject.data == nullptr) {
        return false;
    }
    const std::array<OriginCapture::Field, 4> fields{{{"Content-Type", "content-type", "image/jpeg"},
                                                      {"X-Media-Key", "x-media-key", view(key)},
                                                      {"X-Media-Type", "x-media-type", view(type)},
                                                      {"X-Media-Subject", "x-media-subject", view(subject)}}};
    capture_ =
        make_in_pool<OriginCapture>(r_->pool, longest_answer, &Moderation::on_done, static_cast<void*>(this));
    if (capture_ == nullptr) {
        return false;
    }
    wait_.hold();
    return capture_->post(r_, &uri_, &arguments_, item.sample.view(), fields) == NGX_OK;
}

void Moderation::on_done(void* self) {
    auto* moderation = static_cast<Moderation*>(self);
    moderation->wait_.soon([moderation] { return moderation->on_judged(); });
}

ngx_int_t Moderation::on_judged() {
    UploadItem& item = (*items_)[at_++];
    const ngx_uint_t status = capture_->status();
    item.sample = {};
    if (status == NGX_HTTP_FORBIDDEN || status == 422) {
        item.refuse({422, "rejected"});
    } else if (status < 200 || status > 299) {
        ngx_log_error(NGX_LOG_ERR, r_->connection->log, 0,
                      "media: moderation by \"%V\" failed with status %ui", &uri_, status);
        item.fail({503, "the file could not be judged"});
    }
    return next();
}

}  // namespace media
