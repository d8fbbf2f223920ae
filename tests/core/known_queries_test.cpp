#include "core/rendition/known_queries.h"

#include <gtest/gtest.h>

#include <string>

#include "core/rendition/parse.h"

namespace media {
namespace {

class KnownQueriesTest : public testing::Test {
  protected:
    std::shared_ptr<const Meaning> meaning_of(std::string_view query) {
        auto parsed = parse_query(query, {.settings = &settings});
        return parsed ? Meaning::of(std::move(*parsed), settings) : nullptr;
    }
    void learn_twice(const Question& question, const std::shared_ptr<const Meaning>& meaning) {
        known.learn(question, meaning);
        known.learn(question, meaning);
    }

    const RenderSettings settings;
    KnownQueries known;
    int here = 0, there = 0;
};

TEST_F(KnownQueriesTest, AMeaningHasItsCanonicalFormAndVary) {
    const auto meaning = meaning_of("h=300&w=0400&fm=auto");
    ASSERT_NE(meaning, nullptr);
    EXPECT_EQ(meaning->canonical, canonical(meaning->rendition, settings));
    EXPECT_EQ(meaning->vary, "Accept");
    EXPECT_EQ(meaning->rendition.width, 400);
    EXPECT_EQ(meaning_of("w=1")->vary, "");
}

TEST_F(KnownQueriesTest, WhatIsAskedTwiceIsKept) {
    const Question question{.location = &here, .query = "w=400", .accept = "image/webp"};
    EXPECT_EQ(known.find(question), nullptr);
    const auto meaning = meaning_of(question.query);
    known.learn(question, meaning);
    EXPECT_EQ(known.find(question), nullptr) << "once is not again and again";
    known.learn(question, meaning);
    EXPECT_EQ(known.find(question), meaning);
    EXPECT_EQ(known.find(question), meaning) << "and stays";
}

TEST_F(KnownQueriesTest, WhateverDecidesTheMeaningTellsQuestionsApart) {
    const HintFields hints{.dpr = "2", .width = "300"};
    const Question first{.location = &here, .query = "w=400", .accept = "image/webp", .hints = hints};
    learn_twice(first, meaning_of(first.query));
    ASSERT_NE(known.find(first), nullptr);

    Question other = first;
    other.location = &there;
    EXPECT_EQ(known.find(other), nullptr);
    other = first;
    other.query = "w=401";
    EXPECT_EQ(known.find(other), nullptr);
    other = first;
    other.accept = "image/avif";
    EXPECT_EQ(known.find(other), nullptr);
    other = first;
    other.hints.reset();
    EXPECT_EQ(known.find(other), nullptr);
    for (std::string_view HintFields::*field : {&HintFields::dpr, &HintFields::legacy_dpr, &HintFields::width,
                                                &HintFields::legacy_width, &HintFields::save_data}) {
        other = first;
        (*other.hints).*field = "7";
        EXPECT_EQ(known.find(other), nullptr);
    }
    // The same bytes, divided in another way.
    other = {.location = &here, .query = "w=400im", .accept = "age/webp", .hints = hints};
    EXPECT_EQ(known.find(other), nullptr);
    other = first;
    other.hints = HintFields{.legacy_dpr = "2", .width = "300"};
    EXPECT_EQ(known.find(other), nullptr);
}

TEST_F(KnownQueriesTest, WhatIsAskedOnceDrivesNothingOut) {
    const Question often{.location = &here, .query = "w=400"};
    learn_twice(often, meaning_of(often.query));
    const auto meaning = meaning_of("w=1");
    for (std::size_t i = 0; i < 4 * KnownQueries::places; ++i) {
        known.learn({.location = &here, .query = "w=400&s=" + std::to_string(i)}, meaning);
    }
    EXPECT_NE(known.find(often), nullptr);
}

TEST_F(KnownQueriesTest, MemoryIsBounded) {
    const std::string text(KnownQueries::longest / 2, 'x');
    const std::string longer = text + 'x';
    const auto meaning = meaning_of("w=1");
    learn_twice({.location = &here, .query = text, .accept = text}, meaning);
    EXPECT_NE(known.find({.location = &here, .query = text, .accept = text}), nullptr);
    learn_twice({.location = &here, .query = text, .accept = longer}, meaning);
    EXPECT_EQ(known.find({.location = &here, .query = text, .accept = longer}), nullptr);

    // Whoever brings more than there are places for takes those of others.
    std::size_t kept = 0;
    const std::size_t many = 8 * KnownQueries::places;
    for (std::size_t i = 0; i < many; ++i) {
        learn_twice({.location = &here, .query = "w=" + std::to_string(i)}, meaning);
    }
    for (std::size_t i = 0; i < many; ++i) {
        kept += known.find({.location = &here, .query = "w=" + std::to_string(i)}) != nullptr ? 1 : 0;
    }
    EXPECT_LE(kept, KnownQueries::places);
    EXPECT_GE(kept, KnownQueries::places * 9 / 10);
}

}  // namespace
}  // namespace media
