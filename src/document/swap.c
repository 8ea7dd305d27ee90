#include "document/reshape.h"

/* until it is written elsewhere */
__attribute__((weak)) void
dbvc_release_swap(const DbvcAdopted *adopted)
{
	elog(ERROR, "not there yet");
}
