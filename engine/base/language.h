/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The user's language for what is marked with _(). */
#pragma once

/* From here on _() gives the language that the environment asks for (LANGUAGE, LC_ALL, LC_MESSAGES, LANG), out of the catalogues in
 * locale/ beside the program, in a build tree those of po/. Numbers stay as they are in C. Call it before any thread is started.
 * `serve` does, since a person in GIMP reads its sentences; commands do not: they speak English, and scripts read them. */
void pmt_language_use (void);
