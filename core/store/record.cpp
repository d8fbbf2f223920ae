#include "core/store/record.h"

#include <jansson.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <limits>
#include <memory>
#include <optional>

#include "core/rendition/format.h"
#include "core/rendition/guard.h"
#include "core/store/layout.h"

namespace media {
namespace {

constexpr std::size_t md5_length = 32;

struct Release {
    void operator()(json_t* json) const noexcept { json_decref(json); }
    void operator()(char* text) const noexcept { std::free(text); }
};
using Json = std::unique_ptr<json_t, Release>;

// Members of an object, one after the other.
class Members {
  public:
    void text(std::string_view name, std::string_view value) {
        if (!value.empty()) {
            raw(name, json_string(value));
        }
    }
    void number(std::string_view name, std::uint64_t value) { raw(name, std::to_string(value)); }
    void raw(std::string_view name, std::string_view value) {
        out_ += out_.empty() ? '{' : ',';
        out_ += json_string(name);
        out_ += ':';
        out_ += value;
    }
    std::string object() && { return std::move(out_) + '}'; }

  private:
    std::string out_;
};

void add_facts(Members& members, const Record& record, std::string_view url) {
    members.text("key", record.key);
    members.text("url", url);
    members.text("type", record.type);
    members.number("bytes", record.bytes);
    members.number("width", static_cast<std::uint64_t>(std::max(0, record.width)));
    members.number("height", static_cast<std::uint64_t>(std::max(0, record.height)));
    members.number("pages", static_cast<std::uint64_t>(std::max(0, record.pages)));
    members.text("sha256", record.sha256);
    members.text("md5", record.md5);
    members.text("source", record.source);
    members.text("created", record.created);
}

std::optional<std::string> text_of(const json_t* value) {
    if (!json_is_string(value)) {
        return std::nullopt;
    }
    return std::string(json_string_value(value), json_string_length(value));
}

// Reads members, and remembers whether all were what they have to be.
class Reader {
  public:
    explicit Reader(const json_t* object) : object_(object) {}

    std::string text(const char* name, bool required = false) {
        const json_t* const value = json_object_get(object_, name);
        if (value == nullptr) {
            good_ = good_ && !required;
            return {};
        }
        auto found = text_of(value);
        good_ = good_ && found.has_value();
        return found.value_or("");
    }

    std::uint64_t number(const char* name, std::uint64_t least, std::uint64_t most) {
        const json_t* const value = json_object_get(object_, name);
        const json_int_t found = json_is_integer(value) ? json_integer_value(value) : -1;
        if (found < 0 || static_cast<std::uint64_t>(found) < least ||
            static_cast<std::uint64_t>(found) > most) {
            good_ = false;
            return least;
        }
        return static_cast<std::uint64_t>(found);
    }

    int count(const char* name) { return static_cast<int>(number(name, 1, std::numeric_limits<int>::max())); }

    std::string object(const char* name) {
        const json_t* const value = json_object_get(object_, name);
        if (value == nullptr) {
            return {};
        }
        const std::unique_ptr<char, Release> text(json_is_object(value) ? json_dumps(value, JSON_COMPACT)
                                                                        : nullptr);
        good_ = good_ && text;
        return text ? text.get() : "";
    }

    std::vector<std::string> texts(const char* name) {
        std::vector<std::string> all;
        const json_t* const array = json_object_get(object_, name);
        good_ = good_ && (array == nullptr || json_is_array(array));
        for (std::size_t i = 0; i < json_array_size(array); ++i) {
            auto text = text_of(json_array_get(array, i));
            good_ = good_ && text.has_value();
            all.push_back(text.value_or(""));
        }
        return all;
    }

    bool good() const { return good_; }

  private:
    const json_t* object_;
    bool good_ = true;
};

bool is_md5(std::string_view text) {
    return text.size() == md5_length && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

}  // namespace

std::string Record::path() const {
    return folder_of(key) + '/' + key + '.' + extension;
}

bool Record::comes_from(std::string_view url) const noexcept {
    return !url.empty() && (source == url || std::find(sources.begin(), sources.end(), url) != sources.end());
}

std::string Record::to_json(std::string_view url) const {
    Members members;
    add_facts(members, *this, url);
    members.text("subject", subject);
    if (!claims.empty()) {
        members.raw("claims", claims);
    }
    if (!sources.empty()) {
        std::string list;
        for (const std::string& each : sources) {
            list += (list.empty() ? '[' : ',') + json_string(each);
        }
        members.raw("sources", list + ']');
    }
    return std::move(members).object();
}

std::string Record::item_json(std::string_view status, std::string_view url) const {
    Members members;
    members.text("status", status);
    add_facts(members, *this, url);
    return std::move(members).object();
}

Result<Record> Record::parse(std::string_view json) noexcept {
    return detail::guarded([json]() -> Result<Record> {
        const Json root(
            json_loadb(json.data(), json.size(), JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, nullptr));
        Reader reader(root.get());
        Record record;
        record.key = reader.text("key", true);
        record.type = reader.text("type", true);
        record.bytes = reader.number("bytes", 1, std::numeric_limits<json_int_t>::max());
        record.width = reader.count("width");
        record.height = reader.count("height");
        record.pages = reader.count("pages");
        record.sha256 = reader.text("sha256", true);
        record.md5 = reader.text("md5", true);
        record.source = reader.text("source");
        record.created = reader.text("created", true);
        record.subject = reader.text("subject");
        record.claims = reader.object("claims");
        record.sources = reader.texts("sources");
        const auto format = format_by_mime(record.type);
        if (!reader.good() || !format || !is_key(record.key) || record.sha256 != record.key ||
            !is_md5(record.md5)) {
            return Error{422, "the record is damaged"};
        }
        record.extension = info(*format).extension;
        return record;
    });
}

std::string utc_time(std::time_t time) {
    std::tm parts{};
    std::array<char, 32> text{};
    if (gmtime_r(&time, &parts) == nullptr) {
        return {};
    }
    return {text.data(), std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%SZ", &parts)};
}

}  // namespace media
