#define JIKIMI_ISA avx512
#define JIKIMI_LANES 16
#include "../generic/pdq-inl.h"
