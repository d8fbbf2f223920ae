#include "core/rendition/format.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <random>
#include <string>
#include <vector>

#include "core/rendition/parse.h"
#include "core/rendition/settings.h"

namespace media {
namespace {

using std::string_literals::operator""s;

std::optional<Format> sniff_text(std::string_view text) {
    return sniff({reinterpret_cast<const std::uint8_t*>(text.data()), text.size()});
}

TEST(Formats, NamesLeadBackToTheirRow) {
    for (const FormatInfo& row : formats()) {
        EXPECT_EQ(format_by_name(row.name), row.format);
        EXPECT_EQ(&info(row.format), &formats()[static_cast<std::size_t>(row.format)]);
        EXPECT_TRUE(row.effort >= row.effort_min && row.effort <= row.effort_max) << row.name;
        EXPECT_TRUE(row.quality >= 0 && row.quality <= 100) << row.name;
    }
    for (const std::string_view name : {"", "JPEG", "jpg", "auto", "json", "heif"}) {
        EXPECT_FALSE(format_by_name(name)) << name;
    }
}

TEST(Formats, DocumentsAreNoRastersAndNoOutputs) {
    for (const FormatInfo& row : formats()) {
        const bool document = row.format == Format::svg || row.format == Format::pdf;
        EXPECT_EQ(raster_formats().has(row.format), !document) << row.name;
        EXPECT_EQ(row.output, !document && row.format != Format::heic) << row.name;
        EXPECT_EQ(buildable_formats().has(row.format), row.output) << row.name;
    }
}

TEST(Settings, StartWithTheDefaultsOfTheTable) {
    const RenderSettings settings;
    for (const FormatInfo& row : formats()) {
        EXPECT_EQ(settings.quality[static_cast<std::size_t>(row.format)], row.quality);
        EXPECT_EQ(settings.effort[static_cast<std::size_t>(row.format)], row.effort);
    }
}

TEST(Settings, FingerprintSeesEveryField) {
    const RenderSettings standard;
    EXPECT_EQ(standard.fingerprint(), RenderSettings().fingerprint());
    EXPECT_LE(standard.fingerprint().size(), 16U);
    void (*const changes[])(RenderSettings&) = {
        [](RenderSettings& s) { s.input = {Format::jpeg}; },
        [](RenderSettings& s) { s.max_source_pixels = 1; },
        [](RenderSettings& s) { s.max_frames = 1; },
        [](RenderSettings& s) { s.max_width = 1; },
        [](RenderSettings& s) { s.max_height = 1; },
        [](RenderSettings& s) { s.fail_on = FailOn::none; },
        [](RenderSettings& s) { s.quality[0] = 1; },
        [](RenderSettings& s) { s.quality[7] = 1; },
        [](RenderSettings& s) { s.effort[2] = 6; },
    };
    std::vector<std::string> seen{standard.fingerprint()};
    for (const auto change : changes) {
        RenderSettings settings;
        change(settings);
        seen.push_back(settings.fingerprint());
    }
    std::sort(seen.begin(), seen.end());
    EXPECT_EQ(std::adjacent_find(seen.begin(), seen.end()), seen.end());
}

/// An ISO-BMFF file type box.
std::string ftyp(std::string_view major, std::string_view compatible) {
    std::string box = "\0\0\0"s;
    box += static_cast<char>(16 + compatible.size());
    return box + "ftyp" + std::string(major) + "\0\0\0\0"s + std::string(compatible) + "\0\0\0\x08meta"s;
}

TEST(Sniff, KnowsContentByItsFirstBytes) {
    const struct {
        std::string head;
        std::optional<Format> format;
    } cases[] = {
        {"\xFF\xD8\xFF\xE0\0\x10JFIF"s, Format::jpeg},
        {"\xFF\xD8\xFF\xDB"s, Format::jpeg},
        {"\x89PNG\r\n\x1A\n\0\0\0\rIHDR"s, Format::png},
        {"\x89PNG\n\x1A\n"s, {}},
        {"GIF87a"s, Format::gif},
        {"GIF89a\x01"s, Format::gif},
        {"GIF88a"s, {}},
        {"RIFF\x10\0\0\0WEBPVP8 "s, Format::webp},
        {"RIFF\x10\0\0\0WAVEfmt "s, {}},
        {"RIFF\x10\0\0\0WEB"s, {}},
        {"II*\0\x08\0\0\0"s, Format::tiff},
        {"MM\0*\0\0\0\x08"s, Format::tiff},
        {"II+\0\x08\0\0\0"s, Format::tiff},
        {"MM\0+\0\x08\0\0"s, Format::tiff},
        {"II\0*"s, {}},
        {"\xFF\x0A\xFA"s, Format::jxl},
        {"\0\0\0\x0CJXL \r\n\x87\n"s, Format::jxl},
        {"%PDF-1.7"s, Format::pdf},
        {" %PDF-1.7"s, {}},
        {ftyp("avif", "mif1miaf"), Format::avif},
        {ftyp("avis", "msf1"), Format::avif},
        {ftyp("mif1", "miafavifMA1B"), Format::avif},
        {ftyp("mif1", "heicmiaf"), Format::heic},
        {ftyp("mif1", ""), Format::heic},
        {ftyp("msf1", "hevcavis"), Format::avif},
        {ftyp("heic", "mif1heic"), Format::heic},
        {ftyp("heix", "mif1"), Format::heic},
        {ftyp("hevc", ""), Format::heic},
        {ftyp("miaf", "avif"), Format::avif},
        {ftyp("miaf", "heix"), Format::heic},
        {ftyp("isom", "mp42mif1"), {}},
        {ftyp("qt  ", "qt  "), {}},
        {ftyp("isom", "") + "avif", {}},  // beyond the box
        {"\0\0\0\x18"
         "ftypav"s,
         {}},
        {"<svg xmlns='http://www.w3.org/2000/svg'/>", Format::svg},
        {"<svg>", Format::svg},
        {"<svg:svg xmlns:svg='x'>", Format::svg},
        {"\xEF\xBB\xBF \n<svg\n", Format::svg},
        {"<?xml version=\"1.0\"?>\n<!-- a > b <svg> -->\n<svg/>", Format::svg},
        {"<?xml version='1.0'?><!DOCTYPE svg PUBLIC \"-//W3C//DTD SVG 1.1//EN\" \"a>b\">\n<svg >",
         Format::svg},
        {"<!DOCTYPE svg [ <!ENTITY a '>]'> <!-- ' ] > --> ]><svg>", Format::svg},
        {"<!DOCTYPE svg [ <!ENTITY a 'b'>", {}},
        {"<!DOCTYPE svg", {}},
        {"<!-- <svg>", {}},
        {"<?xml <svg>", {}},
        {"<svgx>", {}},
        {"<html><svg></html>", {}},
        {"<!DOCTYPE html><html><svg>", {}},
        {"text <svg>", {}},
        {"", {}},
        {"\xFF", {}},
        {"BM\0\0"s, {}},
    };
    for (const auto& [head, format] : cases) {
        EXPECT_EQ(sniff_text(head), format) << head;
    }
}

TEST(Sniff, StandsAnyBytesAndAnyLength) {
    std::mt19937 random(1);  // NOLINT: the same each time
    const std::string starts[] = {"",
                                  "<!DOCTYPE ",
                                  "<!--",
                                  "<?",
                                  "\0\0\0\x20"
                                  "ftyp"s,
                                  "\xFF\xFF\xFF\xFF"
                                  "ftypmif1",
                                  "RIFF"};
    const std::string alphabet = "<>!-?\"'[] svgavif\0\xFF"s;
    for (int i = 0; i < 5000; ++i) {
        std::string text = starts[random() % std::size(starts)];
        for (std::size_t length = random() % 40; length > 0; --length) {
            text += alphabet[random() % alphabet.size()];
        }
        // An own allocation of the exact length, for the sanitizers.
        const std::vector<std::uint8_t> bytes(text.begin(), text.end());
        (void)sniff(bytes);
    }
}

}  // namespace
}  // namespace media
