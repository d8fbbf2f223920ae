#include "module/name_look_up.h"

namespace media {

namespace {

SocketAddresses addresses_of(const addrinfo* found) {
    SocketAddresses addresses;
    for (; found != nullptr; found = found->ai_next) {
        const auto* bytes = reinterpret_cast<const unsigned char*>(found->ai_addr);
        addresses.emplace_back(bytes, bytes + found->ai_addrlen);
    }
    return addresses;
}

}  // namespace

SocketAddresses numeric_addresses(const NodeAddress& node) {
    addrinfo hints{};
    hints.ai_socktype = SOCK_STREAM;
    hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    addrinfo* found = nullptr;
    if (getaddrinfo(node.host.c_str(), std::to_string(node.port).c_str(), &hints, &found) != 0) {
        return {};
    }
    const std::unique_ptr<addrinfo, decltype(&freeaddrinfo)> owner{found, freeaddrinfo};
    return addresses_of(found);
}

NameLookUp::NameLookUp(const NodeAddress& node) : parts_(std::make_unique<Parts>()) {
    parts_->host = node.host;
    parts_->port = std::to_string(node.port);
    parts_->hints.ai_socktype = SOCK_STREAM;
    parts_->request.ar_name = parts_->host.c_str();
    parts_->request.ar_service = parts_->port.c_str();
    parts_->request.ar_request = &parts_->hints;
    gaicb* list[] = {&parts_->request};
    started_ = getaddrinfo_a(GAI_NOWAIT, list, 1, nullptr) == 0;
}

NameLookUp::~NameLookUp() {
    if (started_ && gai_cancel(&parts_->request) == EAI_NOTCANCELED) {
        // A thread of libc's is at it and may be for many seconds; what it writes to is left to it.
        [[maybe_unused]] const Parts* left = parts_.release();
        return;
    }
    if (parts_->request.ar_result != nullptr) {
        freeaddrinfo(parts_->request.ar_result);
    }
}

bool NameLookUp::done() const noexcept {
    return !started_ || gai_error(&parts_->request) != EAI_INPROGRESS;
}

SocketAddresses NameLookUp::found() const {
    return addresses_of(started_ && gai_error(&parts_->request) == 0 ? parts_->request.ar_result : nullptr);
}

}  // namespace media
