// What is behind an Incoming: this room's own business.
#pragma once

#include <openssl/evp.h>

#include <memory>
#include <string>

#include "core/store/disk.h"
#include "core/store/incoming.h"

namespace media {

/// A hash that is fed piece by piece.
class RunningDigest {
  public:
    explicit RunningDigest(const EVP_MD* kind) : context_(EVP_MD_CTX_new()) {
        if (!context_ || EVP_DigestInit_ex(context_.get(), kind, nullptr) != 1) {
            throw disk::Failure{{500, "out of memory"}};
        }
    }

    void add(ByteView bytes) {
        if (EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) != 1) {
            throw disk::Failure{{500, "out of memory"}};
        }
    }

    /// The digest; nothing is added afterwards.
    std::vector<std::uint8_t> finish() {
        std::vector<std::uint8_t> digest(EVP_MAX_MD_SIZE);
        unsigned size = 0;
        if (EVP_DigestFinal_ex(context_.get(), digest.data(), &size) != 1) {
            throw disk::Failure{{500, "out of memory"}};
        }
        digest.resize(size);
        return digest;
    }

  private:
    struct Free {
        void operator()(EVP_MD_CTX* context) const noexcept { EVP_MD_CTX_free(context); }
    };
    std::unique_ptr<EVP_MD_CTX, Free> context_;
};

struct Incoming::State {
    State(const std::string& root, std::uint64_t most)
        : file(root, "", 0644), limit(most), running_sha256(EVP_sha256()), running_md5(EVP_md5()) {}

    disk::NewFile file;
    std::uint64_t limit;
    std::uint64_t size = 0;
    RunningDigest running_sha256, running_md5;
    std::string sha256, md5;
    bool over = false;  // finished, or failed
};

}  // namespace media
