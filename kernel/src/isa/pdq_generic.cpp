#define JIKIMI_ISA generic
#define JIKIMI_LANES 4
#include "../generic/pdq-inl.h"
