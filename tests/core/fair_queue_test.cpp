#include "core/base/fair_queue.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <vector>

namespace media {
namespace {

using Queue = FairQueue<std::string>;

const FairTerms terms{.yielding = 10, .longest = 5, .cheap = 0.05};

std::string all(Queue& queue) {
    std::string order;
    while (auto turn = queue.next()) {
        order += turn->item;
    }
    return order;
}

TEST(FairQueue, EqualsKeepTheirOrder) {
    Queue queue(terms);
    for (const char* name : {"a", "b", "c", "d"}) {
        queue.put(name, 1, 0.3);
    }
    EXPECT_EQ(all(queue), "abcd");
}

TEST(FairQueue, CheapOvertakesDearThatCameShortlyBefore) {
    Queue queue(terms);
    queue.put("D", 0, 0.3);
    queue.put("E", 0.1, 0.2);
    queue.put("c", 1, 0.01);
    queue.put("d", 1, 0.04);
    EXPECT_EQ(all(queue), "cdED");
}

TEST(FairQueue, DearRisesWithItsAge) {
    Queue queue(terms);
    queue.put("D", 0, 0.3);      // gives way for 3 seconds
    queue.put("c", 2.8, 0.01);   // due at 2.9
    queue.put("d", 2.95, 0.01);  // due at 3.05
    EXPECT_EQ(all(queue), "cDd");
}

TEST(FairQueue, NothingGivesWayForLongerThanAgreed) {
    Queue queue(terms);
    queue.put("X", 0, 1000);
    queue.put("Y", 1, 2000);
    queue.put("c", 4, 0);
    queue.put("d", 5.5, 0);
    queue.put("e", 6.5, 0);
    EXPECT_EQ(all(queue), "cXdYe");
}

// Cheap work that alone is more than one thread can do, without end, and dear work among it.
TEST(FairQueue, DearWorkIsNotStarved) {
    Queue queue(terms);
    const double cheap = 0.02;
    double now = 0;
    double arrived = 0;
    queue.put("D", 0, 10.0);
    double begun = -1;
    for (int i = 0; i < 10'000 && begun < 0; ++i) {
        for (; arrived <= now; arrived += cheap / 2) {  // twice as much as can be done
            queue.put("c", arrived, cheap);
        }
        const auto turn = queue.next();
        ASSERT_TRUE(turn);
        if (turn->item == "D") {
            begun = now;
        }
        now += cheap;
    }
    ASSERT_GE(begun, 0) << "never begun";
    // What came in those 5 seconds takes 10.
    EXPECT_LE(begun, 2 * terms.longest + 1);
}

TEST(FairQueue, WithoutACostAsItCame) {
    Queue queue(terms);
    queue.put("D", 0, 0.3);
    queue.put("u", 1, std::nullopt);
    queue.put("c", 0.9, 0.02);
    EXPECT_TRUE(queue.has_cheap());
    EXPECT_EQ(queue.next_cheap()->item, "c");
    EXPECT_FALSE(queue.has_cheap());
    EXPECT_FALSE(queue.next_cheap());
    EXPECT_EQ(all(queue), "uD");
}

TEST(FairQueue, UrgentIsNext) {
    Queue queue(terms);
    queue.put("c", 0, 0);
    queue.put_first("1");
    queue.put_first("2");
    queue.put_unseen("u", 0);
    EXPECT_EQ(queue.size(), 4U);
    EXPECT_EQ(queue.next_cheap()->item, "1");
    EXPECT_EQ(queue.next()->item, "2");
}

TEST(FairQueue, UnseenIsSeenOnlyWhereSomethingElseWaits) {
    Queue queue(terms);
    queue.put_unseen("a", 0);
    auto turn = queue.next();
    EXPECT_EQ(turn->item, "a");
    EXPECT_FALSE(turn->unseen);

    queue.put_unseen("a", 0.5);
    queue.put_unseen("b", 0.6);
    turn = queue.next();
    EXPECT_EQ(turn->item, "a");
    EXPECT_TRUE(turn->unseen);
    EXPECT_EQ(turn->arrived, 0.5);
    queue.put(turn->item, turn->arrived, 1.0);
    turn = queue.next();
    EXPECT_EQ(turn->item, "b");
    EXPECT_TRUE(turn->unseen);
    queue.put(turn->item, turn->arrived, 0.01);
    EXPECT_EQ(all(queue), "ba");
}

TEST(FairQueue, WhoTakesOnlyCheapSeesWhatIsUnseen) {
    Queue queue(terms);
    queue.put_unseen("a", 0.5);
    EXPECT_TRUE(queue.has_cheap());
    const auto turn = queue.next_cheap();
    EXPECT_TRUE(turn->unseen);
    queue.put(turn->item, turn->arrived, 1.0);
    EXPECT_FALSE(queue.next_cheap());
    EXPECT_EQ(queue.size(), 1U);
}

TEST(FairQueue, AnythingCanBeTakenOut) {
    FairQueue<std::unique_ptr<std::string>> queue(terms);
    queue.put_first(std::make_unique<std::string>("u"));
    queue.put_unseen(std::make_unique<std::string>("n"), 0);
    queue.put(std::make_unique<std::string>("c"), 0, 0);
    queue.put(std::make_unique<std::string>("d"), 0, 9);
    for (const std::string name : {"u", "n", "c", "d"}) {
        const auto is = [&name](const auto& item) { return *item == name; };
        EXPECT_TRUE(queue.contains(is));
        const auto taken = queue.take_if(is);
        ASSERT_TRUE(taken) << name;
        EXPECT_EQ(**taken, name);
        EXPECT_FALSE(queue.contains(is));
        EXPECT_FALSE(queue.take_if(is));
    }
    EXPECT_TRUE(queue.empty());
}

}  // namespace
}  // namespace media
