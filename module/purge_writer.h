// Writing purges down beside the event loop.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "core/share/purge_record.h"
#include "module/render_pool.h"

namespace media {

/// Lines on their way to the disk. `done` is called on the event loop with 0 or an errno; who no longer waits
/// takes it away.
struct PurgeWrite {
    std::string lines;
    std::function<void(int error)> done;
};

/// Appends to the log of purges, one write at a time: what comes meanwhile shares the next one, and the wait
/// for the disk. One for each worker; all functions belong to the event loop.
class PurgeWriter {
  public:
    explicit PurgeWriter(RenderPool& pool) noexcept : pool_(pool) {}

    /// `path` is PurgeTable::log().
    void write(const std::string& path, std::shared_ptr<PurgeWrite> write);

  private:
    class Batch;
    void begin();
    void finished(const Batch& batch);

    RenderPool& pool_;
    std::string path_;
    std::vector<std::shared_ptr<PurgeWrite>> waiting_;
    bool busy_ = false;
};

}  // namespace media
