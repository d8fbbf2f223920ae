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
        try {
            take_in();
        } catch (...) {
            // Out of memory: as if it were not there yet.
        }
    }
}

void RenderJob::share(std::span<Task* const> others) noexcept {
    try {
        std::vector<RenderJob*> all{this};
        for (Task* other : others) {
            all.push_back(static_cast<RenderJob*>(other));  // alike() has seen to that
            all.back()->begin();
        }
        // What one of them cannot read concerns that one alone.
        RenderJob* reader = nullptr;
        for (std::size_t i = 0; i < all.size() && reader == nullptr; ++i) {
            if (!all[i]->gathered_) {
                all[i]->gather();
            }
            reader = all[i]->gathered_ && *all[i]->gathered_ ? all[i] : nullptr;
        }
        if (reader == nullptr) {
            return;
        }
        const auto original = std::make_shared<const Bytes>(std::move(**reader->gathered_));
        reader->gathered_.reset();
        reader->original_ = original;
        std::vector<RenderJob*> jobs{reader};
        for (RenderJob* job : all) {
            if (job != reader && !job->gathered_ && job->has(*original, *reader)) {
                job->original_ = original;
                job->guest_ = true;
                if (reader->from_copy_) {
                    job->begin_with_copy();
                } else {
                    job->source = Source{};
                }
                jobs.push_back(job);
            }
        }
        std::vector<RenderTask> tasks;
        tasks.reserve(jobs.size());
        for (const RenderJob* job : jobs) {
            tasks.push_back(job->task(original->view()));
        }
        auto decoded = decode_together(tasks);
        for (std::size_t i = 0; i < decoded.size(); ++i) {
            jobs[i]->decoded_ = std::move(decoded[i]);
        }
        keep_header_alone(jobs, *original);
    } catch (...) {
        // Out of memory: each for itself, as far as it goes.
    }
}

// Those that wait for a thread to write their planes do not keep the original in memory.
void RenderJob::keep_header_alone(std::span<RenderJob* const> jobs, const Bytes& original) {
    const ByteView part = header_of(original.view());
    if (part.size() == original.size()) {
        return;
    }
    const auto header = std::make_shared<const Bytes>(Bytes::copy_of(part));
    for (RenderJob* job : jobs) {
        if (job->decoded_ && !job->may_be_tried_again() && !header->empty()) {
            job->original_ = header;
        }
    }
}

// Whether that is our original too, or a copy of it.
bool RenderJob::has(const Bytes& original, const RenderJob& reader) const {
    if (original_vouched) {
        return true;
    }
    if (reader.from_copy_) {
        return !copy_key.empty() && copy_key == reader.copy_key;
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
