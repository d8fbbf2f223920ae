// Pictures to test with, made on the spot, and a short way to render them.
#pragma once

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <vector>
#include <vips/vips8>

#include "core/picture/engine.h"
#include "core/picture/render.h"
#include "core/rendition/parse.h"

namespace media {

using File = std::vector<std::uint8_t>;

inline ByteView view(const File& file) {
    return {file.data(), file.size()};
}

inline File file_of(const vips::VImage& image, const char* suffix, vips::VOption* options = nullptr) {
    void* data = nullptr;
    std::size_t size = 0;
    image.write_to_buffer(suffix, &data, &size, options);
    const auto* bytes = static_cast<const std::uint8_t*>(data);
    File file(bytes, bytes + size);
    g_free(data);
    return file;
}

/// A picture whose pixels come from a function of their place.
using Painter = std::function<Color(int x, int y)>;

inline vips::VImage painted(int width, int height, int bands, const Painter& painter) {
    std::vector<std::uint8_t> data;
    for (int y = 0; y < height; ++y) {
        for (int x = 0; x < width; ++x) {
            const Color color = painter(x, y);
            const std::uint8_t all[] = {color.r, color.g, color.b, color.a};
            const std::uint8_t gray[] = {color.r, color.a};
            const std::uint8_t* from = bands < 3 ? gray : all;
            data.insert(data.end(), from, from + bands);
        }
    }
    const vips::VImage view =
        vips::VImage::new_from_memory(data.data(), data.size(), width, height, bands, VIPS_FORMAT_UCHAR);
    return view
        .copy(vips::VImage::option()->set("interpretation",
                                          bands < 3 ? VIPS_INTERPRETATION_B_W : VIPS_INTERPRETATION_sRGB))
        .copy_memory();
}

inline vips::VImage plain(int width, int height, Color color, int bands = 3) {
    return painted(width, height, bands, [color](int, int) { return color; });
}

inline constexpr Color red{255, 0, 0}, green{0, 255, 0}, blue{0, 0, 255}, white{255, 255, 255},
    black{0, 0, 0};

/// Red, green, blue and white quarters, in the order of reading.
inline vips::VImage quarters(int width, int height, int bands = 3) {
    return painted(width, height, bands, [=](int x, int y) {
        return y < height / 2 ? (x < width / 2 ? red : green) : (x < width / 2 ? blue : white);
    });
}

/// Soft detail everywhere, as a photograph has.
inline vips::VImage textured(int width, int height, int bands = 3) {
    return painted(width, height, bands, [](int x, int y) {
        const auto wave = [](double v) {
            return static_cast<std::uint8_t>(std::lround(127.5 + 110 * std::sin(v)));
        };
        return Color{wave(x * 0.11 + y * 0.05), wave(y * 0.09 - x * 0.03), wave((x + y) * 0.04), 255};
    });
}

/// The same picture, to be turned upright by a viewer.
inline File oriented_jpeg(vips::VImage image, int orientation) {
    image = image.copy();
    image.set(VIPS_META_ORIENTATION, orientation);
    return file_of(image, ".jpg",
                   vips::VImage::option()->set("Q", 95)->set("subsample_mode", VIPS_FOREIGN_SUBSAMPLE_OFF));
}

/// Frames one below another, as one picture.
inline vips::VImage roll(const std::vector<vips::VImage>& frames, const std::vector<int>& delays,
                         int loop = 0) {
    vips::VImage image = vips::VImage::arrayjoin(frames, vips::VImage::option()->set("across", 1)).copy();
    image.set(VIPS_META_PAGE_HEIGHT, frames.front().height());
    image.set("delay", delays);
    image.set("loop", loop);
    return image;
}

class PictureTest : public testing::Test {
  protected:
    static void SetUpTestSuite() {
        static const bool started = static_cast<bool>(start_engine({Format::svg}));
        ASSERT_TRUE(started);
    }

    RenderSettings settings;
    std::vector<std::shared_ptr<Watermark>> watermarks;
    std::vector<Format> auto_formats;
    std::string accept;
    std::chrono::milliseconds time{60'000};

    Result<Encoded> render_query(const File& file, const std::string& query) {
        ParseContext context;
        context.settings = &settings;
        context.auto_formats = auto_formats;
        context.accept = accept;
        Result<Rendition> rendition = parse_query(query, context);
        if (!rendition) {
            ADD_FAILURE() << query << ": " << rendition.error().detail;
            return rendition.error();
        }
        const Cancellation cancellation(Cancellation::Clock::now() + time);
        return render({view(file), *rendition, settings, watermarks, cancellation});
    }

    /// What must work.
    Encoded good(const File& file, const std::string& query) {
        Result<Encoded> result = render_query(file, query);
        if (!result) {
            ADD_FAILURE() << query << ": " << result.error().status << " " << result.error().detail;
            return {};
        }
        return std::move(*result);
    }

    /// The status of what must fail.
    int status(const File& file, const std::string& query, std::string* parameter = nullptr) {
        Result<Encoded> result = render_query(file, query);
        if (result) {
            ADD_FAILURE() << query << " worked";
            return 200;
        }
        EXPECT_EQ(result.error().detail.find('/'), std::string::npos) << result.error().detail;
        EXPECT_EQ(result.error().detail.find("vips"), std::string::npos) << result.error().detail;
        if (parameter != nullptr) {
            *parameter = result.error().parameter;
        }
        return result.error().status;
    }

    static vips::VImage decoded(const Encoded& encoded, const char* options = "") {
        return vips::VImage::new_from_buffer(encoded.body.data(), encoded.body.size(), options).copy_memory();
    }

    /// Renders and decodes.
    vips::VImage picture(const File& file, const std::string& query, const char* options = "") {
        const Encoded encoded = good(file, query);
        if (encoded.body.empty()) {
            return plain(1, 1, black);
        }
        vips::VImage image = decoded(encoded, options);
        EXPECT_EQ(image.width(), encoded.width);
        return image;
    }
};

inline Color pixel(const vips::VImage& image, int x, int y) {
    const std::vector<double> p = image.getpoint(x, y);
    const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(std::lround(p[i])); };
    switch (p.size()) {
        case 1:
            return {at(0), at(0), at(0), 255};
        case 2:
            return {at(0), at(0), at(0), at(1)};
        case 3:
            return {at(0), at(1), at(2), 255};
        default:
            return {at(0), at(1), at(2), at(3)};
    }
}

inline testing::AssertionResult is_near(Color actual, Color expected, int tolerance = 12) {
    const auto differs = [tolerance](int a, int b) { return std::abs(a - b) > tolerance; };
    if (differs(actual.r, expected.r) || differs(actual.g, expected.g) || differs(actual.b, expected.b) ||
        differs(actual.a, expected.a)) {
        return testing::AssertionFailure()
               << int{actual.r} << "," << int{actual.g} << "," << int{actual.b} << "," << int{actual.a}
               << " instead of " << int{expected.r} << "," << int{expected.g} << "," << int{expected.b} << ","
               << int{expected.a};
    }
    return testing::AssertionSuccess();
}

/// Mean structural similarity (Wang et al. 2004) of two pictures, on the mean of their bands, in a Gaussian
/// window of 1.5.
inline double ssim(const vips::VImage& one, const vips::VImage& other) {
    const auto blurred = [](const vips::VImage& image) {
        return image.gaussblur(1.5, vips::VImage::option()->set("precision", VIPS_PRECISION_FLOAT));
    };
    const vips::VImage a = one.bandmean().cast(VIPS_FORMAT_FLOAT);
    const vips::VImage b = other.bandmean().cast(VIPS_FORMAT_FLOAT);
    const vips::VImage mean_a = blurred(a);
    const vips::VImage mean_b = blurred(b);
    const vips::VImage both = blurred(a * b) - mean_a * mean_b;
    const vips::VImage spread = blurred(a * a) - mean_a * mean_a + blurred(b * b) - mean_b * mean_b;
    const double c1 = 0.01 * 255 * 0.01 * 255;
    const double c2 = 0.03 * 255 * 0.03 * 255;
    return (((mean_a * mean_b * 2 + c1) * (both * 2 + c2)) /
            ((mean_a * mean_a + mean_b * mean_b + c1) * (spread + c2)))
        .avg();
}

/// What a camera makes: soft where it is far, fine where it is near, with edges and colours of all kinds.
inline vips::VImage scene(int width, int height) {
    return painted(width, height, 3, [=](int x, int y) {
        const double u = static_cast<double>(x) / width;
        const double v = static_cast<double>(y) / height;
        const double fine = 30 * v * std::sin(x * 0.2 + std::sin(y * 0.07) * 2) * std::sin(y * 0.17);
        const bool disc = std::hypot(u - 0.3, (v - 0.4) * height / width) < 0.17;
        const auto level = [&](double value) {
            return static_cast<std::uint8_t>(std::clamp(std::lround(value + fine), 0L, 255L));
        };
        return disc ? Color{level(210), level(70 + 80 * u), level(40), 255}
                    : Color{level(60 + 150 * u), level(90 + 60 * std::sin(u * 9)), level(200 - 120 * v), 255};
    });
}

/// Peak signal to noise ratio in dB, of pictures of one size and number of bands.
inline double psnr(const vips::VImage& a, const vips::VImage& b) {
    const double error = (a - b).pow(2.0).avg();
    return error == 0 ? 99 : 10 * std::log10(255 * 255 / error);
}

}  // namespace media
