// A load client for one host on the loopback: keeps N connections busy, or sends at a fixed rate, checks
// every answer to its last byte, and prints one line of JSON.
//
//   load --port 8080 --connections 4 --duration 3 /img/a.jpg?w=400 /img/b.jpg?w=400
//   load --port 8080 --rate 50 --duration 10 --close /static/a.txt
//
// `{n}` in a path becomes the number of the request, counted from --from, or with --among N a number below N
// that hops about. At a fixed rate, latency counts from the moment a request was due, not from the moment it
// could be sent, so that a server that stands still cannot hide it.
//
// A request fails when no complete answer came, or one with another status than 200. The one exception is the
// one HTTP allows (RFC 9112, 9.3.1): a connection that was used before may have been closed by the server
// just as the request was sent; when not one byte of an answer came, the request is sent again on a new
// connection and counted as "resent".
#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace {

using Clock = std::chrono::steady_clock;

struct Options {
    int port = 0;
    std::size_t connections = 4;
    double duration = 0;         ///< seconds during which requests are started
    std::uint64_t requests = 0;  ///< or how many
    double rate = 0;             ///< requests per second; 0: as fast as answers come
    std::uint64_t from = 0, among = 0;
    double grace = 30;   ///< seconds to wait for the last answers
    bool close = false;  ///< a connection for each request
    std::vector<std::string> paths;
};

struct Tally {
    std::vector<double> milliseconds;
    std::map<int, std::uint64_t> statuses;
    std::map<std::string, std::uint64_t> failures;
    std::uint64_t good = 0, resent = 0, unfinished = 0, bytes = 0;
};

struct Request {
    std::uint64_t number = 0;
    Clock::time_point due;
};

enum class Outcome { more, done, broken };

/// Reads one answer, piece by piece.
class Answer {
  public:
    void begin() {
        head_.clear();
        in_body_ = false;
        body_left_ = 0;
        status_ = 0;
        body_ = 0;
        keep_ = true;
    }

    Outcome feed(std::string_view data) {
        if (!in_body_) {
            head_.append(data);
            const auto end = head_.find("\r\n\r\n");
            if (end == std::string::npos) {
                return head_.size() > 65536 ? Outcome::broken : Outcome::more;
            }
            data = std::string_view(head_).substr(end + 4);
            if (!parse(std::string_view(head_).substr(0, end + 2))) {
                return Outcome::broken;
            }
            in_body_ = true;
        }
        if (data.size() > body_left_) {
            return Outcome::broken;
        }
        body_left_ -= data.size();
        return body_left_ == 0 ? Outcome::done : Outcome::more;
    }

    bool started() const { return in_body_ || !head_.empty(); }
    bool keep() const { return keep_; }
    int status() const { return status_; }
    std::uint64_t body() const { return body_; }

  private:
    bool parse(std::string_view head) {
        if (head.substr(0, 9) != "HTTP/1.1 ") {
            return false;
        }
        status_ = std::atoi(std::string(head.substr(9, 3)).c_str());
        bool length = false;
        for (auto line = head.find("\r\n"); line != std::string_view::npos && line + 2 < head.size();) {
            const auto next = head.find("\r\n", line + 2);
            std::string text(head.substr(line + 2, next - line - 2));
            std::transform(text.begin(), text.end(), text.begin(),
                           [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
            if (text.starts_with("content-length:")) {
                body_left_ = body_ = std::strtoull(text.c_str() + 15, nullptr, 10);
                length = true;
            } else if (text == "connection: close") {
                keep_ = false;
            }
            line = next;
        }
        return length;
    }

    std::string head_;
    bool in_body_ = false;
    std::uint64_t body_left_ = 0, body_ = 0;
    int status_ = 0;
    bool keep_ = true;
};

struct Connection {
    int fd = -1;
    bool busy = false;
    bool used = false;  ///< has carried an answer before
    Request request;
    std::string out;
    std::size_t sent = 0;
    Answer answer;
};

class Load {
  public:
    explicit Load(Options options) : options_(std::move(options)), epoll_(epoll_create1(0)) {
        if (epoll_ < 0) {
            std::perror("epoll_create1");
            std::exit(2);
        }
        address_.sin_family = AF_INET;
        address_.sin_port = htons(static_cast<std::uint16_t>(options_.port));
        address_.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
        for (std::size_t i = 0; i < options_.connections; i++) {
            connections_.push_back(std::make_unique<Connection>());
            idle_.push_back(connections_.back().get());
        }
    }

    void run() {
        start_ = Clock::now();
        const auto stop = start_ + seconds(options_.duration);
        const auto last = stop + seconds(options_.grace);
        std::vector<epoll_event> events(256);
        while (true) {
            const auto now = Clock::now();
            const bool sending = options_.requests != 0 ? made_ < options_.requests : now < stop;
            if (sending) {
                while (options_.rate > 0 && next_due() <= now && next_due() < stop) {
                    waiting_.push_back({made_++, now});
                    waiting_.back().due =
                        start_ + seconds(static_cast<double>(waiting_.back().number) / options_.rate);
                }
                while (options_.rate <= 0 && !idle_.empty() && waiting_.size() < idle_.size() &&
                       (options_.requests == 0 || made_ < options_.requests)) {
                    waiting_.push_back({made_++, now});
                }
            }
            while (!waiting_.empty() && !idle_.empty()) {
                Connection* connection = idle_.back();
                idle_.pop_back();
                const Request request = waiting_.front();
                waiting_.pop_front();
                begin(*connection, request);
            }
            const bool all_idle = idle_.size() == connections_.size();
            if (!sending && waiting_.empty() && all_idle) {
                break;
            }
            if (options_.requests == 0 && now > last) {
                give_up();
                break;
            }
            timespec wait{0, 100'000'000};
            if (sending && options_.rate > 0) {
                const std::chrono::nanoseconds left = next_due() - Clock::now();
                wait.tv_nsec = std::clamp<long>(left.count(), 0, wait.tv_nsec);
            }
            const int n =
                epoll_pwait2(epoll_, events.data(), static_cast<int>(events.size()), &wait, nullptr);
            for (int i = 0; i < n; i++) {
                const auto& event = events[static_cast<std::size_t>(i)];
                handle(*static_cast<Connection*>(event.data.ptr), event.events);
            }
        }
        took_ = std::chrono::duration<double>(Clock::now() - start_).count();
    }

    void print() {
        auto& all = tally_.milliseconds;
        std::sort(all.begin(), all.end());
        const auto quantile = [&](double q) {
            if (all.empty()) {
                return 0.0;
            }
            return all[std::min(all.size() - 1,
                                static_cast<std::size_t>(q * static_cast<double>(all.size())))];
        };
        std::printf(
            "{\"requests\":%llu,\"good\":%llu,\"resent\":%llu,\"unfinished\":%llu,\"bytes\":%llu,"
            "\"seconds\":%.6f,\"p50\":%.3f,\"p90\":%.3f,\"p99\":%.3f,\"max\":%.3f,\"statuses\":{",
            number(made_), number(tally_.good), number(tally_.resent), number(tally_.unfinished),
            number(tally_.bytes), took_, quantile(0.5), quantile(0.9), quantile(0.99), quantile(1.0));
        const char* comma = "";
        for (const auto& [status, count] : tally_.statuses) {
            std::printf("%s\"%d\":%llu", comma, status, number(count));
            comma = ",";
        }
        std::printf("},\"failures\":{");
        comma = "";
        for (const auto& [what, count] : tally_.failures) {
            std::printf("%s\"%s\":%llu", comma, what.c_str(), number(count));
            comma = ",";
        }
        std::printf("}}\n");
    }

  private:
    static unsigned long long number(std::uint64_t n) { return n; }

    static Clock::duration seconds(double s) {
        return std::chrono::duration_cast<Clock::duration>(std::chrono::duration<double>(s));
    }

    Clock::time_point next_due() const {
        return start_ + seconds(static_cast<double>(made_) / options_.rate);
    }

    std::string text(std::uint64_t number) const {
        std::string path = options_.paths[number % options_.paths.size()];
        if (const auto at = path.find("{n}"); at != std::string::npos) {
            // A prime, and large: neighbours in time are no neighbours in number.
            const std::uint64_t shown =
                options_.among > 0 ? number * 2'654'435'761U % options_.among : options_.from + number;
            path.replace(at, 3, std::to_string(shown));
        }
        return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" +
               (options_.close ? "Connection: close\r\n\r\n" : "\r\n");
    }

    void begin(Connection& c, const Request& request) {
        c.busy = true;
        c.request = request;
        c.out = text(request.number);
        c.sent = 0;
        c.answer.begin();
        if (c.fd < 0 && !connect(c)) {
            fail(c, "connect");
            return;
        }
        send(c);
    }

    bool connect(Connection& c) {
        c.used = false;
        c.fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        if (c.fd < 0) {
            return false;
        }
        const int one = 1;
        setsockopt(c.fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
        if (::connect(c.fd, reinterpret_cast<sockaddr*>(&address_), sizeof address_) != 0 &&
            errno != EINPROGRESS) {
            return false;
        }
        epoll_event event{};
        event.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
        event.data.ptr = &c;
        return epoll_ctl(epoll_, EPOLL_CTL_ADD, c.fd, &event) == 0;
    }

    void send(Connection& c) {
        while (c.sent < c.out.size()) {
            const ssize_t n = ::send(c.fd, c.out.data() + c.sent, c.out.size() - c.sent, MSG_NOSIGNAL);
            if (n > 0) {
                c.sent += static_cast<std::size_t>(n);
            } else if (errno == EAGAIN || errno == ENOTCONN) {
                return;
            } else if (errno != EINTR) {
                // Whatever the server said before it closed is still to be read.
                c.sent = c.out.size();
                receive(c);
                return;
            }
        }
    }

    void handle(Connection& c, std::uint32_t events) {
        if (c.fd < 0) {
            return;
        }
        if (c.busy && (events & EPOLLOUT) != 0 && c.sent < c.out.size()) {
            send(c);
        }
        if (c.fd >= 0 && (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR)) != 0) {
            receive(c);
        }
    }

    void receive(Connection& c) {
        static char buffer[256 * 1024];
        while (c.fd >= 0) {
            const ssize_t n = recv(c.fd, buffer, sizeof buffer, 0);
            if (n > 0) {
                if (!c.busy) {  // bytes nobody asked for
                    close(c);
                    return;
                }
                const auto outcome = c.answer.feed({buffer, static_cast<std::size_t>(n)});
                if (outcome == Outcome::broken) {
                    fail(c, "malformed");
                } else if (outcome == Outcome::done) {
                    finish(c);
                }
            } else if (n < 0 && errno == EAGAIN) {
                return;
            } else if (n < 0 && errno == EINTR) {
                continue;
            } else {
                closed(c, n < 0);
                return;
            }
        }
    }

    void closed(Connection& c, bool reset) {
        if (!c.busy) {
            close(c);
        } else if (c.used && !c.answer.started()) {
            tally_.resent++;
            close(c);
            begin(c, c.request);
        } else {
            fail(c, c.answer.started() ? "truncated" : reset ? "reset" : "closed");
        }
    }

    void finish(Connection& c) {
        note(c);
        tally_.statuses[c.answer.status()]++;
        tally_.bytes += c.answer.body();
        if (c.answer.status() == 200) {
            tally_.good++;
        } else {
            tally_.failures["status " + std::to_string(c.answer.status())]++;
        }
        c.used = true;
        if (options_.close || !c.answer.keep()) {
            close(c);
        }
        c.busy = false;
        idle_.push_back(&c);
    }

    void fail(Connection& c, const char* what) {
        note(c);
        tally_.failures[what]++;
        close(c);
        c.busy = false;
        idle_.push_back(&c);
    }

    void note(const Connection& c) {
        const std::chrono::duration<double, std::milli> took = Clock::now() - c.request.due;
        tally_.milliseconds.push_back(took.count());
    }

    /// Those still unanswered count with the time they have waited so far.
    void give_up() {
        const auto now = Clock::now();
        const auto count = [&](const Request& request) {
            const std::chrono::duration<double, std::milli> took = now - request.due;
            tally_.milliseconds.push_back(took.count());
            tally_.unfinished++;
        };
        for (const auto& c : connections_) {
            if (c->busy) {
                count(c->request);
            }
        }
        for (const auto& request : waiting_) {
            count(request);
        }
    }

    static void close(Connection& c) {
        if (c.fd >= 0) {
            ::close(c.fd);
            c.fd = -1;
        }
    }

    Options options_;
    int epoll_;
    sockaddr_in address_{};
    std::vector<std::unique_ptr<Connection>> connections_;
    std::vector<Connection*> idle_;
    std::deque<Request> waiting_;
    std::uint64_t made_ = 0;
    Clock::time_point start_;
    double took_ = 0;
    Tally tally_;
};

}  // namespace

int main(int argc, char** argv) {
    Options options;
    for (int i = 1; i < argc; i++) {
        const std::string_view name = argv[i];
        const auto value = [&] {
            if (++i == argc) {
                std::fprintf(stderr, "load: %s needs a value\n", argv[i - 1]);
                std::exit(2);
            }
            return argv[i];
        };
        if (name == "--port") {
            options.port = std::atoi(value());
        } else if (name == "--connections") {
            options.connections = std::strtoul(value(), nullptr, 10);
        } else if (name == "--duration") {
            options.duration = std::atof(value());
        } else if (name == "--requests") {
            options.requests = std::strtoull(value(), nullptr, 10);
        } else if (name == "--rate") {
            options.rate = std::atof(value());
        } else if (name == "--from") {
            options.from = std::strtoull(value(), nullptr, 10);
        } else if (name == "--among") {
            options.among = std::strtoull(value(), nullptr, 10);
        } else if (name == "--grace") {
            options.grace = std::atof(value());
        } else if (name == "--close") {
            options.close = true;
        } else if (name.starts_with("--")) {
            std::fprintf(stderr, "load: unknown option %s\n", argv[i]);
            return 2;
        } else {
            options.paths.emplace_back(name);
        }
    }
    if (options.port == 0 || options.connections == 0 || options.paths.empty()) {
        std::fprintf(stderr,
                     "usage: load --port P --connections N (--duration S [--rate R] | --requests N) "
                     "[--grace S] [--close] [--from N | --among N] path ...\n");
        return 2;
    }
    std::signal(SIGPIPE, SIG_IGN);
    Load load(std::move(options));
    load.run();
    load.print();
    return 0;
}
