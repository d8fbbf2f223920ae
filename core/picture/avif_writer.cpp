#include <algorithm>
#include <cstring>
#include <memory>
#include <string>

#include <avif/avif.h>

#include "core/picture/failure.h"
#include "core/picture/plane_writers.h"

namespace media {

namespace {

// The range of AV1's quantizer.
constexpr int coarsest = 63;

struct Destroy {
    void operator()(avifImage* image) const noexcept { avifImageDestroy(image); }
    void operator()(avifEncoder* encoder) const noexcept { avifEncoderDestroy(encoder); }
};

[[noreturn]] void cannot() {
    fail(500, "the rendition cannot be written as avif");
}

}  // namespace

Bytes write_avif(const Planes& planes, int quality, int effort, const Cancellation& cancellation) {
    check(cancellation);
    const std::unique_ptr<avifImage, Destroy> image(avifImageCreate(
        static_cast<std::uint32_t>(planes.size().width), static_cast<std::uint32_t>(planes.size().height), 8,
        planes.count == 1 ? AVIF_PIXEL_FORMAT_YUV400
        : planes.halved   ? AVIF_PIXEL_FORMAT_YUV420
                          : AVIF_PIXEL_FORMAT_YUV444));
    const std::unique_ptr<avifEncoder, Destroy> encoder(avifEncoderCreate());
    if (!image || !encoder) {
        cannot();
    }
    image->yuvRange = AVIF_RANGE_FULL;
    image->colorPrimaries = AVIF_COLOR_PRIMARIES_BT709;
    image->transferCharacteristics = AVIF_TRANSFER_CHARACTERISTICS_SRGB;
    image->matrixCoefficients = AVIF_MATRIX_COEFFICIENTS_BT601;
    image->imageOwnsYUVPlanes = AVIF_FALSE;  // they are ours, and are only read
    for (std::size_t i = 0; i < static_cast<std::size_t>(planes.count); ++i) {
        image->yuvPlanes[i] = const_cast<std::uint8_t*>(planes.plane[i].row(0));
        image->yuvRowBytes[i] = static_cast<std::uint32_t>(planes.plane[i].stride());
    }
    if (!planes.alpha.empty()) {
        image->alphaPlane = const_cast<std::uint8_t*>(planes.alpha.row(0));
        image->alphaRowBytes = static_cast<std::uint32_t>(planes.alpha.stride());
        image->imageOwnsAlphaPlane = AVIF_FALSE;
    }
    const int level = (100 - quality) * coarsest / 100;
    encoder->codecChoice = AVIF_CODEC_CHOICE_AOM;
    encoder->maxThreads = 1;
    encoder->speed = AVIF_SPEED_FASTEST - 1 - effort;  // the fastest of all misbehaves
    encoder->minQuantizer = 0;
    encoder->maxQuantizer = coarsest;
    avifEncoderSetCodecSpecificOption(encoder.get(), "color:end-usage", "q");
    avifEncoderSetCodecSpecificOption(encoder.get(), "color:cq-level", std::to_string(level).c_str());
    avifRWData data = AVIF_DATA_EMPTY;
    const avifResult outcome = avifEncoderWrite(encoder.get(), image.get(), &data);
    Bytes bytes(data.data, data.size, avifFree);
    if (outcome != AVIF_RESULT_OK) {
        check(cancellation);
        cannot();
    }
    return bytes;
}

}  // namespace media
