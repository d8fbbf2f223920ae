// The documents say what the tables say.
#include <gtest/gtest.h>

#include <algorithm>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "core/rendition/format.h"
#include "core/rendition/parse.h"

namespace media {
namespace {

std::string module_readme() {
    std::ifstream file(SOURCE_DIR "/module/README.md");
    return {std::istreambuf_iterator<char>(file), {}};
}

TEST(Docs, ParameterTableStandsInTheModulesReadme) {
    std::string rows = "| name | values | meaning |\n|---|---|---|\n";
    for (const ParameterInfo& parameter : parameters()) {
        rows += "| `" + std::string{parameter.name} + "` | " + std::string{parameter.values} + " | " +
                std::string{parameter.meaning} + " |\n";
    }
    EXPECT_NE(module_readme().find(rows + "\n"), std::string::npos) << "module/README.md should hold:\n"
                                                                    << rows;
}

TEST(Docs, DefaultsOfFormatsStandInTheModulesReadme) {
    std::string quality;
    std::string effort;
    for (const FormatInfo& format : formats()) {
        const auto add = [&format](std::string& list, int value) {
            list += (list.empty() ? "" : " ") + std::string{format.name} + "=" + std::to_string(value);
        };
        if (format.quality != 0) {
            add(quality, format.quality);
        }
        if (format.effort_max != 0) {
            add(effort, format.effort);
        }
    }
    EXPECT_NE(module_readme().find("| M S L | " + quality + " |"), std::string::npos) << quality;
    EXPECT_NE(module_readme().find("| M S L | " + effort + " |"), std::string::npos) << effort;
}

}  // namespace
}  // namespace media
