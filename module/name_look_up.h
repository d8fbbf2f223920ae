// From the name of a host to socket addresses.
#pragma once

#include <netdb.h>

#include <memory>
#include <string>
#include <vector>

#include "core/share/cluster.h"

namespace media {

/// The bytes of a sockaddr each, the preferred one first.
using SocketAddresses = std::vector<std::vector<unsigned char>>;

/// Of a host that is written as an address; else nothing.
SocketAddresses numeric_addresses(const NodeAddress& node);

/// Looks a name up without making anybody wait: getaddrinfo() may take seconds, which none of our threads
/// has.
class NameLookUp {
  public:
    explicit NameLookUp(const NodeAddress& node);
    NameLookUp(const NameLookUp&) = delete;
    NameLookUp& operator=(const NameLookUp&) = delete;
    ~NameLookUp();

    bool done() const noexcept;
    /// Once done: socket addresses, the preferred one first; empty where there is none.
    SocketAddresses found() const;

  private:
    struct Parts {
        std::string host, port;
        addrinfo hints{};
        gaicb request{};
    };
    std::unique_ptr<Parts> parts_;
    bool started_ = false;
};

}  // namespace media
