/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <glib/gstdio.h>
#include <math.h>

#include "engine/base/cpu.h"
#include "engine/base/threads.h"
#include "engine/job/private.h"
#include "engine/kernels/packed.h"

static char *
speed_path (void)
{
  return g_build_filename (g_get_user_cache_dir (), "pentimento", "speed.json", NULL);
}

/* Small networks reach fewer operations per second than big ones, and threads and instructions matter. */
static char *
speed_key (PmtModel *model)
{
  PmtCpuLevel level = PMT_CPU_PORTABLE;

  pmt_cpu_select (&level, NULL);
  return g_strdup_printf ("%s %d %s %s %s %d", pmt_model_family (model), pmt_model_native_size (model), pmt_cpu_model (),
                          pmt_cpu_name (level), pmt_precision_name (pmt_model_precision (model)), pmt_threads ());
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

double
pmt_speed_read (PmtModel *model)
{
  g_autofree char *key = speed_key (model);
  JsonObject *speeds = speed_load ();
  JsonNode *node = json_object_get_member (speeds, key);
  double speed = node && JSON_NODE_HOLDS_VALUE (node) ? json_node_get_double (node) : 0;

  json_object_unref (speeds);
  return isfinite (speed) && speed > 0 ? speed : 0;
}

void
pmt_speed_write (PmtModel *model, double flops_per_second)
{
  g_autofree char *key = speed_key (model), *path = speed_path (), *folder = g_path_get_dirname (path), *text = NULL;
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *speeds;

  if (!isfinite (flops_per_second) || flops_per_second <= 0)
    return;
  speeds = speed_load ();
  json_object_set_double_member (speeds, key, flops_per_second);
  json_node_take_object (node, speeds);
  text = json_to_string (node, TRUE);
  if (g_mkdir_with_parents (folder, 0700) == 0)
    g_file_set_contents (path, text, -1, NULL);
}
