#include "core/rendition/geometry.h"

#include <algorithm>
#include <cstdint>

#include "core/rendition/guard.h"
#include "core/rendition/numbers.h"

namespace media {
namespace {

using detail::million;
using detail::millionths;
using detail::scale_half_up;

/// Larger sides than that no picture library takes (VIPS_MAX_COORD).
constexpr std::int64_t max_side = 10'000'000;

/// A size while it is computed: a narrow picture that covers a wide box can be longer than an int.
struct WideSize {
    std::int64_t width = 0;
    std::int64_t height = 0;
};

WideSize wide(Size size) {
    return {size.width, size.height};
}

Size narrow(WideSize size) {
    return {static_cast<int>(size.width), static_cast<int>(size.height)};
}

/// value x factor / divisor rounded half up, but at least 1.
std::int64_t side(std::int64_t value, std::int64_t factor, std::int64_t divisor) {
    return std::max<std::int64_t>(1, scale_half_up(value, factor, divisor));
}

WideSize with_width(WideSize source, std::int64_t width) {
    return {width, side(source.height, width, source.width)};
}

WideSize with_height(WideSize source, std::int64_t height) {
    return {side(source.width, height, source.height), height};
}

/// Whether `box` is relatively wider than `source`: the height is then what keeps a picture inside it.
bool wider(WideSize box, WideSize source) {
    return box.width * source.height > source.width * box.height;
}

WideSize inside(WideSize source, WideSize box) {
    return wider(box, source) ? with_height(source, box.height) : with_width(source, box.width);
}

WideSize outside(WideSize source, WideSize box) {
    return wider(box, source) ? with_width(source, box.width) : with_height(source, box.height);
}

bool contains(WideSize outer, WideSize inner) {
    return inner.width <= outer.width && inner.height <= outer.height;
}

/// `inside` for a picture that is not enlarged.
WideSize inside_up_to_source(WideSize source, WideSize box) {
    return contains(box, source) ? source : inside(source, box);
}

/// Where a cut of `length` begins on a side of `whole`: in the middle, or at one of the ends.
int placed(int whole, int length, int direction) {
    return direction < 0 ? 0 : direction > 0 ? whole - length : (whole - length) / 2;
}

/// Where it begins if its middle is to be at a share of the side, as far as the ends let it. Ties go to the
/// left, so that a half is the same as the middle.
int centred_on(int whole, int length, double share) {
    const std::int64_t doubled = 2 * millionths(share) * whole - million * length;
    const std::int64_t start = doubled <= 0 ? 0 : (doubled + million - 1) / (2 * million);
    return static_cast<int>(std::min<std::int64_t>(start, whole - length));
}

/// -1 for west or north, 1 for east or south, 0 for neither.
struct Direction {
    int x = 0, y = 0;
};

Direction direction_of(Gravity gravity) {
    switch (gravity) {
        case Gravity::n:
            return {0, -1};
        case Gravity::ne:
            return {1, -1};
        case Gravity::e:
            return {1, 0};
        case Gravity::se:
            return {1, 1};
        case Gravity::s:
            return {0, 1};
        case Gravity::sw:
            return {-1, 1};
        case Gravity::w:
            return {-1, 0};
        case Gravity::nw:
            return {-1, -1};
        case Gravity::center:
        case Gravity::attention:
        case Gravity::entropy:
        case Gravity::fp:
            break;
    }
    return {0, 0};
}

Box cut_of(const Rendition& rendition, Size resized, Size box) {
    if (rendition.gravity == Gravity::fp) {
        return {centred_on(resized.width, box.width, rendition.focus_x),
                centred_on(resized.height, box.height, rendition.focus_y), box.width, box.height};
    }
    const Direction direction = direction_of(rendition.gravity);
    return {placed(resized.width, box.width, direction.x), placed(resized.height, box.height, direction.y),
            box.width, box.height};
}

struct Sizes {
    WideSize resized;
    WideSize canvas;  ///< what the client gets
};

Sizes sizes_of(const Rendition& rendition, WideSize source, bool enlarge) {
    if (!rendition.width && !rendition.height) {
        return {source, source};
    }
    if (!rendition.width || !rendition.height) {
        const bool grows =
            rendition.width ? *rendition.width > source.width : *rendition.height > source.height;
        WideSize resized = source;
        if (enlarge || !grows) {
            resized = rendition.width ? with_width(source, *rendition.width)
                                      : with_height(source, *rendition.height);
        }
        return {resized, resized};
    }
    const WideSize box{*rendition.width, *rendition.height};
    switch (rendition.fit) {
        case Fit::inside:
            break;
        case Fit::outside: {
            const bool grows = !enlarge && (box.width > source.width || box.height > source.height);
            const WideSize resized = grows ? source : outside(source, box);
            return {resized, resized};
        }
        case Fit::fill: {
            const WideSize resized =
                enlarge ? box
                        : WideSize{std::min(box.width, source.width), std::min(box.height, source.height)};
            return {resized, resized};
        }
        case Fit::cover: {
            const WideSize kept = enlarge ? box : inside_up_to_source(box, source);
            return {outside(source, kept), kept};
        }
        case Fit::contain:
            return {enlarge ? inside(source, box) : inside_up_to_source(source, box), box};
    }
    const WideSize resized = enlarge ? inside(source, box) : inside_up_to_source(source, box);
    return {resized, resized};
}

Error too_large(std::string_view parameter, int limit) {
    return {400, "a rendition is at most " + std::to_string(limit) + " pixels on this side",
            std::string(parameter)};
}

/// A length of a crop in pixels.
std::int64_t pixels_of(const Length& length, int whole) {
    if (!length.percent) {
        return static_cast<std::int64_t>(length.value);
    }
    return scale_half_up(millionths(length.value), whole, 100 * million);
}

}  // namespace

Result<Geometry> plan(const Rendition& rendition, Size source, const RenderSettings& settings,
                      bool vector) noexcept {
    return detail::guarded([&]() -> Result<Geometry> {
        const auto [resized, canvas] = sizes_of(rendition, wide(source), rendition.enlarge || vector);
        if (canvas.width > settings.max_width) {
            return too_large("w", settings.max_width);
        }
        if (canvas.height > settings.max_height) {
            return too_large("h", settings.max_height);
        }
        if (resized.width > max_side || resized.height > max_side) {
            return Error{400, "the original is too narrow to be enlarged that far", "enlarge"};
        }
        Geometry geometry;
        geometry.resized = narrow(resized);
        geometry.canvas = narrow(canvas);
        geometry.cut = {0, 0, geometry.resized.width, geometry.resized.height};
        if (contains(resized, canvas)) {
            geometry.cut = cut_of(rendition, geometry.resized, geometry.canvas);
            geometry.cut_by_content =
                geometry.canvas != geometry.resized &&
                (rendition.gravity == Gravity::attention || rendition.gravity == Gravity::entropy);
        } else {
            geometry.offset_x = placed(geometry.canvas.width, geometry.resized.width, 0);
            geometry.offset_y = placed(geometry.canvas.height, geometry.resized.height, 0);
        }
        return geometry;
    });
}

Result<Box> crop_box(const Crop& crop, Size source) noexcept {
    return detail::guarded([&]() -> Result<Box> {
        const std::int64_t x = pixels_of(crop.x, source.width);
        const std::int64_t y = pixels_of(crop.y, source.height);
        if (x >= source.width || y >= source.height) {
            return Error{422, "nothing of the picture is left", "crop"};
        }
        const std::int64_t width = std::max<std::int64_t>(1, pixels_of(crop.width, source.width));
        const std::int64_t height = std::max<std::int64_t>(1, pixels_of(crop.height, source.height));
        return Box{static_cast<int>(x), static_cast<int>(y),
                   static_cast<int>(std::min(width, source.width - x)),
                   static_cast<int>(std::min(height, source.height - y))};
    });
}

Size overlay_size(Size overlay, Size rendition, double share) noexcept {
    const WideSize whole = wide(overlay);
    const std::int64_t part = std::clamp<std::int64_t>(millionths(std::clamp(share, 0.0, 1.0)), 0, million);
    const WideSize scaled = with_width(whole, side(rendition.width, part, million));
    if (scaled.height <= rendition.height) {
        return narrow(scaled);
    }
    const WideSize lower = with_height(whole, rendition.height);
    return narrow({std::min<std::int64_t>(lower.width, rendition.width), lower.height});
}

Box overlay_box(Size scaled, Size rendition, const OverlayPlacement& placement) noexcept {
    const int width = std::min(scaled.width, rendition.width);
    const int height = std::min(scaled.height, rendition.height);
    const std::int64_t share = millionths(std::clamp(placement.margin, 0.0, 1.0));
    const auto margin =
        static_cast<int>(scale_half_up(std::min(rendition.width, rendition.height), share, million));
    const Direction direction = direction_of(placement.position);
    const auto begin = [margin](int whole, int length, int towards) {
        return std::clamp(placed(whole, length, towards) - towards * margin, 0, whole - length);
    };
    return {begin(rendition.width, width, direction.x), begin(rendition.height, height, direction.y), width,
            height};
}

}  // namespace media
