#include "module/source.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

namespace media {

namespace {

constexpr std::size_t digits_of_version = 40;
constexpr std::size_t piece_size = std::size_t{128} << 10U;

}  // namespace

std::string FileVersion::text() const {
    std::string text;
    const auto append = [&text](char before, std::int64_t number) {
        std::array<char, 24> digits;
        const auto end = std::to_chars(digits.data(), digits.data() + digits.size(), number).ptr;
        if (before != 0) {
            text += before;
        }
        text.append(digits.data(), end);
    };
    text.reserve(digits_of_version);
    append(0, size);
    append('-', modified.tv_sec);
    append('.', modified.tv_nsec);
    return text;
}

void Source::append(ByteView bytes) {
    if (pieces_.empty() || pieces_.back().file) {
        pieces_.emplace_back();
    }
    Piece& piece = pieces_.back();
    piece.bytes.insert(piece.bytes.end(), bytes.begin(), bytes.end());
    piece.size += bytes.size();
    size_ += bytes.size();
}

bool Source::append(int file, off_t offset, std::size_t size) {
    if (!pieces_.empty()) {
        Piece& last = pieces_.back();
        if (last.file && last.source == file && last.offset + static_cast<off_t>(last.size) == offset) {
            last.size += size;
            size_ += size;
            return true;
        }
    }
    Piece piece;
    piece.file = Descriptor::duplicate(file);
    piece.source = file;
    piece.offset = offset;
    piece.size = size;
    if (!piece.file) {
        return false;
    }
    pieces_.push_back(std::move(piece));
    size_ += size;
    return true;
}

void Source::reserve(std::size_t size) {
    if (pieces_.empty()) {
        pieces_.emplace_back();
        pieces_.back().bytes.reserve(size);
    }
}

std::optional<Source> Source::local(int file, const FileVersion& version) {
    Source source;
    if (!source.append(file, 0, static_cast<std::size_t>(version.size))) {
        return std::nullopt;
    }
    source.version_ = version;
    return source;
}

Result<Bytes> Source::gather(bool& changed) noexcept {
    changed = false;
    if (whole_) {
        return std::move(*whole_);
    }
    Bytes bytes = Bytes::allocate(size_);
    if (bytes.data() == nullptr) {
        return Error{503, "out of memory"};
    }
    std::size_t at = 0;
    for (const Piece& piece : pieces_) {
        if (!piece.file) {
            std::memcpy(bytes.data() + at, piece.bytes.data(), piece.bytes.size());
        } else if (!piece.file.read_at(bytes.data() + at, piece.size, piece.offset)) {
            changed = version_.has_value();
            return changed ? Error{503, "the original changed while it was read"}
                           : Error{502, "the origin's answer could not be read"};
        }
        at += piece.size;
    }
    if (version_) {
        struct stat about {};
        if (fstat(pieces_.front().file.get(), &about) != 0 || !(FileVersion::of(about) == *version_)) {
            changed = true;
            return Error{503, "the original changed while it was read"};
        }
    }
    pieces_.clear();
    return bytes;
}

std::vector<std::uint8_t> Source::head(std::size_t most) const {
    std::vector<std::uint8_t> bytes(std::min(most, size_));
    if (whole_) {
        std::memcpy(bytes.data(), whole_->data(), bytes.size());
        return bytes;
    }
    std::size_t at = 0;
    for (const Piece& piece : pieces_) {
        const std::size_t size = std::min(piece.size, bytes.size() - at);
        if (size == 0) {
            break;
        }
        if (!piece.file) {
            std::memcpy(bytes.data() + at, piece.bytes.data(), size);
        } else if (!piece.file.read_at(bytes.data() + at, size, piece.offset)) {
            return {};
        }
        at += size;
    }
    return bytes;
}

Status Source::read(const std::function<Status(ByteView)>& take) const {
    if (whole_) {
        return take(whole_->view());
    }
    std::vector<std::uint8_t> buffer;
    for (const Piece& piece : pieces_) {
        if (!piece.file) {
            if (Status status = take(piece.bytes); !status) {
                return status;
            }
            continue;
        }
        for (std::size_t at = 0; at < piece.size;) {
            const std::size_t size = std::min(piece.size - at, piece_size);
            buffer.resize(size);
            if (!piece.file.read_at(buffer.data(), size, piece.offset + static_cast<off_t>(at))) {
                return Error{500, "what was received could not be read back"};
            }
            if (Status status = take(buffer); !status) {
                return status;
            }
            at += size;
        }
    }
    return Nothing{};
}

}  // namespace media
