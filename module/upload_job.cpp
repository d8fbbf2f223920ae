#include "module/upload_job.h"

#include <sys/mman.h>

#include <utility>

#include "core/picture/examine.h"
#include "core/picture/render.h"
#include "core/store/used_links.h"

namespace media {

namespace {

// What a moderator is shown: enough to see what it is.
constexpr int sample_side = 512;

/// The bytes of a file, read as they are needed.
class Mapping {
  public:
    Mapping(int fd, std::size_t size) noexcept
        : data_(mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0)), size_(size) {}
    Mapping(const Mapping&) = delete;
    Mapping& operator=(const Mapping&) = delete;
    ~Mapping() {
        if (*this) {
            munmap(data_, size_);
        }
    }
    explicit operator bool() const noexcept { return data_ != MAP_FAILED; }
    ByteView view() const noexcept { return {static_cast<const std::uint8_t*>(data_), size_}; }

  private:
    void* data_;
    std::size_t size_;
};

Result<Bytes> take_sample(const Incoming& file, const UploadTerms& terms, const Cancellation& cancellation) {
    const Mapping original{file.fd(), static_cast<std::size_t>(file.size())};
    if (!original) {
        return Error{503, "out of memory"};
    }
    Rendition wanted;
    wanted.original = false;
    wanted.width = sample_side;
    wanted.height = sample_side;
    wanted.format = Format::jpeg;
    RenderSettings settings = terms.settings;
    settings.input = terms.types;
    auto made = render({.original = original.view(),
                        .rendition = wanted,
                        .settings = settings,
                        .watermarks = {},
                        .cancellation = cancellation});
    if (!made) {
        return std::move(made).error();
    }
    return std::move(made->body);
}

void put_away(UploadItem& item, const UploadTerms& terms) {
    if (!item.file) {
        return;
    }
    if (Status kept = terms.store->reject(std::move(*item.file), item.record, item.error->detail,
                                          terms.events.rejected);
        !kept) {
        item.error = std::move(kept).error();
    }
    item.file.reset();
}

// `link` is used up as soon as the file and its record are on disk, before anybody is told.
void publish_item(UploadItem& item, const UploadTerms& terms, LinkInUse* link) {
    if (!item.file) {
        // Known already, and not asked about again.
        if (Status used = link == nullptr ? Nothing{} : link->use_up(); !used) {
            item.fail(std::move(used).error());
        }
        return;
    }
    const auto hook = [&](const Record& record, bool created) -> Status {
        if (Status told = terms.events.published ? terms.events.published(record, created) : Nothing{};
            !told) {
            return told;
        }
        return link == nullptr ? Nothing{} : link->use_up();
    };
    auto published = terms.store->publish(std::move(*item.file), item.record, hook);
    item.file.reset();
    if (!published) {
        item.fail(std::move(published).error());
        return;
    }
    item.record = std::move(published->record);
    item.status = published->created ? UploadItem::Status::created : UploadItem::Status::exists;
}

}  // namespace

void examine_item(UploadItem& item, const UploadTerms& terms, const std::atomic<bool>& cancelled) {
    const Cancellation cancellation{Cancellation::Clock::now() + terms.timeout, &cancelled};
    const auto seen = examine(item.file->fd(), terms.types, terms.settings, cancellation);
    if (!seen) {
        item.fail(seen.error());
        return;
    }
    Record& record = item.record;
    record.key = item.file->sha256();
    record.sha256 = item.file->sha256();
    record.md5 = item.file->md5();
    record.bytes = item.file->size();
    record.extension = info(seen->format).extension;
    record.type = info(seen->format).mime;
    record.width = seen->width;
    record.height = seen->height;
    record.pages = seen->pages;
    record.subject = terms.subject;
    record.claims = terms.claims;
    if (!terms.moderated) {
        return;
    }
    if (auto known = terms.store->find(record.key)) {
        // It was let through before.
        item.record = std::move(*known);
        item.status = UploadItem::Status::exists;
        item.file.reset();
        return;
    }
    auto sample = take_sample(*item.file, terms, cancellation);
    if (!sample) {
        item.fail(std::move(sample).error());
        return;
    }
    item.sample = std::move(*sample);
}

void publish_items(std::vector<UploadItem>& items, const UploadTerms& terms) {
    std::optional<LinkInUse> link;
    for (UploadItem& item : items) {
        if (item.error && !item.refused) {
            continue;
        }
        if (item.refused) {
            put_away(item, terms);
            continue;
        }
        if (terms.link) {
            // Of one at a time who use the same link, only the first who stores anything has used it.
            auto taken = UsedLinks{terms.store->path()}.reserve(terms.link->id, terms.link->expires);
            if (!taken) {
                item.fail(std::move(taken).error());
                continue;
            }
            link.emplace(std::move(*taken));
        }
        publish_item(item, terms, link ? &*link : nullptr);
    }
}

Status IntakeJob::expect(std::string_view content_type, bool put, ExpectedDigests digests) {
    digests_ = std::move(digests);
    auto parser = body_parser(content_type, *this, put);
    if (!parser) {
        return std::move(parser).error();
    }
    parser_ = std::move(*parser);
    return Nothing{};
}

void IntakeJob::run() {
    Status sound = parse();
    body = {};
    if (!sound) {
        failure = std::move(sound).error();
        items.clear();
        return;
    }
    bool waits = terms.moderated || (terms.link && terms.link->shared);
    for (const UploadItem& item : items) {
        waits = waits || !item.url.empty();
    }
    if (!waits) {
        publish_items(items, terms);
        published = true;
    }
}

Status IntakeJob::parse() {
    Status sound = body.read([this](ByteView bytes) -> Status {
        if (cancelled()) {
            return Error{503, "the server is stopping"};
        }
        return parser_->feed(bytes);
    });
    if (sound) {
        sound = parser_->finish();
    }
    if (sound && files_ > max_files) {
        return Error{400, "more than " + std::to_string(max_files) + " files in one request"};
    }
    if (sound && !digests_.empty() && items.size() != 1) {
        return Error{400, "a digest speaks of one file, and there are several"};
    }
    return sound;
}

void IntakeJob::begin_file() {
    UploadItem& item = items.emplace_back();
    if (++files_ > max_files || cancelled()) {
        item.fail({503, "not taken"});
        return;
    }
    auto file = terms.store->begin(terms.max_bytes);
    if (!file) {
        item.fail(std::move(file).error());
        return;
    }
    item.file.emplace(std::move(*file));
}

void IntakeJob::data(ByteView bytes) {
    UploadItem& item = items.back();
    if (item.error) {
        return;
    }
    if (Status status = item.file->write(bytes); !status) {
        item.fail(std::move(status).error());
    }
}

void IntakeJob::end_file() {
    UploadItem& item = items.back();
    if (item.error) {
        return;
    }
    if (Status status = item.file->finish(); !status) {
        item.fail(std::move(status).error());
        return;
    }
    if (Status status = digests_.check(*item.file); !status) {
        item.fail(std::move(status).error());
        return;
    }
    examine_item(item, terms, cancelled());
}

void IntakeJob::fail_file(Error error) {
    if (!items.back().error) {
        items.back().fail(std::move(error));
    }
}

void IntakeJob::url(std::string text) {
    UploadItem& item = items.emplace_back();
    if (text.empty()) {
        item.fail({400, "this is no URL"});
    }
    item.url = std::move(text);
}

}  // namespace media
