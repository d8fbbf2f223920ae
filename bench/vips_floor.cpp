// The floor that the misses are held against: what libvips needs for the same rendition when there is no
// server around it. Originals are in memory, and one thread makes one rendition after the other for a while.
//
//   vips_floor --seconds 3 --width 400 --format webp --quality 80 --effort 2 --vectors 0 a.jpg
//
// libvips' vector code (liborc) makes it up to twice as fast, but several threads of one process crash in the
// liborc of Debian 12. So a server must do without (--vectors 0); this one thread need not (--vectors 1).
//
// Prints one line of JSON; "cpu" is user and system time of the whole process.
#include <sys/resource.h>
#include <vips/vips.h>

#include <vips/vector.h>  // which needs the one above

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

namespace {

struct Job {
    int width = 400;
    int quality = 80;
    int effort = 4;
    bool webp = false;
    std::vector<std::string> originals;
};

/// The most memory that this program has had. Not getrusage()'s, which counts what the caller had when it
/// forked.
long peak_kb() {
    std::ifstream status("/proc/self/status");
    for (std::string word; status >> word;) {
        if (word == "VmHWM:") {
            long kilobytes = 0;
            status >> kilobytes;
            return kilobytes;
        }
    }
    return 0;
}

/// Makes one rendition and gives its size in bytes; 0 on error.
std::size_t render(const Job& job, const std::string& original) {
    VipsImage* image = nullptr;
    // libvips does not write to the buffer; its C signature only lacks the const.
    if (vips_thumbnail_buffer(const_cast<char*>(original.data()), original.size(), &image, job.width,
                              "height", VIPS_MAX_COORD, "size", VIPS_SIZE_DOWN, nullptr) != 0) {
        return 0;
    }
    void* data = nullptr;
    std::size_t size = 0;
    const int failed =
        job.webp ? vips_webpsave_buffer(image, &data, &size, "Q", job.quality, "effort", job.effort, "strip",
                                        TRUE, nullptr)
                 : vips_jpegsave_buffer(image, &data, &size, "Q", job.quality, "strip", TRUE, nullptr);
    g_object_unref(image);
    g_free(data);
    return failed == 0 ? size : 0;
}

double cpu_seconds() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    const auto seconds = [](const timeval& t) {
        return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) / 1e6;
    };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

}  // namespace

int main(int argc, char** argv) {
    Job job;
    double seconds = 3;
    bool vectors = false;
    for (int i = 1; i < argc; i++) {
        const std::string_view name = argv[i];
        if (!name.starts_with("--")) {
            std::ifstream file(argv[i], std::ios::binary);
            job.originals.emplace_back(std::istreambuf_iterator<char>(file),
                                       std::istreambuf_iterator<char>());
            continue;
        }
        if (++i == argc) {
            std::fprintf(stderr, "vips_floor: %s needs a value\n", argv[i - 1]);
            return 2;
        }
        if (name == "--seconds") {
            seconds = std::atof(argv[i]);
        } else if (name == "--width") {
            job.width = std::atoi(argv[i]);
        } else if (name == "--quality") {
            job.quality = std::atoi(argv[i]);
        } else if (name == "--effort") {
            job.effort = std::atoi(argv[i]);
        } else if (name == "--vectors") {
            vectors = std::atoi(argv[i]) != 0;
        } else if (name == "--format") {
            job.webp = std::string_view(argv[i]) == "webp";
        } else {
            std::fprintf(stderr, "vips_floor: unknown option %s\n", argv[i - 1]);
            return 2;
        }
    }
    if (job.originals.empty() || VIPS_INIT(argv[0]) != 0) {
        std::fprintf(stderr, "vips_floor: no originals, or no libvips\n");
        return 2;
    }
    vips_vector_set_enabled(vectors ? TRUE : FALSE);
    vips_concurrency_set(1);
    vips_cache_set_max(0);

    std::size_t bytes = 0;
    for (const auto& original : job.originals) {  // warm up, and show what comes out
        const std::size_t size = render(job, original);
        if (size == 0) {
            std::fprintf(stderr, "vips_floor: %s\n", vips_error_buffer());
            return 1;
        }
        bytes += size;
    }

    std::uint64_t count = 0;
    const double cpu = cpu_seconds();
    const auto start = std::chrono::steady_clock::now();
    const auto stop = start + std::chrono::duration<double>(seconds);
    for (; std::chrono::steady_clock::now() < stop; count++) {
        if (render(job, job.originals[count % job.originals.size()]) == 0) {
            std::fprintf(stderr, "vips_floor: %s\n", vips_error_buffer());
            return 1;
        }
    }
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - start;
    std::printf(
        "{\"count\":%llu,\"cpu\":%.6f,\"seconds\":%.6f,\"bytes\":%zu,\"peak_kb\":%ld,\"vips\":\"%s\"}\n",
        static_cast<unsigned long long>(count), cpu_seconds() - cpu, took.count(),
        bytes / job.originals.size(), peak_kb(), vips_version_string());
    return 0;
}
