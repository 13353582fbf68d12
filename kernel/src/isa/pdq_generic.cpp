#define JIKIMI_ISA generic
#include "../generic/pdq-inl.h"
