/* SPDX-License-Identifier: GPL-3.0-or-later */
/* How many times as long as on a processor something may take: 1, or what PMT_TEST_PATIENCE says where tests run under an emulator. */
#pragma once

#include <glib.h>

static inline gint64
pmt_test_patience (void)
{
  const char *text = g_getenv ("PMT_TEST_PATIENCE");
  return text ? g_ascii_strtoll (text, NULL, 10) : 1;
}
