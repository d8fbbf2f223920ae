// What of the original's metadata a rendition carries: by default, nothing.
#include <string>
#include <string_view>

#include "core/picture/exif.h"
#include "core/picture/metadata.h"
#include "tests/core/picture_fixture.h"

namespace media {
namespace {

constexpr const char* xmp =
    "<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"><rdf:RDF "
    "xmlns:rdf=\"http://www.w3.org/1999/02/22-rdf-syntax-ns#\">"
    "<rdf:Description rdf:about=\"\" xmlns:exif=\"http://ns.adobe.com/exif/1.0/\" "
    "xmlns:dc=\"http://purl.org/dc/elements/1.1/\" exif:GPSLatitude=\"52,31.2N\" dc:rights=\"Rightsholder\" "
    "tiff:Orientation=\"6\"><exif:GPSLongitude>13,24.5E</exif:GPSLongitude></rdf:Description>"
    "</rdf:RDF></x:xmpmeta>";

class Metadata : public PictureTest {
  protected:
    static vips::VImage described() {
        vips::VImage image = textured(64, 48).copy();
        image.set("exif-ifd0-Copyright", "Rightsholder");
        image.set("exif-ifd0-Artist", "Someone");
        image.set("exif-ifd3-GPSLatitudeRef", "N");
        image.set("exif-ifd3-GPSLatitude", "52/1 31/1 0/1");
        image.set(VIPS_META_ORIENTATION, 6);
        vips_image_set_blob_copy(image.get_image(), VIPS_META_XMP_NAME, xmp, std::string_view(xmp).size());
        const vips::VImage profiled =
            image.icc_transform("p3", vips::VImage::option()->set("input_profile", "srgb"));
        return profiled;
    }

    static bool holds(const Encoded& encoded, std::string_view text) {
        const std::string_view body(reinterpret_cast<const char*>(encoded.body.data()), encoded.body.size());
        return body.find(text) != std::string_view::npos;
    }
};

TEST_F(Metadata, NothingIsKeptByDefault) {
    for (const char* in : {".jpg", ".webp", ".png", ".tif"}) {
        const File file = file_of(described(), in);
        for (const char* out : {"jpeg", "png", "webp", "avif", "gif", "jxl", "tiff"}) {
            const Encoded encoded = good(file, std::string("w=32&fm=") + out);
            for (const char* text : {"Rightsholder", "Someone", "Exif", "ICC_PROFILE", "ICCP", "iCCP",
                                     "xmpmeta", "GPS", "libvips", "eXIf"}) {
                EXPECT_FALSE(holds(encoded, text)) << in << " " << out << " " << text;
            }
            const vips::VImage image = decoded(encoded);
            for (const char* field :
                 {VIPS_META_EXIF_NAME, VIPS_META_XMP_NAME, VIPS_META_IPTC_NAME, VIPS_META_ICC_NAME}) {
                if (std::string_view(out) == "jxl" && std::string_view(field) == VIPS_META_ICC_NAME) {
                    continue;  // made by the decoder
                }
                EXPECT_EQ(image.get_typeof(field), 0U) << in << " " << out << " " << field;
            }
        }
    }
}

TEST_F(Metadata, NoneKeepsAllButWhatIsNoLongerTrue) {
    const File file = file_of(described(), ".jpg");
    for (const char* out : {"jpeg", "webp", "png", "avif"}) {
        const Encoded encoded = good(file, std::string("w=32&strip=none&fm=") + out);
        // Turned upright, which nobody may do again.
        EXPECT_EQ(encoded.width, 32);
        EXPECT_EQ(encoded.height, 43);
        EXPECT_TRUE(holds(encoded, "Rightsholder")) << out;
        const vips::VImage image = decoded(encoded);
        EXPECT_EQ(image.get_typeof(VIPS_META_ICC_NAME), 0U) << out;
        ASSERT_NE(image.get_typeof("exif-ifd0-Copyright"), 0U) << out;
        EXPECT_EQ(std::string(image.get_string("exif-ifd0-Copyright")).substr(0, 12), "Rightsholder") << out;
        EXPECT_NE(image.get_typeof("exif-ifd3-GPSLatitude"), 0U) << out;
        EXPECT_LE(vips_image_get_orientation(image.get_image()), 1) << out;
        EXPECT_FALSE(holds(encoded, "tiff:Orientation=\"6\"")) << out;
    }
}

TEST_F(Metadata, GpsTakesThePlaceAway) {
    const File file = file_of(described(), ".jpg");
    for (const char* out : {"jpeg", "webp", "png", "avif"}) {
        const Encoded encoded = good(file, std::string("w=32&strip=gps&fm=") + out);
        EXPECT_FALSE(holds(encoded, "GPS")) << out;
        EXPECT_FALSE(holds(encoded, "13,24.5E")) << out;
        const vips::VImage image = decoded(encoded);
        ASSERT_NE(image.get_typeof("exif-ifd0-Copyright"), 0U) << out;
        EXPECT_EQ(image.get_typeof("exif-ifd3-GPSLatitude"), 0U) << out;
        EXPECT_EQ(image.get_typeof("exif-ifd3-GPSLatitudeRef"), 0U) << out;
        EXPECT_LE(vips_image_get_orientation(image.get_image()), 1) << out;
    }
}

TEST_F(Metadata, TheThumbnailGoes) {
    // It shows the picture before it was cropped or marked.
    vips::VImage image = described().copy();
    const File thumbnail = file_of(plain(32, 24, red), ".jpg");
    vips_image_set_blob_copy(image.get_image(), "jpeg-thumbnail-data", thumbnail.data(), thumbnail.size());
    const File file = file_of(image, ".jpg");
    ASSERT_NE(vips::VImage::new_from_buffer(file.data(), file.size(), "").get_typeof("jpeg-thumbnail-data"),
              0U);
    for (const char* strip : {"none", "gps", "all"}) {
        const vips::VImage out = picture(file, std::string("w=32&strip=") + strip);
        EXPECT_EQ(out.get_typeof("jpeg-thumbnail-data"), 0U) << strip;
    }
}

TEST(MetadataTest, DamagedExifIsSeenAndHarmsNothing) {
    std::vector<std::uint8_t> sound;
    {
        vips::VImage image = plain(8, 8, red).copy();
        image.set("exif-ifd0-Copyright", "Rightsholder");
        image.set("exif-ifd3-GPSLatitude", "52/1 31/1 0/1");
        const File file = file_of(image, ".jpg");
        const vips::VImage back = vips::VImage::new_from_buffer(file.data(), file.size(), "");
        std::size_t size = 0;
        const auto* data = static_cast<const std::uint8_t*>(back.get_blob(VIPS_META_EXIF_NAME, &size));
        sound.assign(data, data + size);
    }
    for (std::size_t length = 0; length < sound.size(); ++length) {
        std::vector<std::uint8_t> cut(sound.begin(), sound.begin() + static_cast<std::ptrdiff_t>(length));
        edit_exif(cut, true);
        EXPECT_EQ(cut.size(), length);
    }
    std::uint32_t seed = 99;
    for (int round = 0; round < 20000; ++round) {
        std::vector<std::uint8_t> hit = sound;
        for (int i = 0; i < 4; ++i) {
            seed = seed * 1664525 + 1013904223;
            hit[(seed >> 8U) % hit.size()] = static_cast<std::uint8_t>(seed >> 24U);
        }
        edit_exif(hit, round % 2 == 0);
    }
    EXPECT_TRUE(edit_exif(sound, true));
}

TEST(MetadataTest, XmpWithoutGps) {
    const std::string clean = xmp_without_gps(xmp);
    EXPECT_EQ(clean.find("GPS"), std::string::npos);
    EXPECT_EQ(clean.find("13,24.5E"), std::string::npos);
    EXPECT_EQ(clean.find("52,31.2N"), std::string::npos);
    EXPECT_NE(clean.find("Rightsholder"), std::string::npos);
    // What is not understood is dropped as a whole.
    for (const char* odd : {"<a exif:GPSLatitude", "<a exif:GPSLatitude=\"1", "<exif:GPSLatitude>1",
                            "<a>GPS</a>", "no xml at all", ""}) {
        EXPECT_EQ(xmp_without_gps(odd), "") << odd;
    }
    EXPECT_EQ(xmp_without_gps("<a exif:GPSAltitude='1/1' b='c'/>"), "<a  b='c'/>");
    EXPECT_EQ(xmp_without_gps("<a><exif:GPSStatus/></a>"), "<a></a>");
    EXPECT_EQ(xmp_without_gps("<a drone:GpsLatitude=\"1\" x:Longitude=\"2\" x:Altitude=\"3\"/>"),
              "<a   x:Altitude=\"3\"/>");
}

}  // namespace
}  // namespace media
