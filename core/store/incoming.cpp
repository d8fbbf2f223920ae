#include "core/store/incoming.h"

#include <utility>

#include "core/base/hash.h"
#include "core/store/incoming_state.h"

namespace media {

Incoming::Incoming(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Incoming::Incoming(Incoming&&) noexcept = default;
Incoming& Incoming::operator=(Incoming&&) noexcept = default;
Incoming::~Incoming() = default;

Status Incoming::write(ByteView bytes) noexcept {
    return disk::contained([&]() -> Status {
        State& state = *state_;
        if (state.over) {
            return Error{500, "the file takes no more"};
        }
        state.over = true;
        if (bytes.size() > state.limit - state.size) {
            return Error{413, "the file has more than " + std::to_string(state.limit) + " bytes"};
        }
        disk::write_all(state.file.fd(), bytes);
        state.running_sha256.add(bytes);
        state.running_md5.add(bytes);
        state.size += bytes.size();
        state.over = false;
        return Nothing{};
    });
}

Status Incoming::finish() noexcept {
    return disk::contained([&]() -> Status {
        State& state = *state_;
        if (!state.sha256.empty()) {
            return Nothing{};
        }
        if (state.over) {
            return Error{500, "the file is not whole"};
        }
        state.over = true;
        state.md5 = hex(state.running_md5.finish());
        state.sha256 = hex(state.running_sha256.finish());
        return Nothing{};
    });
}

std::uint64_t Incoming::size() const noexcept {
    return state_->size;
}

const std::string& Incoming::sha256() const noexcept {
    return state_->sha256;
}

const std::string& Incoming::md5() const noexcept {
    return state_->md5;
}

int Incoming::fd() const noexcept {
    return state_->file.fd();
}

}  // namespace media
