#define JIKIMI_ISA avx512
#include "../generic/pdq-inl.h"
