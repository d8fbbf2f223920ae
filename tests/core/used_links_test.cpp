// Links for one upload, and that it is one.
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <optional>
#include <thread>
#include <vector>

#include "core/store/used_links.h"
#include "tests/core/store_fixture.h"

namespace media {
namespace {

const std::string id(32, 'a');
const std::string other(32, 'b');
constexpr std::int64_t now = 1'800'000'000;

class UsedLinksTest : public StoreTest {
  protected:
    UsedLinks links() const { return UsedLinks(folder.string()); }
    int status(const std::string& name) const {
        const auto link = links().reserve(name, now + 60);
        return link ? 200 : link.error().status;
    }
    std::size_t files() const {
        const auto place = folder / ".presigned";
        if (!std::filesystem::exists(place)) {
            return 0;
        }
        return static_cast<std::size_t>(std::distance(std::filesystem::directory_iterator(place), {}));
    }
};

TEST_F(UsedLinksTest, OneAtATime) {
    EXPECT_TRUE(links().check(id));
    {
        const auto first = links().reserve(id, now);
        ASSERT_TRUE(first);
        EXPECT_EQ(links().reserve(id, now).error().detail, "the link is being used");
        EXPECT_TRUE(links().check(id));
        EXPECT_EQ(status(other), 200);
    }
    EXPECT_EQ(status(id), 200);
    EXPECT_EQ(files(), 0U);
}

TEST_F(UsedLinksTest, OnceUsedUpForGood) {
    {
        auto link = links().reserve(id, now);
        ASSERT_TRUE(link);
        ASSERT_TRUE(link->use_up());
        EXPECT_EQ(status(id), 409);
    }
    EXPECT_EQ(links().reserve(id, now).error().detail, "the link was used before");
    EXPECT_EQ(links().check(id).error().status, 409);
    EXPECT_TRUE(links().check(other));
}

TEST_F(UsedLinksTest, WhoDiesGivesItBack) {
    const pid_t child = fork();
    ASSERT_GE(child, 0);
    if (child == 0) {
        const auto link = links().reserve(id, now);
        _exit(link ? 0 : 1);  // without the destructor
    }
    int how = 0;
    ASSERT_EQ(waitpid(child, &how, 0), child);
    ASSERT_EQ(how, 0);
    EXPECT_EQ(files(), 1U);
    EXPECT_EQ(status(id), 200);
}

TEST_F(UsedLinksTest, OfManyAtOnceOneGetsIt) {
    for (int round = 0; round < 40; ++round) {
        const std::string name = std::string(30, 'c') + (round < 10 ? "0" : "") + std::to_string(round);
        std::atomic<int> winners{0};
        std::atomic<int> others{0};
        std::vector<std::thread> threads;
        for (int i = 0; i < 8; ++i) {
            threads.emplace_back([&] {
                auto link = links().reserve(name, now);
                if (!link) {
                    EXPECT_EQ(link.error().status, 409);
                    ++others;
                    return;
                }
                if (link->use_up()) {
                    ++winners;
                }
            });
        }
        for (std::thread& thread : threads) {
            thread.join();
        }
        EXPECT_EQ(winners, 1);
        EXPECT_EQ(others, 7);
    }
}

TEST_F(UsedLinksTest, OfManyWhoGiveItBackEachGetsItInTheEnd) {
    std::atomic<int> holders{0};
    std::vector<std::thread> threads;
    for (int i = 0; i < 6; ++i) {
        threads.emplace_back([&] {
            for (int got = 0; got < 50;) {
                const auto link = links().reserve(id, now);
                if (link) {
                    EXPECT_EQ(++holders, 1);
                    --holders;
                    ++got;
                }
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    EXPECT_EQ(files(), 0U);
}

TEST_F(UsedLinksTest, IsSwept) {
    EXPECT_TRUE(links().sweep(now));
    for (const auto& [name, expires] : {std::pair{id, now}, {other, now + 7200}}) {
        auto link = links().reserve(name, expires);
        ASSERT_TRUE(link && link->use_up());
    }
    const auto held = links().reserve(std::string(32, 'd'), now);
    std::ofstream(folder / ".presigned" / std::string(32, 'e'));
    std::ofstream(folder / ".presigned" / "something else");
    EXPECT_EQ(files(), 5U);
    ASSERT_TRUE(links().sweep(now + 3599));
    EXPECT_EQ(files(), 4U);  // what a dead process left is gone
    ASSERT_TRUE(links().sweep(now + 3601));
    EXPECT_EQ(files(), 3U);
    EXPECT_EQ(status(id), 200);
    EXPECT_EQ(status(other), 409);
}

TEST_F(UsedLinksTest, AnEmptyFileThatIsYoungStays) {
    { ASSERT_TRUE(links().reserve(id, now)); }
    std::ofstream(folder / ".presigned" / id);
    ASSERT_TRUE(links().sweep(std::time(nullptr)));
    EXPECT_EQ(files(), 1U);
}

TEST_F(UsedLinksTest, WithoutAStoreItIsAnError) {
    std::filesystem::remove_all(folder);
    EXPECT_EQ(status(id), 500);
    EXPECT_TRUE(links().check(id));
}

}  // namespace
}  // namespace media
