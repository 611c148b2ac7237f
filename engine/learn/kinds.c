/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/learn/kind.h"

#include <string.h>

#include "engine/base/error.h"

extern const PmtLearnKind pmt_learn_kind_word, pmt_learn_kind_lora;

const PmtLearnKind *const pmt_learn_kinds[] = { &pmt_learn_kind_word, &pmt_learn_kind_lora, NULL };

const PmtLearnKind *
pmt_learn_kind_find (const char *id, GError **error)
{
  g_autoptr (GString) all = g_string_new (NULL);
  for (int i = 0; pmt_learn_kinds[i]; i++) {
    if (strcmp (pmt_learn_kinds[i]->id, id) == 0)
      return pmt_learn_kinds[i];
    g_string_append_printf (all, "%s%s", i ? ", " : "", pmt_learn_kinds[i]->id);
  }
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("Nothing called '%s' can be learned; there are %s."), id, all->str);
  return NULL;
}
