/*
 * interrupt.c
 *		Ctrl-C, as something that can be waited for.
 *
 * A signal handler may do next to nothing, and a signal that comes between
 * looking at a flag and waiting would be missed: the handler writes to a pipe
 * that the waiting loop reads.
 */
#include "client.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

static volatile sig_atomic_t count;
static int descriptors[2] = {-1, -1};

static void
on_signal(int number)
{
	int before = errno;

	(void) number;
	count++;
	/* a full pipe has woken the reader already */
	if (write(descriptors[1], "", 1) < 0)
		errno = before;
	errno = before;
}

void
interrupt_begin(void)
{
	struct sigaction action = {.sa_handler = on_signal};

	if (descriptors[0] >= 0 || pipe(descriptors) != 0)
		return;
	for (int i = 0; i < 2; i++)
	{
		fcntl(descriptors[i], F_SETFL, O_NONBLOCK);
		fcntl(descriptors[i], F_SETFD, FD_CLOEXEC);
	}
	sigemptyset(&action.sa_mask);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
}

int
interrupt_count(void)
{
	return count;
}

int
interrupt_descriptor(void)
{
	return descriptors[0];
}

void
interrupt_drain(void)
{
	char bytes[64];

	while (read(descriptors[0], bytes, sizeof(bytes)) > 0)
		;
}
