// What a rendition costs, before anything is decoded.
#pragma once

#include "core/rendition/outline.h"
#include "core/rendition/rendition.h"
#include "core/rendition/settings.h"

namespace media {

/// CPU seconds that a rendition of an original with that outline takes about, on one core of a server of
/// today; within a factor of two for photographs. What will be refused costs next to nothing. The figures
/// behind it are measured ones, all in cost.cpp.
double seconds_of(const Outline& original, const Rendition& rendition,
                  const RenderSettings& settings) noexcept;

/// CPU seconds that the encoder takes about, where no more is known of the picture than the box it goes into:
/// with one side a square, without any what a camera makes.
double encoding_seconds(const Rendition& rendition, const RenderSettings& settings, Format format) noexcept;

/// Nanoseconds for a pixel, of encoders that run to their end once begun; rounded down. 0 for the others.
double relentless_nanoseconds(Format format, int effort) noexcept;

}  // namespace media
