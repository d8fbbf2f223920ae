// What goes through Redis: the protocol, the cluster's slots, envelopes.

#include <gtest/gtest.h>

#include <cstring>
#include <random>
#include <string>

#include "core/share/cluster.h"
#include "core/share/envelope.h"
#include "core/share/resp.h"

namespace media {
namespace {

ByteView view_of(std::string_view text) {
    return {reinterpret_cast<const std::uint8_t*>(text.data()), text.size()};
}

RespReply parse(std::string_view bytes) {
    RespParser parser;
    RespReply reply;
    EXPECT_TRUE(parser.feed(bytes.data(), bytes.size()));
    EXPECT_EQ(parser.next(reply), RespParser::Outcome::reply) << bytes;
    return reply;
}

TEST(Resp, WritesCommands) {
    std::string out;
    append_command(out, {"SET", "key", std::string_view{"a\0\r\n", 4}});
    append_command(out, {"PING"});
    EXPECT_EQ(out, std::string("*3\r\n$3\r\nSET\r\n$3\r\nkey\r\n$4\r\na\0\r\n\r\n*1\r\n$4\r\nPING\r\n", 46));
}

TEST(Resp, FindsTheFirstCommand) {
    std::string one, both;
    append_command(one, {"SET", "key", "a\r\n*1\r\n$4\r\nPING\r\n", ""});
    both = one;
    append_command(both, {"PING"});
    EXPECT_EQ(first_command(both), one);
    EXPECT_EQ(first_command(std::string_view{both}.substr(one.size())), "*1\r\n$4\r\nPING\r\n");
    EXPECT_EQ(first_command(""), "");
}

TEST(Resp, ReadsReplies) {
    EXPECT_TRUE(parse("+OK\r\n").value().ok());
    EXPECT_FALSE(parse("+QUEUED\r\n").value().ok());
    EXPECT_TRUE(parse("$-1\r\n").value().nil());
    EXPECT_TRUE(parse("*-1\r\n").value().nil());
    const RespReply error = parse("-MOVED 7 a:1\r\n");
    EXPECT_TRUE(error.value().error());
    EXPECT_EQ(error.value().text(), "MOVED 7 a:1");
    const RespReply text = parse("$2\r\nOK\r\n");
    EXPECT_FALSE(text.value().ok()) << "a stored OK is no status";
    EXPECT_TRUE(text.value().string());
    const RespReply array = parse("*2\r\n:-5\r\n*1\r\n$1\r\nx\r\n");
    EXPECT_EQ(array.value().size(), 2U);
    EXPECT_EQ(array.value()[0].integer(), -5);
    EXPECT_EQ(array.value()[1][0].text(), "x");
    EXPECT_TRUE(array.value()[9][9].nil());
    EXPECT_EQ(array.value()[9].integer(), std::nullopt);
}

TEST(Resp, TakesBytesAsTheyCome) {
    const std::string bytes = "$5\r\nhello\r\n:1\r\n";
    for (std::size_t cut = 0; cut <= bytes.size(); ++cut) {
        RespParser parser;
        std::string seen;
        for (const std::string_view part :
             {std::string_view{bytes}.substr(0, cut), std::string_view{bytes}.substr(cut)}) {
            ASSERT_TRUE(parser.feed(part.data(), part.size()));
            RespReply reply;
            while (parser.next(reply) == RespParser::Outcome::reply) {
                seen +=
                    reply.value().string() ? reply.value().text() : std::to_string(*reply.value().integer());
            }
        }
        EXPECT_EQ(seen, "hello1") << cut;
    }
}

TEST(Resp, KnowsNonsense) {
    for (const std::string_view bytes :
         {"HTTP/1.1 400 Bad Request\r\n", "$-7\r\n", "*-9\r\n", "$x\r\n", "\r\n"}) {
        RespParser parser;
        RespReply reply;
        ASSERT_TRUE(parser.feed(bytes.data(), bytes.size()));
        EXPECT_EQ(parser.next(reply), RespParser::Outcome::broken) << bytes;
    }
}

TEST(Cluster, SlotsOfKeys) {
    // The check value of the specification, and what CLUSTER KEYSLOT of Redis 7.0 says.
    EXPECT_EQ(slot_of("123456789"), 0x31c3 % slot_count);
    EXPECT_EQ(slot_of(""), 0);
    EXPECT_EQ(slot_of("foo"), 12182);
    EXPECT_EQ(slot_of("{user1000}.following"), slot_of("user1000"));
    EXPECT_EQ(slot_of("foo{bar}{zap}"), slot_of("bar"));
    EXPECT_EQ(slot_of("foo{{bar}}zap"), slot_of("{bar"));
    EXPECT_NE(slot_of("foo{}{bar}"), slot_of("bar"));
    EXPECT_EQ(slot_of("foo{}{bar}"), 8363);
}

TEST(Cluster, Redirects) {
    const auto moved = read_redirect("MOVED 3999 127.0.0.1:6381");
    ASSERT_TRUE(moved);
    EXPECT_FALSE(moved->ask);
    EXPECT_EQ(moved->slot, 3999);
    EXPECT_EQ(moved->to, (NodeAddress{"127.0.0.1", 6381}));
    const auto ask = read_redirect("ASK 1 fe80::1:6381");
    ASSERT_TRUE(ask);
    EXPECT_TRUE(ask->ask);
    EXPECT_EQ(ask->to, (NodeAddress{"fe80::1", 6381}));
    EXPECT_EQ(read_redirect("MOVED 1 :6381")->to.host, "") << "the host that said so";
    for (const char* text :
         {"", "MOVED", "MOVED ", "MOVED 1", "MOVED x a:1", "MOVED 16384 a:1", "MOVED 1 a",
          "MOVED 1 a:", "MOVED 1 a:0", "MOVED 1 a:65536", "MOVED -1 a:1", "ERR MOVED 1 a:1"}) {
        EXPECT_FALSE(read_redirect(text)) << text;
    }
}

TEST(Cluster, Slots) {
    const RespReply reply = parse(
        "*2\r\n*4\r\n:0\r\n:99\r\n*3\r\n$9\r\n127.0.0.1\r\n:7000\r\n$1\r\na\r\n*3\r\n$9\r\n127.0.0.1\r\n:"
        "7003\r\n$1\r\nb\r\n"
        "*3\r\n:100\r\n:16383\r\n*3\r\n$0\r\n\r\n:7001\r\n$1\r\nc\r\n");
    const auto ranges = read_slots(reply.value());
    ASSERT_TRUE(ranges);
    ASSERT_EQ(ranges->size(), 2U);
    EXPECT_EQ((*ranges)[0].last, 99);
    EXPECT_EQ((*ranges)[0].master, (NodeAddress{"127.0.0.1", 7000}));
    EXPECT_EQ((*ranges)[1].first, 100);
    EXPECT_EQ((*ranges)[1].master.host, "");
    EXPECT_FALSE(read_slots(parse("-ERR This instance has cluster support disabled\r\n").value()));
    EXPECT_FALSE(read_slots(parse("*1\r\n*3\r\n:5\r\n:4\r\n*2\r\n$1\r\na\r\n:1\r\n").value()));
    EXPECT_FALSE(read_slots(parse("*1\r\n*3\r\n:0\r\n:16384\r\n*2\r\n$1\r\na\r\n:1\r\n").value()));
    EXPECT_FALSE(read_slots(parse("*1\r\n*2\r\n:0\r\n:1\r\n").value()));
}

Sealed example() {
    return {.facts = {"\0facts", 6},
            .etag = "\"tag\"",
            .valid = 1900000000,
            .last_modified = -1,
            .body = view_of("picture")};
}

TEST(Envelope, HoldsWhatWasPutIn) {
    const std::string sealed = seal(example(), "key");
    const auto content = unseal(view_of(sealed), "key");
    ASSERT_TRUE(content);
    EXPECT_EQ(content->facts, example().facts);
    EXPECT_EQ(content->etag, example().etag);
    EXPECT_EQ(content->valid, example().valid);
    EXPECT_EQ(content->last_modified, -1);
    EXPECT_EQ(std::memcmp(content->body.data(), "picture", 7), 0);
    EXPECT_EQ(content->body.size(), 7U);

    const Sealed nothing{};
    ASSERT_TRUE(unseal(view_of(seal(nothing, "")), ""));
    EXPECT_FALSE(unseal(view_of(sealed), "another key"));
}

TEST(Envelope, OneWrongBitIsEnough) {
    const std::string sealed = seal(example(), "key");
    for (std::size_t i = 0; i < sealed.size() * 8; ++i) {
        std::string wrong = sealed;
        wrong[i / 8] = static_cast<char>(wrong[i / 8] ^ (1 << (i % 8)));
        EXPECT_FALSE(unseal(view_of(wrong), "key")) << i;
    }
    for (std::size_t size = 0; size < sealed.size(); ++size) {
        EXPECT_FALSE(unseal(view_of(std::string_view{sealed}.substr(0, size)), "key")) << size;
    }
    EXPECT_FALSE(unseal(view_of(sealed + 'x'), "key"));
}

TEST(Envelope, FuzzedLengthsStayInside) {
    std::mt19937 random{7};
    const std::string sealed = seal(example(), "key");
    for (int i = 0; i < 20000; ++i) {
        std::string wrong = sealed;
        for (int n = 0; n < 4; ++n) {
            wrong[40 + random() % 16] = static_cast<char>(random());
        }
        if (wrong != sealed) {
            EXPECT_FALSE(unseal(view_of(wrong), "key"));
        }
    }
}

}  // namespace
}  // namespace media
