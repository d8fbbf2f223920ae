#include "core/rendition/geometry.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <ostream>

namespace media {

std::ostream& operator<<(std::ostream& out, const Size& size) {
    return out << size.width << 'x' << size.height;
}
std::ostream& operator<<(std::ostream& out, const Box& box) {
    return out << box.width << 'x' << box.height << '+' << box.x << '+' << box.y;
}

namespace {

Rendition boxed(std::optional<int> width, std::optional<int> height, Fit fit = Fit::inside,
                bool enlarge = false) {
    Rendition rendition;
    rendition.width = width;
    rendition.height = height;
    rendition.fit = fit;
    rendition.enlarge = enlarge;
    return rendition;
}

RenderSettings unlimited() {
    RenderSettings settings;
    settings.max_width = settings.max_height = 1'000'000;
    return settings;
}

struct Case {
    Size source;
    std::optional<int> width, height;
    Fit fit;
    bool enlarge;
    Size resized, canvas;
};

constexpr std::optional<int> none;

TEST(Plan, SizesAreThoseOfTheContract) {
    const Case cases[] = {
        // nothing asked
        {{600, 400}, none, none, Fit::inside, false, {600, 400}, {600, 400}},
        {{600, 400}, none, none, Fit::cover, true, {600, 400}, {600, 400}},
        // one side; 400 x 401/600 = 267.33, 400 x 399/600 = 266, 3 x 1/2 = 1.5 -> 2
        {{600, 400}, 300, none, Fit::inside, false, {300, 200}, {300, 200}},
        {{600, 400}, 401, none, Fit::inside, false, {401, 267}, {401, 267}},
        {{600, 400}, none, 100, Fit::inside, false, {150, 100}, {150, 100}},
        {{2, 3}, 1, none, Fit::inside, false, {1, 2}, {1, 2}},
        {{600, 400}, 601, none, Fit::inside, false, {600, 400}, {600, 400}},
        {{600, 400}, none, 401, Fit::inside, false, {600, 400}, {600, 400}},
        {{600, 400}, 1200, none, Fit::inside, true, {1200, 800}, {1200, 800}},
        {{600, 400}, none, 401, Fit::inside, true, {602, 401}, {602, 401}},  // 601.5
        // one side and a fit: as inside
        {{600, 400}, 300, none, Fit::cover, false, {300, 200}, {300, 200}},
        {{600, 400}, none, 100, Fit::contain, false, {150, 100}, {150, 100}},
        {{600, 400}, none, 100, Fit::fill, false, {150, 100}, {150, 100}},
        {{600, 400}, 300, none, Fit::outside, false, {300, 200}, {300, 200}},
        // inside
        {{600, 400}, 300, 300, Fit::inside, false, {300, 200}, {300, 200}},
        {{600, 400}, 300, 100, Fit::inside, false, {150, 100}, {150, 100}},
        {{600, 400}, 300, 200, Fit::inside, false, {300, 200}, {300, 200}},
        {{600, 400}, 900, 300, Fit::inside, false, {450, 300}, {450, 300}},
        {{600, 400}, 900, 900, Fit::inside, false, {600, 400}, {600, 400}},
        {{600, 400}, 600, 400, Fit::inside, false, {600, 400}, {600, 400}},
        {{600, 400}, 900, 900, Fit::inside, true, {900, 600}, {900, 600}},
        // outside: one side may be over the original's although the other is not
        {{600, 400}, 300, 300, Fit::outside, false, {450, 300}, {450, 300}},
        {{600, 400}, 300, 100, Fit::outside, false, {300, 200}, {300, 200}},
        {{600, 400}, 300, 500, Fit::outside, false, {600, 400}, {600, 400}},
        {{600, 400}, 300, 500, Fit::outside, true, {750, 500}, {750, 500}},
        {{600, 400}, 700, 100, Fit::outside, false, {600, 400}, {600, 400}},
        // cover
        {{600, 400}, 100, 100, Fit::cover, false, {150, 100}, {100, 100}},
        {{600, 400}, 300, 100, Fit::cover, false, {300, 200}, {300, 100}},
        {{600, 400}, 600, 400, Fit::cover, false, {600, 400}, {600, 400}},
        {{601, 400}, 300, 200, Fit::cover, false, {301, 200}, {300, 200}},  // 300.5
        {{600, 400}, 800, 800, Fit::cover, false, {600, 400}, {400, 400}},
        {{600, 400}, 800, 200, Fit::cover, false, {600, 400}, {600, 150}},
        {{600, 400}, 1200, 300, Fit::cover, false, {600, 400}, {600, 150}},
        {{600, 400}, 300, 800, Fit::cover, false, {600, 400}, {150, 400}},
        {{600, 400}, 1000, 333, Fit::cover, false, {600, 400}, {600, 200}},  // 199.8
        {{600, 400}, 800, 800, Fit::cover, true, {1200, 800}, {800, 800}},
        {{600, 400}, 800, 200, Fit::cover, true, {800, 533}, {800, 200}},
        // contain
        {{600, 400}, 300, 300, Fit::contain, false, {300, 200}, {300, 300}},
        {{600, 400}, 900, 500, Fit::contain, false, {600, 400}, {900, 500}},
        {{600, 400}, 900, 300, Fit::contain, false, {450, 300}, {900, 300}},
        {{600, 400}, 900, 900, Fit::contain, true, {900, 600}, {900, 900}},
        // fill
        {{600, 400}, 100, 300, Fit::fill, false, {100, 300}, {100, 300}},
        {{600, 400}, 900, 300, Fit::fill, false, {600, 300}, {600, 300}},
        {{600, 400}, 900, 900, Fit::fill, false, {600, 400}, {600, 400}},
        {{600, 400}, 900, 900, Fit::fill, true, {900, 900}, {900, 900}},
        // extremes: never 0
        {{1, 1}, 400, 300, Fit::inside, false, {1, 1}, {1, 1}},
        {{1, 1}, 400, 300, Fit::cover, false, {1, 1}, {1, 1}},
        {{1, 1}, 400, 300, Fit::cover, true, {400, 400}, {400, 300}},
        {{1, 1}, 400, 300, Fit::fill, false, {1, 1}, {1, 1}},
        {{1, 1}, 400, 300, Fit::contain, false, {1, 1}, {400, 300}},
        {{65500, 1}, 100, none, Fit::inside, false, {100, 1}, {100, 1}},
        {{65500, 1}, none, 1, Fit::inside, false, {65500, 1}, {65500, 1}},
        {{65500, 1}, 100, 100, Fit::cover, false, {65500, 1}, {1, 1}},
        {{65500, 1}, 100, 100, Fit::outside, false, {65500, 1}, {65500, 1}},
        {{65500, 1}, 100, 100, Fit::contain, false, {100, 1}, {100, 100}},
        {{1, 10000}, 400, 300, Fit::inside, false, {1, 300}, {1, 300}},
        {{1, 10000}, 400, 300, Fit::cover, false, {1, 10000}, {1, 1}},
        {{1, 10000}, 400, 300, Fit::cover, true, {400, 4'000'000}, {400, 300}},
        {{10, 10}, 65535, 1, Fit::cover, false, {10, 10}, {10, 1}},
    };
    const RenderSettings settings = unlimited();
    for (const Case& c : cases) {
        const auto plan_of = plan(boxed(c.width, c.height, c.fit, c.enlarge), c.source, settings);
        const std::string about = std::to_string(&c - cases);
        ASSERT_TRUE(plan_of) << about;
        EXPECT_EQ(plan_of->resized, c.resized) << about;
        EXPECT_EQ(plan_of->canvas, c.canvas) << about;
        EXPECT_FALSE(plan_of->cut_by_content) << about;
    }
}

TEST(Plan, HalvesAreRoundedUpExactly) {
    // 8191 x w / 16382 is w / 2: an odd w gives exactly a half, whatever its size.
    for (int width = 1; width < 16382; width += 2) {
        const auto plan_of = plan(boxed(width, none), {16382, 8191}, unlimited());
        ASSERT_TRUE(plan_of);
        ASSERT_EQ(plan_of->canvas, (Size{width, (width + 1) / 2}));
    }
}

TEST(Plan, EverythingHoldsForManySizes) {
    const int sides[] = {1, 2, 3, 7, 99, 100, 101, 640, 1000, 4001};
    for (const int w : sides) {
        for (const int h : sides) {
            for (const int bw : sides) {
                for (const int bh : sides) {
                    for (const Fit fit : {Fit::inside, Fit::outside, Fit::cover, Fit::contain, Fit::fill}) {
                        const auto got = plan(boxed(bw, bh, fit), {w, h}, unlimited());
                        ASSERT_TRUE(got);
                        ASSERT_GE(std::min({got->resized.width, got->resized.height, got->canvas.width,
                                            got->canvas.height}),
                                  1);
                        ASSERT_TRUE(got->resized.width <= w && got->resized.height <= h);
                        ASSERT_TRUE(got->cut.x >= 0 && got->cut.y >= 0 &&
                                    got->cut.x + got->cut.width <= got->resized.width &&
                                    got->cut.y + got->cut.height <= got->resized.height);
                        ASSERT_TRUE(got->offset_x >= 0 && got->offset_y >= 0 &&
                                    got->offset_x + got->cut.width <= got->canvas.width &&
                                    got->offset_y + got->cut.height <= got->canvas.height);
                    }
                }
            }
        }
    }
}

TEST(Plan, AVectorHasNoSizeToStopAt) {
    const auto got = plan(boxed(800, 800), {100, 50}, unlimited(), true);
    ASSERT_TRUE(got);
    EXPECT_EQ(got->canvas, (Size{800, 400}));
    const auto as_is = plan(boxed(none, none), {100, 50}, unlimited(), true);
    ASSERT_TRUE(as_is);
    EXPECT_EQ(as_is->canvas, (Size{100, 50}));
}

TEST(Plan, CoverKeepsWhatGravitySays) {
    const struct {
        Gravity gravity;
        double x, y;
        Size source, box;
        Box cut;
        bool by_content;
    } cases[] = {
        {Gravity::center, 0, 0, {601, 400}, {100, 400}, {250, 0, 100, 400}, false},  // 250.5
        {Gravity::n, 0, 0, {400, 600}, {400, 100}, {0, 0, 400, 100}, false},
        {Gravity::s, 0, 0, {400, 600}, {400, 100}, {0, 500, 400, 100}, false},
        {Gravity::e, 0, 0, {600, 400}, {100, 400}, {500, 0, 100, 400}, false},
        {Gravity::w, 0, 0, {600, 400}, {100, 400}, {0, 0, 100, 400}, false},
        {Gravity::ne, 0, 0, {600, 400}, {100, 400}, {500, 0, 100, 400}, false},
        {Gravity::se, 0, 0, {400, 600}, {400, 100}, {0, 500, 400, 100}, false},
        {Gravity::sw, 0, 0, {400, 600}, {400, 100}, {0, 500, 400, 100}, false},
        {Gravity::nw, 0, 0, {600, 400}, {100, 400}, {0, 0, 100, 400}, false},
        {Gravity::e, 0, 0, {400, 600}, {400, 100}, {0, 250, 400, 100}, false},
        {Gravity::fp, 0.5, 0.5, {601, 400}, {100, 400}, {250, 0, 100, 400}, false},  // as center
        {Gravity::fp, 0, 0, {600, 400}, {100, 400}, {0, 0, 100, 400}, false},
        {Gravity::fp, 1, 1, {600, 400}, {100, 400}, {500, 0, 100, 400}, false},
        {Gravity::fp, 0.25, 0.9, {600, 400}, {100, 400}, {100, 0, 100, 400}, false},
        {Gravity::fp, 0.29, 0.5, {100, 40}, {20, 40}, {19, 0, 20, 40}, false},  // 0.29 x 100 is 28.99... as
                                                                                // double
        {Gravity::fp, 0.05, 0.5, {600, 400}, {100, 400}, {0, 0, 100, 400}, false},
        {Gravity::attention, 0, 0, {600, 400}, {100, 400}, {250, 0, 100, 400}, true},
        {Gravity::entropy, 0, 0, {600, 400}, {100, 400}, {250, 0, 100, 400}, true},
        {Gravity::attention, 0, 0, {600, 400}, {300, 200}, {0, 0, 300, 200}, false},  // nothing to choose
    };
    for (const auto& c : cases) {
        Rendition rendition = boxed(c.box.width, c.box.height, Fit::cover);
        rendition.gravity = c.gravity;
        rendition.focus_x = c.x;
        rendition.focus_y = c.y;
        const auto got = plan(rendition, c.source, unlimited());
        ASSERT_TRUE(got);
        EXPECT_EQ(got->cut, c.cut) << &c - cases;
        EXPECT_EQ(got->cut_by_content, c.by_content) << &c - cases;
        EXPECT_EQ(got->offset_x, 0);
        EXPECT_EQ(got->offset_y, 0);
    }
}

TEST(Plan, GravityIsForCoverOnly) {
    for (const Fit fit : {Fit::inside, Fit::outside, Fit::contain, Fit::fill}) {
        Rendition rendition = boxed(300, 300, fit);
        rendition.gravity = Gravity::attention;
        const auto got = plan(rendition, {600, 400}, unlimited());
        ASSERT_TRUE(got);
        EXPECT_FALSE(got->cut_by_content);
        EXPECT_EQ(got->cut, (Box{0, 0, got->resized.width, got->resized.height}));
    }
}

TEST(Plan, ContainCentres) {
    Rendition rendition = boxed(300, 301, Fit::contain);
    rendition.gravity = Gravity::n;
    const auto got = plan(rendition, {600, 400}, unlimited());
    ASSERT_TRUE(got);
    EXPECT_EQ(got->offset_x, 0);
    EXPECT_EQ(got->offset_y, 50);  // 50.5
    EXPECT_EQ(got->cut, (Box{0, 0, 300, 200}));
}

TEST(Plan, LimitsNameTheSideThatIsOver) {
    RenderSettings settings;
    settings.max_width = 500;
    settings.max_height = 300;
    const struct {
        Rendition rendition;
        std::string_view parameter;  // empty: within
    } cases[] = {
        {boxed(450, none), ""},
        {boxed(500, 300), ""},
        {boxed(none, none), "w"},
        {boxed(501, none), "w"},
        {boxed(none, 301), "h"},  // 463 x 301
        {boxed(470, none), "h"},  // 470 x 305.5
        {boxed(501, 100), ""},
        {boxed(501, 100, Fit::contain), "w"},
        {boxed(500, 301, Fit::contain), "h"},
        {boxed(500, 300, Fit::outside), "h"},
        {boxed(500, 300, Fit::cover), ""},
    };
    for (const auto& c : cases) {
        const auto got = plan(c.rendition, {600, 390}, settings);
        EXPECT_EQ(static_cast<bool>(got), c.parameter.empty()) << &c - cases;
        if (!got) {
            EXPECT_EQ(got.error().status, 400);
            EXPECT_EQ(got.error().parameter, c.parameter) << &c - cases;
        }
    }
}

TEST(Plan, RefusesWhatNoLibraryCanResize) {
    const auto got = plan(boxed(8192, 8192, Fit::cover, true), {1, 2'000'000'000}, RenderSettings());
    ASSERT_FALSE(got);
    EXPECT_EQ(got.error().status, 400);
}

constexpr Length px(double value) {
    return {value, false};
}
constexpr Length percent(double value) {
    return {value, true};
}

TEST(CropBox, ClipsAndRounds) {
    const struct {
        Crop crop;
        Size source;
        std::optional<Box> box;
    } cases[] = {
        {{px(0), px(0), px(100), px(50)}, {600, 400}, Box{0, 0, 100, 50}},
        {{px(590), px(390), px(100), px(100)}, {600, 400}, Box{590, 390, 10, 10}},
        {{px(599), px(399), px(1), px(1)}, {600, 400}, Box{599, 399, 1, 1}},
        {{px(600), px(0), px(1), px(1)}, {600, 400}, {}},
        {{px(0), px(400), px(1), px(1)}, {600, 400}, {}},
        {{px(1000000), px(0), px(1000000), px(1)}, {600, 400}, {}},
        {{percent(25), percent(50), percent(50), percent(50)}, {600, 400}, Box{150, 200, 300, 200}},
        {{percent(0), percent(0), percent(100), percent(100)}, {601, 401}, Box{0, 0, 601, 401}},
        {{percent(50), percent(50), percent(50), percent(50)}, {5, 5}, Box{3, 3, 2, 2}},  // 2.5 -> 3, clipped
        {{percent(100), percent(0), percent(10), percent(10)}, {600, 400}, {}},
        {{px(10), percent(12.5), percent(0.1), px(7)}, {100, 100}, Box{10, 13, 1, 7}},  // 0.1 px: 1
        {{percent(0), percent(0), percent(0.000001), percent(33.333333)}, {3, 3}, Box{0, 0, 1, 1}},
    };
    for (const auto& c : cases) {
        const auto got = crop_box(c.crop, c.source);
        ASSERT_EQ(static_cast<bool>(got), c.box.has_value()) << &c - cases;
        if (got) {
            EXPECT_EQ(*got, *c.box) << &c - cases;
        } else {
            EXPECT_EQ(got.error().status, 422);
            EXPECT_EQ(got.error().parameter, "crop");
        }
    }
}

TEST(Overlay, SizeIsAShareOfTheWidthWithinTheHeight) {
    const struct {
        Size overlay, rendition;
        double share;
        Size size;
    } cases[] = {
        {{200, 100}, {1000, 500}, 0.20, {200, 100}}, {{100, 100}, {1000, 500}, 0.20, {200, 200}},
        {{200, 101}, {1002, 500}, 0.25, {251, 127}},  // 250.5; 126.755
        {{100, 100}, {1000, 100}, 0.20, {100, 100}}, {{100, 300}, {1000, 100}, 0.20, {33, 100}},
        {{1, 10000}, {1000, 100}, 0.20, {1, 100}},   {{10000, 1}, {100, 100}, 0.20, {20, 1}},
        {{100, 100}, {1, 1}, 0.20, {1, 1}},          {{100, 100}, {2, 2}, 0.01, {1, 1}},
        {{100, 10}, {300, 100}, 1, {300, 30}},       {{100, 10}, {300, 100}, 5, {300, 30}},
        {{100, 10}, {300, 100}, 0.29, {87, 9}},
    };
    for (const auto& c : cases) {
        EXPECT_EQ(overlay_size(c.overlay, c.rendition, c.share), c.size) << &c - cases;
    }
}

TEST(Overlay, StandsAtItsPositionWithAMargin) {
    const struct {
        Gravity position;
        Box box;
    } cases[] = {
        // 1000 x 401, margin 0.02 x 401 = 8.02 -> 8; free: 801 x 301
        {Gravity::nw, {8, 8, 199, 100}},     {Gravity::n, {400, 8, 199, 100}},
        {Gravity::ne, {793, 8, 199, 100}},   {Gravity::w, {8, 150, 199, 100}},
        {Gravity::e, {793, 150, 199, 100}},  {Gravity::center, {400, 150, 199, 100}},
        {Gravity::sw, {8, 293, 199, 100}},   {Gravity::s, {400, 293, 199, 100}},
        {Gravity::se, {793, 293, 199, 100}},
    };
    for (const auto& c : cases) {
        OverlayPlacement placement;
        placement.position = c.position;
        EXPECT_EQ(overlay_box({199, 100}, {1000, 401}, placement), c.box);
    }
}

TEST(Overlay, NeverLeavesTheRendition) {
    OverlayPlacement placement;
    placement.margin = 0.5;
    EXPECT_EQ(overlay_box({100, 90}, {100, 100}, placement), (Box{0, 0, 100, 90}));
    placement.position = Gravity::nw;
    EXPECT_EQ(overlay_box({100, 90}, {100, 100}, placement), (Box{0, 10, 100, 90}));
    placement.position = Gravity::center;
    EXPECT_EQ(overlay_box({300, 300}, {100, 50}, placement), (Box{0, 0, 100, 50}));
}

}  // namespace
}  // namespace media
