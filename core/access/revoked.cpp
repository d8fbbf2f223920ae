#include "core/access/revoked.h"

#include <algorithm>
#include <charconv>
#include <cstdint>

#include "core/access/lines.h"
#include "core/rendition/guard.h"

namespace media {

namespace {

// Takes the first word off the front, and what separates it from the rest.
std::string_view take_word(std::string_view& text) noexcept {
    const std::string_view word = text.substr(0, text.find_first_of(" \t"));
    text = detail::stripped(text.substr(word.size()));
    return word;
}

}  // namespace

Result<RevokedTokens> RevokedTokens::parse(std::string_view text) noexcept {
    return detail::guarded([&]() -> Result<RevokedTokens> {
        RevokedTokens revoked;
        std::size_t number = 0;
        while (const auto line = detail::next_line(text)) {
            ++number;
            std::string_view rest = detail::stripped(*line);
            if (rest.empty() || rest.front() == '#') {
                continue;
            }
            const std::string_view kind = take_word(rest);
            if (kind == "jti" && !rest.empty()) {
                revoked.ids_.emplace(rest);
                continue;
            }
            const std::size_t blank = rest.find_last_of(" \t");
            std::int64_t time = 0;
            const std::string_view digits = blank == std::string_view::npos ? "" : rest.substr(blank + 1);
            const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), time);
            if (kind != "sub" || digits.empty() || error != std::errc{} ||
                end != digits.data() + digits.size()) {
                return Error{
                    500, "line " + std::to_string(number) + " is neither \"jti ID\" nor \"sub ID UNIXTIME\""};
            }
            double& oldest = revoked.oldest_[std::string{detail::stripped(rest.substr(0, blank))}];
            oldest = std::max(oldest, static_cast<double>(time));
        }
        return revoked;
    });
}

bool RevokedTokens::covers(const VerifiedToken& token) const noexcept {
    if (!token.id.empty() && ids_.contains(token.id)) {
        return true;
    }
    const auto subject = oldest_.find(token.subject);
    return !token.subject.empty() && subject != oldest_.end() &&
           (!token.issued_at || *token.issued_at < subject->second);
}

}  // namespace media
