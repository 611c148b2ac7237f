/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/estimate.h"

#include <glib/gi18n.h>
#include <math.h>

#include "plugin/recipe.h"

static gboolean
read_most (JsonObject *message, PmtEstimate *estimate)
{
  JsonNode *node = json_object_get_member (message, "largest");
  g_autoptr (JsonObject) sized = json_object_new ();

  if (!node)
    return FALSE;
  json_object_set_member (sized, "size", json_node_copy (node));
  return pmt_recipe_get_size (sized, &estimate->most_width, &estimate->most_height);
}

void
pmt_estimate_read (JsonObject *message, PmtEstimate *estimate)
{
  *estimate = (PmtEstimate) { .seconds = -1 };
  if (!pmt_recipe_get_size (message, &estimate->width, &estimate->height))
    estimate->width = estimate->height = 0;
  estimate->memory = json_object_get_double_member_with_default (message, "memory-bytes", 0);
  estimate->available = json_object_get_double_member_with_default (message, "available-bytes", 0);
  estimate->seconds = json_object_get_double_member_with_default (message, "seconds", -1);
  estimate->tiled = json_object_get_boolean_member_with_default (message, "tiled", FALSE);
  if (!isfinite (estimate->seconds))
    estimate->seconds = -1;
  if (!read_most (message, estimate))
    estimate->most_width = estimate->most_height = 0;
}

gboolean
pmt_estimate_fits (const PmtEstimate *estimate)
{
  return !(estimate->memory > estimate->available);
}

char *
pmt_estimate_size (int width, int height)
{
  return g_strdup_printf (_("%d × %d"), width, height);
}

/* Two digits are what an estimate is worth. */
static double
rounded (double value)
{
  const double unit = pow (10, floor (log10 (MAX (value, 1))) - 1);

  return rint (value / unit) * unit;
}

static char *
time_text (double seconds)
{
  if (seconds < 1)
    return g_strdup (_("about a second"));
  if (seconds < 120) {
    const int whole = (int) rint (rounded (seconds));
    return g_strdup_printf (ngettext ("about %d s", "about %d s", whole), whole);
  }
  if (seconds < 7200)
    return g_strdup_printf (_("about %.0f min"), rounded (seconds / 60));
  return g_strdup_printf (_("about %.1f h"), seconds / 3600);
}

static char *
memory_text (double bytes)
{
  return g_format_size ((guint64) rounded (MAX (bytes, 1e6)));
}

gboolean
pmt_estimate_enlarges (int width, int height, int place_width, int place_height)
{
  return 3.0 * width < 2.0 * place_width || 3.0 * height < 2.0 * place_height;
}

/* With what becomes of it. */
static char *
size_text (const PmtEstimate *estimate)
{
  g_autofree char *bare = pmt_estimate_size (estimate->width, estimate->height);
  g_autofree char *size = estimate->shrunk ? g_strdup_printf (_("%s (painted smaller: memory is short)"), bare) : g_strdup (bare);
  g_autofree char *place = pmt_estimate_size (estimate->place_width, estimate->place_height);
  g_autofree char *becomes = NULL;

  if (pmt_estimate_enlarges (estimate->width, estimate->height, estimate->place_width, estimate->place_height))
    becomes = g_strdup_printf (_("%s, enlarged to %s"), size, place);
  else
    becomes = g_steal_pointer (&size);
  if (estimate->everything)
    return g_strdup_printf (_("Nothing is selected, so all of the picture is painted: %s"), becomes);
  return g_steal_pointer (&becomes);
}

char *
pmt_estimate_line (const PmtEstimate *estimate)
{
  g_autofree char *size = size_text (estimate);
  g_autofree char *memory = memory_text (estimate->memory);
  g_autofree char *time = estimate->seconds >= 0 ? time_text (estimate->seconds) : g_strdup (_("time not measured yet"));

  if (estimate->tiled)
    return g_strdup_printf (_("%s, %s (in tiles), %s"), size, memory, time);
  return g_strdup_printf (_("%s, %s, %s"), size, memory, time);
}

char *
pmt_estimate_refusal (const PmtEstimate *estimate)
{
  g_autofree char *size = pmt_estimate_size (estimate->width, estimate->height);
  g_autofree char *memory = memory_text (estimate->memory);
  g_autofree char *free_memory = memory_text (estimate->available);
  g_autofree char *most = pmt_estimate_size (estimate->most_width, estimate->most_height);

  if (estimate->fixed)
    return g_strdup_printf (_("Painting at %s needs %s of memory and %s are free: close other programs, or run the recipe in a smaller selection."),
                            size, memory, free_memory);
  if (estimate->most_width > 0)
    return g_strdup_printf (_("Painting at %s needs %s of memory and %s are free: paint at %s at most, or close other programs."), size,
                            memory, free_memory, most);
  return g_strdup_printf (_("Painting at %s needs %s of memory and %s are free: close other programs, or choose a smaller model."), size,
                          memory, free_memory);
}

char *
pmt_estimate_learning_line (const PmtEstimate *estimate)
{
  g_autofree char *memory = memory_text (estimate->memory);
  g_autofree char *time = estimate->seconds >= 0 ? time_text (estimate->seconds) : g_strdup (_("time not measured yet"));

  return g_strdup_printf (_("%s, %s"), memory, time);
}

char *
pmt_estimate_learning_refusal (const PmtEstimate *estimate)
{
  g_autofree char *memory = memory_text (estimate->memory);
  g_autofree char *free_memory = memory_text (estimate->available);

  return g_strdup_printf (_("Learning this needs %s of memory and %s are free: give a smaller width and height under Advanced, close other programs, or choose a "
                            "smaller model."), memory, free_memory);
}

char *
pmt_estimate_left (double seconds)
{
  const int whole = (int) ceil (seconds);

  if (whole < 60)
    return g_strdup_printf (ngettext ("%d second left", "%d seconds left", whole), whole);
  if (whole < 7200)
    return g_strdup_printf (_("%d min %02d s left"), whole / 60, whole % 60);
  return g_strdup_printf (_("%d h %02d min left"), whole / 3600, whole % 3600 / 60);
}
