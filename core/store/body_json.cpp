#include "core/store/body_json.h"

#include <algorithm>
#include <utility>

#include "core/base/utf8.h"

namespace media::detail {
namespace {

constexpr std::size_t slice = 16384;  // of a string, decoded at a time

}  // namespace

void JsonBody::take(ByteView bytes) {
    reader_.feed({reinterpret_cast<const char*>(bytes.data()), bytes.size()});
}

void JsonBody::end() {
    reader_.finish();
}

void JsonBody::begin_object() {
    if (at_ == At::start) {
        at_ = At::top;
    } else if (at_ == At::files || (at_ == At::top && member_ == Member::data)) {
        listed_ = at_ == At::files;
        at_ = At::file;
        image_seen_ = false;
    } else {
        unexpected();
    }
}

void JsonBody::end_object() {
    if (at_ == At::file) {
        if (!image_seen_) {
            throw BadBody{"\"image\" is missing in \"data\""};
        }
        at_ = listed_ ? At::files : At::top;
    } else if (!source_seen_) {
        throw BadBody{"neither \"data\" nor \"urls\" is given"};
    } else if (refetch_seen_ && !urls_seen_) {
        throw BadBody{"\"refetch\" goes with \"urls\" only"};
    }
}

void JsonBody::begin_array() {
    if (at_ != At::top || (member_ != Member::data && member_ != Member::urls)) {
        unexpected();
    }
    at_ = member_ == Member::data ? At::files : At::urls;
}

void JsonBody::end_array() {
    if (items() == 0) {
        throw BadBody{at_ == At::files ? "\"data\" is an empty list" : "\"urls\" is an empty list"};
    }
    at_ = At::top;
}

void JsonBody::member(const std::string& name) {
    bool repeated = false;
    if (at_ == At::file && name == "image") {
        repeated = std::exchange(image_seen_, true);
    } else if (at_ == At::top && (name == "data" || name == "urls")) {
        member_ = name == "data" ? Member::data : Member::urls;
        urls_seen_ = member_ == Member::urls;
        if (std::exchange(source_seen_, true)) {
            throw BadBody{"more than one of \"data\" and \"urls\" is given"};
        }
    } else if (at_ == At::top && name == "refetch") {
        member_ = Member::refetch;
        repeated = std::exchange(refetch_seen_, true);
    } else {
        throw BadBody{"unknown member \"" + name + "\""};
    }
    if (repeated) {
        throw BadBody{"\"" + name + "\" is given twice"};
    }
}

void JsonBody::begin_string() {
    if (at_ == At::urls) {
        url_.clear();
    } else if (at_ == At::file) {
        begin_file();
        picture_.emplace();
        decoded_.clear();
    } else {
        unexpected();
    }
}

void JsonBody::text(std::string_view piece) {
    if (at_ == At::urls) {
        if (url_.size() + piece.size() > max_body_url) {
            throw BadBody{"a URL has more than " + std::to_string(max_body_url) + " bytes"};
        }
        url_ += piece;
        return;
    }
    while (!piece.empty() && file_open()) {
        const std::string_view part = piece.substr(0, slice);
        piece.remove_prefix(part.size());
        if (!picture_->feed(part, decoded_)) {
            fail_file(picture_->why());
        } else if (decoded_.size() >= slice) {
            flush();
        }
    }
}

void JsonBody::end_string() {
    if (at_ == At::urls) {
        if (!is_utf8(url_)) {
            throw BadBody{"a URL is not UTF-8"};
        }
        url(std::exchange(url_, {}));
    } else if (file_open()) {
        if (picture_->finish(decoded_)) {
            flush();
            end_file();
        } else {
            fail_file(picture_->why());
        }
    }
}

void JsonBody::flush() {
    data(decoded_);
    decoded_.clear();
}

void JsonBody::boolean(bool value) {
    if (at_ != At::top || member_ != Member::refetch) {
        unexpected();
    }
    refetch(value);
}

void JsonBody::other() {
    unexpected();
}

/// A value of another kind than belongs there.
void JsonBody::unexpected() const {
    switch (at_) {
        case At::start:
            throw BadBody{"the body is not a JSON object"};
        case At::files:
            throw BadBody{"\"data\" holds something that is not an object"};
        case At::file:
            throw BadBody{"\"image\" is not a string"};
        case At::urls:
            throw BadBody{"\"urls\" holds something that is not a string"};
        case At::top:
            break;
    }
    throw BadBody{member_ == Member::data   ? "\"data\" is neither an object nor a list"
                  : member_ == Member::urls ? "\"urls\" is not a list"
                                            : "\"refetch\" is neither true nor false"};
}

}  // namespace media::detail
