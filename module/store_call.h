// One call to a store as a task for the pool.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <utility>

#include "core/base/result.h"
#include "core/store/store.h"
#include "module/request_wait.h"

namespace media {

template <class T>
class StoreCall final : public AwaitedTask {
  public:
    using Work = std::function<Result<T>(const Store&)>;

    /// `work` refers to nothing that may go with the request.
    StoreCall(std::shared_ptr<const Store> store, Work work)
        : store_(std::move(store)), work_(std::move(work)) {}

    std::optional<Result<T>> outcome;

  private:
    void run() override { outcome.emplace(work_(*store_)); }

    const std::shared_ptr<const Store> store_;
    const Work work_;
};

}  // namespace media
