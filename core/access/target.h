// URLs of originals: what they say, and which of them may be fetched.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/access/address.h"
#include "core/base/result.h"

namespace media {

/// A URL, taken apart and spelled in one way. All of it may stand in a request as it is: printable ASCII
/// without spaces.
struct Target {
    bool secure = false;  ///< https
    std::string host;     ///< lower case; a name without a dot behind it, IPv6 in brackets
    std::uint16_t port = 80;
    std::string uri;                 ///< path and query; begins with a slash
    std::optional<Address> address;  ///< where the host is one

    std::string_view scheme() const noexcept { return secure ? "https" : "http"; }
    /// The Host header field: the port only where it is not the scheme's.
    std::string authority() const;
    std::string url() const;
};

/// The longest URL that is taken, in bytes.
inline constexpr std::size_t longest_url = 8192;

/// Takes a URL apart, by RFC 3986 and stricter: a fragment is dropped, dot segments are resolved, spaces,
/// non-ASCII bytes and others that no URL may hold are percent-encoded, escapes stay as they are. Errors: 400
/// for what is no URL (a control character or a backslash anywhere, a host of other characters than letters,
/// digits, "-", "_" and ".": an international name is written in its ASCII form); 403 for another scheme than
/// http and https, for user information, and for a host that looks like a number but is no address in its
/// one proper form.
Result<Target> parse_target(std::string_view url) noexcept;

/// What a redirect's `Location` means that came for `from` (RFC 3986, section 5.2). Errors as above.
Result<Target> follow(const Target& from, std::string_view location) noexcept;

/// The hosts that originals may be fetched from.
class AllowList {
  public:
    /// Adds a rule: `host[:port]`, an address likewise (IPv6 in brackets), `*.example.com[:port]` for all
    /// names below, or `*[:port]` for all hosts. Without a port, 80 and 443. False where it is malformed.
    bool add(std::string_view rule);

    bool empty() const noexcept { return rules_.empty(); }

    /// Whether some host is allowed by its name, which then has to be looked up.
    bool names_hosts() const noexcept;

    /// Whether a rule names the host of a URL with its port: 403 otherwise.
    Status check(const Target& target) const noexcept;

    /// Whether such a host may be at that address: a public one, or one that a rule names. 403 otherwise.
    Status check(const Address& address, std::uint16_t port) const noexcept;

    /// All rules, as text that tells lists apart.
    std::string text() const;

  private:
    enum class Kind : std::uint8_t { all, below, name, address };
    struct Rule {
        Kind kind = Kind::all;
        std::string name;  ///< of `below` with the dot in front
        std::optional<Address> address;
        std::uint16_t port = 0;  ///< 0: 80 and 443

        bool fits(std::uint16_t wanted) const noexcept {
            return port == 0 ? wanted == 80 || wanted == 443 : wanted == port;
        }
    };
    std::vector<Rule> rules_;
};

}  // namespace media
