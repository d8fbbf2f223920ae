#include "module/purge_writer.h"

#include <cerrno>
#include <utility>

#include "module/ngx.h"
#include "module/purge_log.h"

namespace media {

class PurgeWriter::Batch final : public Task {
  public:
    Batch(PurgeWriter* writer, std::string path, std::vector<std::shared_ptr<PurgeWrite>> writes)
        : writer_(writer), path_(std::move(path)), writes_(std::move(writes)) {
        for (const auto& write : writes_) {
            lines_ += write->lines;
        }
    }

    void work() noexcept override { error_ = append_purge_log(path_, lines_); }
    void complete() noexcept override { writer_->finished(*this); }
    void cancel() noexcept override {}

    const std::vector<std::shared_ptr<PurgeWrite>>& writes() const noexcept { return writes_; }
    int error() const noexcept { return error_; }
    const std::string& path() const noexcept { return path_; }

  private:
    PurgeWriter* writer_;
    std::string path_;
    std::vector<std::shared_ptr<PurgeWrite>> writes_;
    std::string lines_;
    int error_ = 0;
};

void PurgeWriter::write(const std::string& path, std::shared_ptr<PurgeWrite> write) {
    path_ = path;
    waiting_.push_back(std::move(write));
    if (!busy_) {
        begin();
    }
}

void PurgeWriter::begin() {
    pool_.post_first(std::make_unique<Batch>(this, path_, std::exchange(waiting_, {})));
    busy_ = true;
}

void PurgeWriter::finished(const Batch& batch) {
    busy_ = false;
    if (batch.error() != 0) {
        ngx_log_error(NGX_LOG_CRIT, ngx_cycle->log, batch.error(), "media: cannot write \"%s\"",
                      batch.path().c_str());
    }
    if (!waiting_.empty()) {
        begin();
    }
    for (const auto& write : batch.writes()) {
        if (const auto done = std::move(write->done)) {
            done(batch.error());
        }
    }
}

}  // namespace media
