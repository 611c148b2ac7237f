/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <glib/gstdio.h>
#include <math.h>
#include <stdatomic.h>

#include "engine/base/cpu.h"
#include "engine/base/threads.h"
#include "engine/job/private.h"
#include "engine/kernels/ceiling.h"
#include "engine/kernels/packed.h"

/* How much a run counts beside the runs before it. */
#define FADING 0.5

/* What kinds of work reach of the best product in the same precision, for machines that have run nothing yet: the UNet's by `bench` with
 * Stable Diffusion 1.5 at 512 x 512 in bf16 on two threads, the autoencoder's guessed from its total there. */
static const double usual[PMT_WORKS] = { 0.91, 0.8, 0.68, 0.02, 0.9, 0.8, 0.35, 0.02 };

/* Two workers ask and learn. */
static GMutex lock;
/* Jobs at work, and how many there ever were. */
static atomic_int running;
static atomic_uint begun;

static char *
speed_path (void)
{
  return g_build_filename (g_get_user_cache_dir (), "pentimento", "speed.json", NULL);
}

/* What speed depends on beside the model; "best" with one that was never run. */
static char *
speed_key (PmtModel *model, gboolean best)
{
  g_autofree char *which = best ? g_strdup ("best") : g_strdup_printf ("%s %d", pmt_model_family (model), pmt_model_native_size (model));
  PmtCpuLevel level = PMT_CPU_PORTABLE;

  pmt_cpu_select (&level, NULL);
  return g_strdup_printf ("%s %s %s %s %d", which, pmt_cpu_model (), pmt_cpu_name (level), pmt_precision_name (pmt_model_precision (model)),
                          pmt_threads ());
}

static JsonObject *
speed_load (void)
{
  g_autofree char *path = speed_path ();
  g_autoptr (JsonParser) parser = json_parser_new ();
  JsonNode *root;

  if (json_parser_load_from_file (parser, path, NULL) && (root = json_parser_get_root (parser)) && JSON_NODE_HOLDS_OBJECT (root))
    return json_object_ref (json_node_get_object (root));
  return json_object_new ();
}

static void
speed_store (JsonObject *speeds)
{
  g_autofree char *path = speed_path (), *folder = g_path_get_dirname (path), *text = NULL;
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);

  json_node_set_object (node, speeds);
  text = json_to_string (node, TRUE);
  if (g_mkdir_with_parents (folder, 0700) == 0)
    g_file_set_contents (path, text, -1, NULL);
}

/* A list of `n` numbers at least 0; FALSE when it is anything else. */
static gboolean
read_numbers (JsonObject *object, const char *name, double *values, guint n)
{
  JsonNode *node = object ? json_object_get_member (object, name) : NULL;
  JsonArray *array = node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;

  if (!array || json_array_get_length (array) != n)
    return FALSE;
  for (guint i = 0; i < n; i++) {
    values[i] = json_array_get_double_element (array, i);
    if (!isfinite (values[i]) || values[i] < 0)
      return FALSE;
  }
  return TRUE;
}

static JsonObject *
entry_of (JsonObject *speeds, const char *key)
{
  JsonNode *node = json_object_get_member (speeds, key);

  return node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

static JsonArray *
numbers (const double *values, guint n)
{
  JsonArray *array = json_array_new ();

  for (guint i = 0; i < n; i++)
    json_array_add_double_element (array, values[i]);
  return array;
}

/* Operations per second of the best product here, as measured before; 0 when it was not. */
static double
known_best (PmtModel *model, JsonObject *speeds)
{
  g_autofree char *key = speed_key (model, TRUE);
  JsonNode *node = json_object_get_member (speeds, key);
  double best = node && JSON_NODE_HOLDS_VALUE (node) ? json_node_get_double (node) : 0;

  return isfinite (best) && best > 0 ? best : 0;
}

void
pmt_speed_job (gboolean begins)
{
  atomic_fetch_add (&running, begins ? 1 : -1);
  if (begins)
    atomic_fetch_add (&begun, 1);
}

/* The same, measured now; 0 when it cannot be. Takes about a second, in which jobs that end must not have to wait for the lock. What is
 * measured beside a job is too slow, and not kept. */
static double
measure_best (PmtModel *model)
{
  g_autofree char *key = speed_key (model, TRUE);
  const unsigned before = atomic_load (&begun);
  gboolean alone = atomic_load (&running) == 0;
  PmtCeiling ceiling = { 0 };
  PmtCpuLevel level;
  JsonObject *speeds;
  double best;

  if (!pmt_cpu_select (&level, NULL) || !pmt_ceiling_measure (&ceiling, pmt_kernels_get (level), false, NULL, NULL))
    return 0;
  best = 1e9 * pmt_ceiling_product (&ceiling, pmt_model_precision (model));
  alone = alone && atomic_load (&begun) == before;
  if (!alone)
    return best;
  g_mutex_lock (&lock);
  speeds = speed_load ();
  json_object_set_double_member (speeds, key, best);
  speed_store (speeds);
  json_object_unref (speeds);
  g_mutex_unlock (&lock);
  return best;
}

/* Seconds per operation; what was never run is judged by the same kind of work in the other networks, else by the best product. FALSE where
 * that is needed and `best` is 0. */
static gboolean
find_pace (PmtModel *model, JsonObject *speeds, double best, double pace[PMT_WORKS])
{
  gboolean complete = TRUE;
  g_autofree char *key = speed_key (model, FALSE);
  JsonObject *entry = entry_of (speeds, key);
  double work[PMT_WORKS], seconds[PMT_WORKS];
  const gboolean known = read_numbers (entry, "work", work, PMT_WORKS) && read_numbers (entry, "seconds", seconds, PMT_WORKS);

  for (int i = 0; i < PMT_WORKS; i++) {
    const int other = (i + PMT_WORK_KINDS) % PMT_WORKS;
    pace[i] = 0;
    if (known && work[i] > 0)
      pace[i] = seconds[i] / work[i];
    else if (known && work[other] > 0)
      pace[i] = seconds[other] / work[other];
    else if (best > 0)
      pace[i] = 1 / (usual[i] * best);
    else
      complete = FALSE;
  }
  return complete;
}

double
pmt_speed_seconds (PmtModel *model, const double work[PMT_WORKS])
{
  double pace[PMT_WORKS], seconds = 0;
  JsonObject *speeds;

  g_mutex_lock (&lock);
  speeds = speed_load ();
  g_mutex_unlock (&lock);
  if (!find_pace (model, speeds, known_best (model, speeds), pace))
    find_pace (model, speeds, measure_best (model), pace);
  json_object_unref (speeds);
  for (int i = 0; i < PMT_WORKS; i++) {
    if (work[i] > 0 && !(pace[i] > 0))
      return -1;
    seconds += work[i] * pace[i];
  }
  return seconds;
}

void
pmt_speed_learn (PmtModel *model, const double work[PMT_WORKS], const double seconds[PMT_WORKS])
{
  g_autofree char *key = speed_key (model, FALSE);
  double all_work[PMT_WORKS], all_seconds[PMT_WORKS];
  JsonObject *speeds, *entry;

  g_mutex_lock (&lock);
  speeds = speed_load ();
  entry = entry_of (speeds, key);
  if (!read_numbers (entry, "work", all_work, PMT_WORKS) || !read_numbers (entry, "seconds", all_seconds, PMT_WORKS))
    for (int i = 0; i < PMT_WORKS; i++)
      all_work[i] = all_seconds[i] = 0;
  for (int i = 0; i < PMT_WORKS; i++) {
    if (!(work[i] > 0 && seconds[i] > 0))
      continue;
    all_work[i] = FADING * all_work[i] + work[i];
    all_seconds[i] = FADING * all_seconds[i] + seconds[i];
  }
  entry = json_object_new ();
  json_object_set_array_member (entry, "work", numbers (all_work, PMT_WORKS));
  json_object_set_array_member (entry, "seconds", numbers (all_seconds, PMT_WORKS));
  json_object_set_object_member (speeds, key, entry);
  speed_store (speeds);
  json_object_unref (speeds);
  g_mutex_unlock (&lock);
}
