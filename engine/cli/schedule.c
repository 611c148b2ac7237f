/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>
#include <stdlib.h>

#include "engine/cli/cli.h"
#include "engine/sample/model.h"
#include "engine/sample/sampler.h"

static JsonArray *
numbers (const double *values, int n)
{
  JsonArray *array = json_array_new ();

  for (int i = 0; i < n; i++)
    json_array_add_double_element (array, values[i]);
  return array;
}

static void
print_json (const PmtSampler *sampler, const PmtGrid *grid, int steps)
{
  g_autoptr (JsonNode) node = json_node_new (JSON_NODE_OBJECT);
  JsonObject *object = json_object_new ();

  json_object_set_string_member (object, "sampler", sampler->id);
  json_object_set_int_member (object, "steps", steps);
  json_object_set_array_member (object, "timesteps", numbers (grid->timestep, grid->n));
  json_object_set_array_member (object, "sigmas", numbers (grid->sigma, grid->n + 1));
  json_object_set_double_member (object, "init_noise_sigma", grid->init_sigma);
  json_node_take_object (node, object);
  pmt_cli_print_json (node);
}

static PmtGrid *
make_grid (const char *model_path, const PmtSampler *sampler, int steps, GError **error)
{
  PmtModel *model = pmt_model_open (model_path, error);
  PmtSchedule *schedule;
  PmtGrid *grid;

  if (!model)
    return NULL;
  schedule = pmt_schedule_new (pmt_model_schedule (model), error);
  grid = schedule ? sampler->grid (schedule, steps, 1.0, error) : NULL;
  pmt_schedule_free (schedule);
  pmt_model_unref (model);
  return grid;
}

static gboolean
run (int argc, char **argv, GError **error)
{
  g_autofree char *model = NULL, *id = NULL;
  int steps = 20;
  gboolean json = FALSE;
  const GOptionEntry entries[] = {
    { "sampler", 0, 0, G_OPTION_ARG_FILENAME, &id, "One that 'samplers' lists (default: dpmpp-2m-karras)", "ID" },
    { "steps", 0, 0, G_OPTION_ARG_INT, &steps, "Steps (default: 20)", "N" },
    { "model", 0, 0, G_OPTION_ARG_FILENAME, &model, "Whose noise schedule (default: the bundled model's)", "PATH" },
    { "json", 0, 0, G_OPTION_ARG_NONE, &json, "Print JSON: timesteps, and one sigma more", NULL },
    G_OPTION_ENTRY_NULL,
  };
  const PmtSampler *sampler;
  PmtGrid *grid;

  if (!pmt_cli_parse (&pmt_command_schedule, NULL, NULL, entries, argc, argv, NULL, 0, error))
    return FALSE;
  sampler = pmt_sampler_find (id ? id : "dpmpp-2m-karras", error);
  grid = sampler ? make_grid (model, sampler, steps, error) : NULL;
  if (!grid)
    return FALSE;
  if (json)
    print_json (sampler, grid, steps);
  else {
    for (int i = 0; i < grid->n; i++)
      printf ("%3d  timestep %10.4f  sigma %.6f\n", i, grid->timestep[i], grid->sigma[i]);
    printf ("end                      sigma %.6f\n", grid->sigma[grid->n]);
  }
  pmt_grid_free (grid);
  return TRUE;
}

const PmtCommand pmt_command_schedule = { "schedule", "Show where a sampler evaluates the network: timesteps and sigmas.", run };
