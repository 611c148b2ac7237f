/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The GIMP that this plug-in's process was started by: programs of a plug-in end with each call, GIMP goes on. */
#pragma once

#include <glib.h>

/* "PID-START": which process it is and when it was started (in the system's ticks), so that another process of the same number is not
 * taken for it. Newly allocated. */
char *pmt_session_name (void);

/* Whether the process that the name stands for is there; FALSE for what is no such name. */
gboolean pmt_session_lives (const char *name);

/* Starts a program that waits for the end of the session, without using the processor, and then cleans up (see below). It outlives this call
 * and GIMP. */
void pmt_session_watch (const char *name);

/* For main: when the arguments are those of the watching program, waits, calls `after` with the name and returns TRUE. */
gboolean pmt_session_is_watcher (int argc, char *argv[], void (*after) (const char *name));
