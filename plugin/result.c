/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/result.h"

PmtResult *
pmt_result_new (const PmtRect *box, GBytes *picture, GBytes *blend, gint64 seed, JsonObject *recipe, PmtInputs *inputs)
{
  PmtResult *result = g_new0 (PmtResult, 1);

  result->box = *box;
  result->picture = g_bytes_ref (picture);
  result->blend = blend ? g_bytes_ref (blend) : NULL;
  result->seed = seed;
  result->recipe = json_object_ref (recipe);
  result->inputs = pmt_inputs_ref (inputs);
  result->references = 1;
  return result;
}

PmtResult *
pmt_result_ref (PmtResult *result)
{
  result->references++;
  return result;
}

void
pmt_result_unref (PmtResult *result)
{
  if (!result || --result->references > 0)
    return;
  g_bytes_unref (result->picture);
  g_clear_pointer (&result->blend, g_bytes_unref);
  json_object_unref (result->recipe);
  pmt_inputs_free (result->inputs);
  g_clear_pointer (&result->maps, g_ptr_array_unref);
  g_free (result->kept);
  g_free (result);
}

GPtrArray *
pmt_results_new (void)
{
  return g_ptr_array_new_with_free_func ((GDestroyNotify) pmt_result_unref);
}
