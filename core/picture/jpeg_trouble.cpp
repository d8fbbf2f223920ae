#include "core/picture/jpeg_trouble.h"

namespace media {

namespace {

JpegTrouble& trouble_of(j_common_ptr codec) {
    return *reinterpret_cast<JpegTrouble*>(codec->err);
}

void on_message(j_common_ptr codec, int level) {
    if (level >= 0) {
        return;
    }
    ++codec->err->num_warnings;
    if (trouble_of(codec).picky) {
        leave(codec);
    }
}

void on_output(j_common_ptr /*codec*/) {}

}  // namespace

void leave(j_common_ptr codec) {
    std::longjmp(trouble_of(codec).leave, 1);  // NOLINT(cert-err52-cpp): libjpeg is C
}

jpeg_error_mgr* prepare(JpegTrouble& trouble, bool picky) {
    jpeg_error_mgr* manager = jpeg_std_error(&trouble.manager);
    manager->error_exit = leave;
    manager->emit_message = on_message;
    manager->output_message = on_output;
    trouble.picky = picky;
    return manager;
}

}  // namespace media
