#include "core/share/delivery_queue.h"

#include <gtest/gtest.h>

#include <random>
#include <vector>

namespace media {
namespace {

using Time = DeliveryQueue::Time;

std::string name(const std::optional<DeliveryQueue::Item>& item) {
    return item ? item->key + item->id : "-";
}

TEST(DeliveryQueueTest, OneOfAKeyAtATime) {
    DeliveryQueue queue{{.width = 4}};
    queue.add("1", "a");
    queue.add("2", "a");
    queue.add("3", "b");
    const auto first = queue.next(0);
    const auto second = queue.next(0);
    EXPECT_EQ(name(first), "a1");
    EXPECT_EQ(name(second), "b3");
    EXPECT_EQ(name(queue.next(0)), "-") << "a is busy";
    EXPECT_FALSE(queue.due());
    queue.delivered(*first);
    EXPECT_EQ(name(queue.next(0)), "a2");
    EXPECT_EQ(queue.size(), 2U);
}

TEST(DeliveryQueueTest, NoMoreThanItsWidth) {
    DeliveryQueue queue{{.width = 2}};
    for (const char* key : {"a", "b", "c"}) {
        queue.add("1", key);
    }
    const auto first = queue.next(0);
    EXPECT_EQ(name(queue.next(0)), "b1");
    EXPECT_EQ(name(queue.next(0)), "-");
    queue.delivered(*first);
    EXPECT_EQ(name(queue.next(0)), "c1");
}

TEST(DeliveryQueueTest, WhatIsRefusedHoldsUpItsKeyAlone) {
    DeliveryQueue queue{{.width = 1}};
    queue.add("1", "a");
    queue.add("2", "a");
    queue.add("3", "b");
    const auto poison = queue.next(0);
    queue.failed(*poison, 0, true);
    const auto other = queue.next(0);
    EXPECT_EQ(name(other), "b3");
    queue.delivered(*other);
    EXPECT_EQ(name(queue.next(999)), "-") << "a2 does not overtake a1";
    EXPECT_EQ(queue.due(), 1000U);
    EXPECT_EQ(name(queue.next(1000)), "a1");
}

TEST(DeliveryQueueTest, PausesDoubleUpToTheLongest) {
    DeliveryQueue queue{{.width = 1, .first_pause = 1000, .longest_pause = 300'000}};
    queue.add("1", "a");
    Time now = 0;
    std::vector<Time> pauses;
    for (int i = 0; i < 11; ++i) {
        const auto item = queue.next(now);
        ASSERT_TRUE(item) << i;
        queue.failed(*item, now, false);
        pauses.push_back(*queue.due() - now);
        EXPECT_FALSE(queue.next(*queue.due() - 1));
        now = *queue.due();
    }
    EXPECT_EQ(pauses, (std::vector<Time>{1000, 2000, 4000, 8000, 16'000, 32'000, 64'000, 128'000, 256'000,
                                         300'000, 300'000}));
}

TEST(DeliveryQueueTest, OneFindsOutWhetherTheReceiverIsBack) {
    DeliveryQueue queue{{.width = 3}};
    for (const char* key : {"a", "b", "c", "d"}) {
        queue.add("1", key);
    }
    std::vector<DeliveryQueue::Item> together;
    while (const auto item = queue.next(0)) {
        together.push_back(*item);
    }
    ASSERT_EQ(together.size(), 3U);
    for (const auto& item : together) {
        queue.failed(item, 100, false);
    }
    EXPECT_TRUE(queue.failing());
    EXPECT_EQ(queue.due(), 1100U) << "three that failed together are one failure";
    const auto scout = queue.next(1100);
    EXPECT_EQ(name(scout), "d1") << "what has not failed yet goes first";
    EXPECT_EQ(name(queue.next(1100)), "-") << "one alone";
    queue.failed(*scout, 1200, false);
    EXPECT_EQ(queue.due(), 3200U);
    const auto second = queue.next(3200);
    ASSERT_TRUE(second);
    queue.delivered(*second);
    EXPECT_FALSE(queue.failing());
    EXPECT_TRUE(queue.next(3200));
    EXPECT_TRUE(queue.next(3200));
    EXPECT_EQ(queue.size(), 3U);
}

TEST(DeliveryQueueTest, NewKeysFindOutSoonWhoIsBack) {
    DeliveryQueue queue{{.width = 4}};
    queue.add("1", "a");
    Time now = 0;
    for (int i = 0; i < 12; ++i) {
        const auto item = queue.next(now);
        ASSERT_TRUE(item);
        queue.failed(*item, now, false);
        now = *queue.due();
    }
    const auto last = queue.next(now);
    queue.failed(*last, now, false);
    EXPECT_EQ(*queue.due() - now, 300'000U);
    queue.add("2", "b");
    EXPECT_EQ(*queue.due() - now, 10'000U);
}

TEST(DeliveryQueueTest, AnOlderEventThatTurnsUpLateGoesFirst) {
    DeliveryQueue queue{{}};
    queue.add("2", "a");
    queue.add("1", "a");
    queue.add("1", "a");
    EXPECT_EQ(queue.size(), 2U);
    EXPECT_EQ(name(queue.next(0)), "a1");
}

// Whatever fails in whatever order: all arrive, those of one key in order, and no more than one of a key is
// under way.
TEST(DeliveryQueueTest, AllArriveInOrderFuzz) {
    for (unsigned seed = 0; seed < 200; ++seed) {
        std::mt19937 random{seed};
        DeliveryQueue queue{{.width = 1 + random() % 5}};
        std::map<std::string, std::vector<std::string>> sent;
        std::map<std::string, std::vector<std::string>> got;
        std::vector<DeliveryQueue::Item> flying;
        Time now = 0;
        int added = 0;
        while (added < 60 || queue.size() > 0) {
            if (added < 60 && random() % 3 == 0) {
                const std::string key(1, static_cast<char>('a' + random() % 6));
                const std::string id = std::to_string(1000 + added++);
                queue.add(id, key);
                sent[key].push_back(id);
            }
            while (const auto item = queue.next(now)) {
                for (const auto& other : flying) {
                    ASSERT_NE(other.key, item->key) << "seed " << seed;
                }
                flying.push_back(*item);
            }
            ASSERT_EQ(flying.size(), queue.under_way());
            if (!flying.empty()) {
                const std::size_t at = random() % flying.size();
                const auto item = flying[at];
                flying.erase(flying.begin() + static_cast<std::ptrdiff_t>(at));
                switch (random() % 4) {
                    case 0:
                        queue.failed(item, now, true);
                        break;
                    case 1:
                        queue.failed(item, now, false);
                        break;
                    default:
                        queue.delivered(item);
                        got[item.key].push_back(item.id);
                }
            } else if (const auto due = queue.due()) {
                now = std::max(now, *due);
            } else {
                ASSERT_EQ(queue.size(), 0U) << "seed " << seed << ": it is stuck";
            }
        }
        EXPECT_EQ(got, sent) << "seed " << seed;
    }
}

}  // namespace
}  // namespace media
