/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "tests/methods/loras.h"

static Loras loras;

/* Strength 0 loads nothing; taken out, the model is what it was. */
static void
test_identity (void)
{
  PmtWeightEdit edit = loras_edit (&loras, "hyper-relu", 0, 1);
  PmtResult plain = loras_run (&loras, NULL, 0), none = loras_run (&loras, &edit, 1);
  runs_assert_equal (&plain, &none);
  edit.strength = 0.5;
  PmtResult half = loras_run (&loras, &edit, 1), again = loras_run (&loras, NULL, 0);
  runs_assert_differ (&half, &plain);
  runs_assert_equal (&again, &plain);
  pmt_result_clear (&plain);
  pmt_result_clear (&none);
  pmt_result_clear (&half);
  pmt_result_clear (&again);
  g_free ((char *) edit.path);
}

/* Beside a LoRA, and two in a row. */
static void
test_together (void)
{
  PmtWeightEdit edits[] = { loras_edit (&loras, "hyper-plain", 0.6, 0), loras_edit (&loras, "kohya", 0.5, 0.5),
                            loras_edit (&loras, "hyper-swish", 0.4, 0) };
  PmtResult one = loras_run (&loras, edits, 1), two = loras_run (&loras, edits, 2), three = loras_run (&loras, edits, 3);
  runs_assert_differ (&two, &one);
  runs_assert_differ (&three, &two);
  pmt_result_clear (&one);
  pmt_result_clear (&two);
  pmt_result_clear (&three);
  for (int i = 0; i < 3; i++)
    g_free ((char *) edits[i].path);
}

typedef struct Made {
  const char *key, *value; /* metadata */
  int middle;              /* width in the middle; the network is 32 -> middle -> out */
  int out, width;
} Made;

static char *
make (Made m)
{
  static const float zeros[64 * 64];
  GError *error = NULL;
  g_autoptr (GHashTable) metadata = g_hash_table_new (g_str_hash, g_str_equal);
  char names[8][32];
  PmtSafetensorOut out[8];
  for (int k = 0; k < 2; k++)
    for (int i = 0; i < 2; i++) {
      const int64_t from = i ? m.middle : m.width, to = i ? m.out : m.middle;
      g_snprintf (names[4 * k + 2 * i], sizeof names[0], "%d.%d.linear.%d.weight", m.width, k, 2 * i);
      g_snprintf (names[4 * k + 2 * i + 1], sizeof names[0], "%d.%d.linear.%d.bias", m.width, k, 2 * i);
      out[4 * k + 2 * i] = (PmtSafetensorOut) { .name = names[4 * k + 2 * i], .dtype = PMT_DTYPE_F32, .rank = 2, .dim = { to, from }, .data = zeros };
      out[4 * k + 2 * i + 1] = (PmtSafetensorOut) { .name = names[4 * k + 2 * i + 1], .dtype = PMT_DTYPE_F32, .rank = 1, .dim = { to }, .data = zeros };
    }
  if (m.key)
    g_hash_table_insert (metadata, (gpointer) m.key, (gpointer) m.value);
  char *path = g_strdup_printf ("%s/pmt-hyper-%d.safetensors", g_get_tmp_dir (), (int) getpid ());
  pmt_safetensors_write (path, out, 8, metadata, &error);
  g_assert_no_error (error);
  return path;
}

static void
refused (Made m, PmtError code, const char *part)
{
  g_autofree char *path = make (m);
  const PmtWeightEdit edit = { path, 1, 0 };
  PmtRequest q = loras.request;
  q.weight_edits = &edit;
  q.n_weight_edits = 1;
  runs_refused (&q, code, part);
  g_remove (path);
}

static void
test_refusals (void)
{
  /* The model's text is 32 wide, and files are known by the widths of real models: 320 stands for one of those. */
  refused ((Made) { .middle = 4, .out = 320, .width = 320 }, PMT_ERROR_UNSUPPORTED, "no text of width 32");
  refused ((Made) { .middle = 4, .out = 8, .width = 320 }, PMT_ERROR_FORMAT, "does not lead back");
  refused ((Made) { .key = "activation_func", .value = "Snake", .middle = 4, .out = 320, .width = 320 }, PMT_ERROR_UNSUPPORTED, "'Snake'");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  loras_open (&loras);
  loras_add_cases (&loras, "hyper", false);
  g_test_add_func ("/hypernetwork/identity", test_identity);
  g_test_add_func ("/hypernetwork/together", test_together);
  g_test_add_func ("/hypernetwork/refusals", test_refusals);
  int status = g_test_run ();
  loras_close (&loras);
  return status;
}
