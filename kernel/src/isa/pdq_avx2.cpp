#define JIKIMI_ISA avx2
#define JIKIMI_LANES 8
#include "../generic/pdq-inl.h"
