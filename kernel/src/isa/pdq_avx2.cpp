#define JIKIMI_ISA avx2
#include "../generic/pdq-inl.h"
