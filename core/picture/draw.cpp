#include "core/picture/draw.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <cstring>
#include <utility>

#include "core/base/fd.h"
#include "core/picture/failure.h"
#include "core/picture/pixels.h"

namespace media {

using vips::VError;
using vips::VImage;

namespace {

// Address space that a process may take for one document, beside what it begins with.
constexpr rlim_t memory_limit = rlim_t{1} << 30U;

// How often the one who waits looks whether the drawing is still wanted.
constexpr int patience_ms = 10;

// Both ends of the socket are the same program: what travels is plain memory.
struct Order {
    Drawing drawing;
    std::uint64_t size = 0;  // of the document
    rlim_t cpu_seconds = 0;  // in case nobody is left to end it
};

struct Outcome {
    bool no_process = false;  // nobody to draw it, through no fault of the document
    int width = 0, height = 0, bands = 0;
    VipsInterpretation interpretation = VIPS_INTERPRETATION_sRGB;
    int page_height = 0, n_pages = 0;
};

// An order comes with the document and the socket that the outcome goes to.
constexpr std::size_t enclosures = 2;

struct Message {
    Order order;
    alignas(cmsghdr) char control[CMSG_SPACE(enclosures * sizeof(int))] = {};
    iovec part{&order, sizeof order};

    msghdr header() {
        msghdr head{};
        head.msg_iov = &part;
        head.msg_iovlen = 1;
        head.msg_control = control;
        head.msg_controllen = sizeof control;
        return head;
    }
};

// The process that forks: written by start and stop, when there is one thread.
Fd orders;
pid_t forker = -1;

// --- in the processes that draw

VImage load(const Drawing& drawing, void* document, std::size_t size) {
    VImage image;
    VipsBlob* blob = vips_blob_new(nullptr, document, size);
    vips::VOption* arguments = VImage::option()
                                   ->set("buffer", blob)
                                   ->set("out", &image)
                                   ->set("access", VIPS_ACCESS_SEQUENTIAL)
                                   ->set("fail_on", drawing.fail_on)
                                   ->set("scale", drawing.scale);
    vips_area_unref(VIPS_AREA(blob));
    if (drawing.format == Format::pdf) {
        arguments->set("page", drawing.page)->set("n", drawing.pages);
    }
    VImage::call(drawing.format == Format::pdf ? "pdfload_buffer" : "svgload_buffer", arguments);
    return image;
}

bool send_all(int socket, const void* data, std::size_t size) {
    const auto* at = static_cast<const char*>(data);
    while (size > 0) {
        const ssize_t sent = send(socket, at, size, MSG_NOSIGNAL);
        if (sent <= 0) {
            return false;
        }
        at += sent;
        size -= static_cast<std::size_t>(sent);
    }
    return true;
}

void limit(int resource, rlim_t most) {
    const rlimit value{most, most};
    setrlimit(static_cast<__rlimit_resource>(resource), &value);
}

void limit_resources(rlim_t cpu_seconds) {
    // Where memory runs out, a drawing goes before anything of the server.
    if (const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC); file >= 0) {
        if (write(file, "1000", 4) != 4) {
            // Not allowed here: then it is one process among others.
        }
        close(file);
    }
    limit(RLIMIT_CORE, 0);
    limit(RLIMIT_CPU, cpu_seconds);
#ifndef __SANITIZE_ADDRESS__  // which reserves more than all of that
    unsigned long pages = 0;
    if (FILE* file = std::fopen("/proc/self/statm", "r"); file != nullptr) {
        if (std::fscanf(file, "%lu", &pages) != 1) {
            pages = 0;
        }
        std::fclose(file);
    }
    limit(RLIMIT_AS, memory_limit + pages * static_cast<rlim_t>(sysconf(_SC_PAGESIZE)));
#endif
}

void draw_into(int socket, const Order& order, int document) {
    // Ends this process (by SIGIO) as soon as the other end of the socket is closed.
    fcntl(socket, F_SETOWN, getpid());
    fcntl(socket, F_SETFL, fcntl(socket, F_GETFL) | O_ASYNC);
    pollfd left{socket, 0, 0};
    if (poll(&left, 1, 0) != 0) {
        return;
    }
    limit_resources(order.cpu_seconds);
    void* const bytes = mmap(nullptr, order.size, PROT_READ, MAP_PRIVATE, document, 0);
    if (bytes == MAP_FAILED) {
        return;
    }
    VImage image = load(order.drawing, bytes, order.size);
    VipsImage* const raw = image.get_image();
    const Outcome outcome{false,
                          raw->Xsize,
                          raw->Ysize,
                          raw->Bands,
                          raw->Type,
                          vips_image_get_page_height(raw),
                          std::max(1, vips_image_get_n_pages(raw))};
    if (raw->BandFmt != VIPS_FORMAT_UCHAR || !send_all(socket, &outcome, sizeof outcome) ||
        !order.drawing.pixels) {
        return;
    }
    const Cancellation never(Cancellation::Clock::time_point::max());
    const VImage drawn = to_memory(image, never);
    send_all(socket, VIPS_IMAGE_ADDR(drawn.get_image(), 0, 0), VIPS_IMAGE_SIZEOF_IMAGE(drawn.get_image()));
}

// --- in the process that forks

void say_nothing_more() {
#ifndef __SANITIZE_ADDRESS__
    if (const int nothing = open("/dev/null", O_RDWR); nothing >= 0) {
        dup2(nothing, STDOUT_FILENO);
        dup2(nothing, STDERR_FILENO);
        close(nothing);
    }
#endif
}

void forget_the_parent(int socket) {
    // Signals to a whole group are for the server; this process ends when the server's end of the socket
    // does.
    for (int signal = 1; signal < NSIG; ++signal) {
        std::signal(signal, SIG_DFL);
    }
    for (const int signal : {SIGINT, SIGTERM, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGWINCH}) {
        std::signal(signal, SIG_IGN);
    }
    std::signal(SIGCHLD, SIG_IGN);  // nobody waits for those who draw
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    prctl(PR_SET_NAME, "media-draw");
    // Listening sockets, logs and connections are none of its business, nor that of what it forks.
    close_range(STDERR_FILENO + 1, static_cast<unsigned>(socket) - 1, 0);
    close_range(static_cast<unsigned>(socket) + 1, ~0U, 0);
    say_nothing_more();
}

bool receive_order(int socket, Order& order, Fd& document, Fd& reply) {
    Message message;
    msghdr head = message.header();
    ssize_t count = 0;
    do {
        count = recvmsg(socket, &head, MSG_CMSG_CLOEXEC);
    } while (count < 0 && errno == EINTR);
    if (count <= 0) {
        return false;
    }
    const cmsghdr* const control = CMSG_FIRSTHDR(&head);
    if (count == sizeof message.order && control != nullptr &&
        control->cmsg_len == CMSG_LEN(enclosures * sizeof(int))) {
        int fds[enclosures];
        std::memcpy(fds, CMSG_DATA(control), sizeof fds);
        document = Fd(fds[0]);
        reply = Fd(fds[1]);
        order = message.order;
    }
    return true;
}

[[noreturn]] void serve(int socket) noexcept {
    forget_the_parent(socket);
    for (;;) {
        Order order;
        Fd document;
        Fd reply;
        if (!receive_order(socket, order, document, reply)) {
            _exit(0);
        }
        if (reply.get() < 0) {
            continue;
        }
        const pid_t child = fork();
        if (child < 0) {
            const Outcome outcome{.no_process = true};
            send_all(reply.get(), &outcome, sizeof outcome);
        }
        if (child == 0) {
            close(socket);
            try {
                draw_into(reply.get(), order, document.get());
            } catch (const VError&) {
                // An empty answer says it.
            } catch (const Failure&) {
            }
            _exit(0);
        }
    }
}

// --- in the process that wants a drawing

[[noreturn]] void fail_for_now() {
    fail(503, "documents cannot be drawn at the moment");
}

Fd in_memory(ByteView document) {
    Fd file(memfd_create("document", MFD_CLOEXEC));
    std::size_t written = 0;
    while (file.get() >= 0 && written < document.size()) {
        const ssize_t count = write(file.get(), document.data() + written, document.size() - written);
        if (count <= 0) {
            fail_for_now();
        }
        written += static_cast<std::size_t>(count);
    }
    return file;
}

// The socket on which the outcome will come.
Fd give_order(ByteView document, const Drawing& drawing, const Cancellation& cancellation) {
    const Fd file = in_memory(document);
    int ends[2];
    if (file.get() < 0 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) {
        fail_for_now();
    }
    Fd mine(ends[0]);
    const Fd theirs(ends[1]);
    Message message;
    const auto seconds = std::chrono::duration_cast<std::chrono::seconds>(cancellation.left()).count();
    message.order = {drawing, document.size(), static_cast<rlim_t>(std::min<long>(seconds, 86400) + 1)};
    msghdr head = message.header();
    cmsghdr* const control = CMSG_FIRSTHDR(&head);
    control->cmsg_level = SOL_SOCKET;
    control->cmsg_type = SCM_RIGHTS;
    control->cmsg_len = CMSG_LEN(enclosures * sizeof(int));
    const int fds[enclosures] = {file.get(), theirs.get()};
    std::memcpy(CMSG_DATA(control), fds, sizeof fds);
    if (sendmsg(orders.get(), &head, MSG_NOSIGNAL) != sizeof message.order) {
        fail_for_now();
    }
    return mine;
}

void receive_all(int socket, void* data, std::size_t size, const Cancellation& cancellation) {
    auto* at = static_cast<char*>(data);
    while (size > 0) {
        check(cancellation);
        pollfd ready{socket, POLLIN, 0};
        if (poll(&ready, 1, patience_ms) == 0) {
            continue;
        }
        const ssize_t count = recv(socket, at, size, MSG_DONTWAIT);
        if (count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)) {
            throw VError();
        }
        at += std::max<ssize_t>(count, 0);
        size -= static_cast<std::size_t>(std::max<ssize_t>(count, 0));
    }
}

// A process that a document has taken over could send anything.
bool plausible(const Outcome& outcome) {
    return outcome.width > 0 && outcome.width < VIPS_MAX_COORD && outcome.height > 0 &&
           outcome.height < VIPS_MAX_COORD && outcome.bands > 0 && outcome.bands <= 4 &&
           outcome.page_height > 0 && outcome.page_height <= outcome.height && outcome.n_pages > 0 &&
           (outcome.interpretation == VIPS_INTERPRETATION_sRGB ||
            outcome.interpretation == VIPS_INTERPRETATION_B_W);
}

}  // namespace

Status start_drawing() noexcept {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) != 0) {
        return Error{500, "the process that draws documents does not start"};
    }
    orders = Fd(ends[0]);
    const Fd theirs(ends[1]);
    forker = fork();
    if (forker == 0) {
        serve(theirs.get());
    }
    if (forker > 0) {
        setpgid(forker, forker);  // on both sides: whoever is first
    }
    if (forker < 0) {
        orders.reset();
        return Error{500, "the process that draws documents does not start"};
    }
    return Nothing{};
}

void stop_drawing() noexcept {
    orders.reset();
    if (forker > 0) {
        // Somebody else's handler of SIGCHLD may have been faster: then there is nothing to wait for.
        while (waitpid(forker, nullptr, 0) < 0 && errno == EINTR) {
        }
        forker = -1;
    }
}

VImage draw(ByteView document, const Drawing& drawing, const Cancellation& cancellation) {
    const Fd reply = give_order(document, drawing, cancellation);
    Outcome outcome;
    receive_all(reply.get(), &outcome, sizeof outcome, cancellation);
    if (outcome.no_process) {
        fail_for_now();
    }
    if (!plausible(outcome)) {
        throw VError();
    }
    VImage image(vips_image_new_memory());
    VipsImage* const raw = image.get_image();
    vips_image_init_fields(raw, outcome.width, outcome.height, outcome.bands, VIPS_FORMAT_UCHAR,
                           VIPS_CODING_NONE, outcome.interpretation, 1.0, 1.0);
    if (drawing.pixels) {
        if (vips_image_write_prepare(raw) != 0) {
            throw VError();
        }
        receive_all(reply.get(), raw->data, VIPS_IMAGE_SIZEOF_IMAGE(raw), cancellation);
    }
    image.set(VIPS_META_PAGE_HEIGHT, outcome.page_height);
    image.set(VIPS_META_N_PAGES, outcome.n_pages);
    return image;
}

}  // namespace media
