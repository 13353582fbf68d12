// The Python module: every part binds itself in bindings_<part>.cpp. Bindings check shapes, release the lock and call.

#include <nanobind/nanobind.h>

void bind_search(nanobind::module_& module);
#ifdef JIKIMI_WITH_PDQ
void bind_pdq(nanobind::module_& module);
#endif

NB_MODULE(_native, module) {
    bind_search(module);
#ifdef JIKIMI_WITH_PDQ
    bind_pdq(module);
#endif
}
