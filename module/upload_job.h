// Uploads as tasks for the pool: taking a body apart, and putting what it carried into the store.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "core/base/result.h"
#include "core/rendition/settings.h"
#include "core/store/body.h"
#include "core/store/digests.h"
#include "core/store/store.h"
#include "module/events.h"
#include "module/request_wait.h"
#include "module/source.h"

namespace media {

/// The link that an upload comes through, and uses up.
struct UploadLink {
    std::string id;
    std::int64_t expires = 0;  ///< Unix time
    bool shared = false;       ///< other machines are asked before it is published
};

/// What one upload may be, and what is noted of it.
struct UploadTerms {
    std::shared_ptr<Store> store;
    std::uint64_t max_bytes = 0;  ///< of one file
    FormatSet types;
    RenderSettings settings;
    std::chrono::milliseconds timeout{};  ///< to examine one file
    bool moderated = false;               ///< a sample of each file is wanted, and nothing is published yet
    std::string subject{};
    std::string claims{};  ///< JSON object, or empty
    std::optional<UploadLink> link{};
    EventHooks events{};
};

/// One file or URL of a request, in the order sent.
struct UploadItem {
    enum class Status : std::uint8_t { open, created, exists, failed };

    Status status = Status::open;
    std::optional<Error> error;    ///< of one that failed
    std::optional<Incoming> file;  ///< whole and examined, until it is published or rejected
    Record record;                 ///< as known so far; the stored one in the end
    std::string url;               ///< to be fetched from; empty for a file
    Bytes sample;                  ///< for moderation: a small JPEG
    bool refused = false;          ///< by moderation

    void fail(Error reason) {
        error = std::move(reason);
        status = Status::failed;
        file.reset();
    }
    /// Its file goes among the rejected.
    void refuse(Error reason) {
        error = std::move(reason);
        status = Status::failed;
        refused = true;
    }
};

/// Makes of a file that has been written whole an item that can be published: checks that it is a picture of
/// an allowed type, whole and within the limits, and takes the sample. Pool thread.
void examine_item(UploadItem& item, const UploadTerms& terms, const std::atomic<bool>& cancelled);

/// Puts all items that hold a file into the store, or among the rejected. Pool thread.
void publish_items(std::vector<UploadItem>& items, const UploadTerms& terms);

/// Takes a body apart and examines each file; publishes them where nothing stands in between, and no file
/// before the whole body has proved to be sound.
class IntakeJob final : public AwaitedTask, private BodySink {
  public:
    explicit IntakeJob(UploadTerms upload_terms) : terms(std::move(upload_terms)) {}

    /// Before the body is read: whether it can be one at all. 400, 415.
    Status expect(std::string_view content_type, bool put, ExpectedDigests digests);

    /// Files of one request: each is held open until all are there.
    static constexpr std::size_t max_files = 100;

    UploadTerms terms;
    Source body;
    std::vector<UploadItem> items;
    bool again = false;            ///< URLs that are known are to be fetched again
    std::optional<Error> failure;  ///< of the request as a whole; there are no items then
    bool published = false;        ///< there is nothing left to do

  private:
    void run() override;
    Status parse();

    void begin_file() override;
    void data(ByteView bytes) override;
    void end_file() override;
    void fail_file(Error error) override;
    void url(std::string text) override;
    void refetch(bool wanted) override { again = wanted; }

    std::unique_ptr<BodyParser> parser_;
    ExpectedDigests digests_;
    std::size_t files_ = 0;
};

/// Puts items into the store that had to wait.
class PublishJob final : public AwaitedTask {
  public:
    PublishJob(UploadTerms upload_terms, std::vector<UploadItem> upload_items)
        : terms(std::move(upload_terms)), items(std::move(upload_items)) {}

    const UploadTerms terms;
    std::vector<UploadItem> items;

  private:
    void run() override { publish_items(items, terms); }
};

}  // namespace media
