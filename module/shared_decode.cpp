// How renditions of one original that wait for a thread at the same time share its decode.
#include <cstring>

#include "module/render_job.h"

namespace media {

bool RenderJob::alike(const Task& other) const noexcept {
    const auto* job = dynamic_cast<const RenderJob*>(&other);
    return job != nullptr && !begun_ && !original_name.empty() && original_name == job->original_name;
}

void RenderJob::gather() noexcept {
    begin();
    if (!cancellation.should_stop()) {
        gathered_.emplace(source.gather(changed));
    }
}

void RenderJob::share(std::span<Task* const> others) noexcept {
    try {
        for (Task* other : others) {
            static_cast<RenderJob*>(other)->begin();
        }
        // What cannot be read concerns this one; each of the others sees for itself.
        if (!gathered_ || !*gathered_) {
            return;
        }
        original_ = std::make_shared<const Bytes>(std::move(**gathered_));
        gathered_.reset();
        std::vector<RenderJob*> jobs{this};
        for (Task* other : others) {
            auto* job = static_cast<RenderJob*>(other);
            if (job->has(*original_)) {
                job->original_ = original_;
                job->source = Source{};
                jobs.push_back(job);
            }
        }
        std::vector<RenderTask> tasks;
        tasks.reserve(jobs.size());
        for (const RenderJob* job : jobs) {
            tasks.push_back(job->task(original_->view()));
        }
        auto decoded = decode_together(tasks);
        for (std::size_t i = 0; i < decoded.size(); ++i) {
            jobs[i]->decoded_ = std::move(decoded[i]);
        }
    } catch (...) {
        // Out of memory: each for itself, as far as it goes.
    }
}

// Whether that is our original too.
bool RenderJob::has(const Bytes& original) const {
    if (original_vouched) {
        return true;
    }
    if (source.size() != original.size()) {
        return false;
    }
    std::size_t at = 0;
    const Status same = source.read([&](ByteView piece) -> Status {
        if (std::memcmp(piece.data(), original.data() + at, piece.size()) != 0) {
            return Error{500, "another original"};
        }
        at += piece.size();
        return Nothing{};
    });
    return same && at == original.size();
}

}  // namespace media
