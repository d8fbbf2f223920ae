#include "core/ngx_media_store_redis.h"

#include <hiredis/hiredis.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <initializer_list>
#include <string_view>
#include <utility>

#include "core/rendition/guard.h"

namespace media {
namespace {

constexpr std::size_t most_waiting = 256;
constexpr int most_redirects = 16;
constexpr timeval connect_time{5, 0};
constexpr timeval answer_time{30, 0};

struct Trouble {
    std::string text;
};

struct FreeReply {
    void operator()(redisReply* reply) const noexcept { freeReplyObject(reply); }
};
using Reply = std::unique_ptr<redisReply, FreeReply>;

void append(redisContext* context, std::initializer_list<std::string_view> words) {
    std::array<const char*, 4> texts{};
    std::array<std::size_t, 4> sizes{};
    int count = 0;
    for (const std::string_view word : words) {
        texts.at(static_cast<std::size_t>(count)) = word.data();
        sizes.at(static_cast<std::size_t>(count++)) = word.size();
    }
    if (redisAppendCommandArgv(context, count, texts.data(), sizes.data()) != REDIS_OK) {
        throw Trouble{context->errstr};
    }
}

Reply answer(redisContext* context) {
    void* reply = nullptr;
    if (redisGetReply(context, &reply) != REDIS_OK || reply == nullptr) {
        throw Trouble{context->err != 0 ? context->errstr : "no answer"};
    }
    return Reply(static_cast<redisReply*>(reply));
}

std::string_view error_of(const Reply& reply) {
    return reply->type == REDIS_REPLY_ERROR ? std::string_view(reply->str, reply->len) : std::string_view();
}

void ask(redisContext* context, std::initializer_list<std::string_view> words) {
    append(context, words);
    if (const Reply reply = answer(context); !error_of(reply).empty()) {
        throw Trouble{std::string(error_of(reply))};
    }
}

template <class Work>
Status attempt(Work&& work) {
    try {
        work();
        return Nothing{};
    } catch (Trouble& trouble) {
        return Error{503, std::move(trouble.text)};
    }
}

}  // namespace

Result<NodeAddress> read_redis_address(std::string_view text) {
    if (text.starts_with("unix:/")) {
        return NodeAddress{std::string(text.substr(5)), 0};
    }
    const std::size_t colon = text.rfind(':');
    std::string_view host = text.substr(0, std::min(colon, text.size()));
    if (host.size() > 2 && host.front() == '[' && host.back() == ']') {
        host = host.substr(1, host.size() - 2);
    }
    NodeAddress address{std::string(host), 0};
    const char* const end = text.data() + text.size();
    if (colon != std::string_view::npos && !host.empty()) {
        const auto [rest, problem] = std::from_chars(text.data() + colon + 1, end, address.port);
        if (problem == std::errc{} && rest == end && address.port != 0) {
            return address;
        }
    }
    return Error{400, "an address is host:port, [v6]:port or unix:/path"};
}

void RedisWriter::Free::operator()(redisContext* context) const noexcept {
    redisFree(context);
}

void RedisWriter::connect(Node& node, const NodeAddress& address) {
    node.connection.reset(address.port == 0
                              ? redisConnectUnixWithTimeout(address.host.c_str(), connect_time)
                              : redisConnectWithTimeout(address.host.c_str(), address.port, connect_time));
    redisContext* const context = node.connection.get();
    if (context == nullptr || context->err != 0) {
        throw Trouble{context == nullptr ? "out of memory" : context->errstr};
    }
    redisSetTimeout(context, answer_time);
    if (!login_.user.empty()) {
        ask(context, {"AUTH", login_.user, login_.password});
    } else if (!login_.password.empty()) {
        ask(context, {"AUTH", login_.password});
    }
    if (login_.db != 0) {
        ask(context, {"SELECT", std::to_string(login_.db)});
    }
}

RedisWriter::Node& RedisWriter::node(const NodeAddress& address) {
    Node& found = nodes_[{address.host, address.port}];
    if (!found.connection) {
        connect(found, address);
    }
    return found;
}

void RedisWriter::send(const NodeAddress& address, Entry entry, bool asking) {
    Node& to = node(address);
    if (asking) {
        settle(address);
        ask(to.connection.get(), {"ASKING"});
    }
    append(to.connection.get(), {"SET", entry.key, entry.value});
    to.waiting.push_back(std::move(entry));
    if (asking || to.waiting.size() >= most_waiting) {
        settle(address);
    }
}

// Has the answers of what was sent to a node.
void RedisWriter::settle(const NodeAddress& address) {
    Node& from = node(address);
    std::vector<std::pair<Entry, Redirect>> elsewhere;
    for (Entry& entry : std::exchange(from.waiting, {})) {
        const Reply reply = answer(from.connection.get());
        if (const std::string_view error = error_of(reply); !error.empty()) {
            auto to = read_redirect(error);
            if (!to) {
                throw Trouble{std::string(error)};
            }
            elsewhere.emplace_back(std::move(entry), *std::move(to));
        }
    }
    for (auto& [entry, to] : elsewhere) {
        redirect(std::move(entry), address, to);
    }
}

void RedisWriter::redirect(Entry entry, const NodeAddress& from, const Redirect& to) {
    if (++entry.redirects > most_redirects) {
        throw Trouble{"the cluster sends a key from node to node"};
    }
    const NodeAddress address{to.to.host.empty() ? from.host : to.to.host, to.to.port};
    if (!to.ask) {
        slots_[to.slot] = address;
    }
    send(address, std::move(entry), to.ask);
}

Status RedisWriter::set(std::string key, std::string value) {
    return attempt([&] {
        const auto known = slots_.find(slot_of(key));
        const NodeAddress address = known == slots_.end() ? login_.address : known->second;
        send(address, {std::move(key), std::move(value)}, false);
    });
}

Status RedisWriter::finish() {
    return attempt([&] {
        // What is sent elsewhere may wait with a node that was settled before.
        for (bool again = true; std::exchange(again, false);) {
            for (auto& [name, each] : nodes_) {
                if (!each.waiting.empty()) {
                    settle({name.first, name.second});
                    again = true;
                }
            }
        }
    });
}

}  // namespace media
