/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/recipe-text.h"

#include <glib/gi18n.h>
#include <string.h>

#include "plugin/modes.h"
#include "plugin/recipe.h"

/* The names that the web interface has for the engine's samplers; its schedule is a field of its own. */
static const char *const samplers[][3] = {
  { "ddim", "DDIM", NULL },
  { "ddpm", "DDPM", NULL },
  { "dpmpp-2m", "DPM++ 2M", NULL },
  { "dpmpp-2m-karras", "DPM++ 2M", "Karras" },
  { "dpmpp-2m-sde", "DPM++ 2M SDE", NULL },
  { "dpmpp-2m-sde-karras", "DPM++ 2M SDE", "Karras" },
  { "euler", "Euler", NULL },
  { "euler-a", "Euler a", NULL },
  { "euler-a-trailing", "Euler a", "SGM Uniform" },
  { "euler-karras", "Euler", "Karras" },
  { "euler-trailing", "Euler", "SGM Uniform" },
  { "heun", "Heun", NULL },
  { "heun-karras", "Heun", "Karras" },
  { "lcm", "LCM", NULL },
  { "pndm", "PLMS", NULL },
  { "unipc", "UniPC", NULL },
  { "unipc-karras", "UniPC", "Karras" },
};

/* ---- reading what may be of any type ---- */

static const char *
text_of (JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);
  const char *text = node && json_node_get_value_type (node) == G_TYPE_STRING ? json_node_get_string (node) : NULL;

  return text && text[0] ? text : NULL;
}

/* Newly allocated; NULL when it is no number. At most four digits, as people type them. */
static char *
number_of (JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);
  GType type = node ? json_node_get_value_type (node) : G_TYPE_INVALID;
  char buffer[G_ASCII_DTOSTR_BUF_SIZE];

  if (type == G_TYPE_INT64)
    return g_strdup_printf ("%" G_GINT64_FORMAT, json_node_get_int (node));
  if (type != G_TYPE_DOUBLE)
    return NULL;
  return g_strdup (g_ascii_formatd (buffer, sizeof buffer, "%.4g", json_node_get_double (node)));
}

static JsonArray *
array_of (JsonObject *object, const char *member)
{
  JsonNode *node = json_object_get_member (object, member);

  return node && JSON_NODE_HOLDS_ARRAY (node) && json_array_get_length (json_node_get_array (node)) ? json_node_get_array (node) : NULL;
}

static JsonObject *
object_at (JsonArray *array, guint i)
{
  JsonNode *node = json_array_get_element (array, i);

  return JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
}

/* What a path ends in, without the ending of a file's name. */
static char *
file_name (const char *path)
{
  char *name = g_path_get_basename (path);
  char *dot = strrchr (name, '.');

  if (dot && dot != name)
    *dot = '\0';
  return name;
}

/* ---- for people ---- */

static void
add_row (GPtrArray *rows, const char *label, const char *value)
{
  if (!value || !value[0])
    return;
  g_ptr_array_add (rows, g_strdup (label));
  g_ptr_array_add (rows, g_strdup (value));
}

static void
add_number (GPtrArray *rows, const char *label, JsonObject *recipe, const char *member)
{
  g_autofree char *value = number_of (recipe, member);

  add_row (rows, label, value);
}

/* "a: x=1, y=2", as procedures take methods, one in each line. */
static void
add_methods (GPtrArray *rows, JsonObject *recipe)
{
  JsonArray *methods = array_of (recipe, "methods");
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; methods && i < json_array_get_length (methods); i++) {
    JsonObject *method = object_at (methods, i);
    g_autoptr (GList) names = method ? json_object_get_members (method) : NULL;
    const char *before = ": ";
    if (!method || !text_of (method, "id"))
      continue;
    g_string_append_printf (text, "%s%s", text->len ? "\n" : "", text_of (method, "id"));
    for (GList *name = names; name; name = name->next) {
      g_autofree char *number = number_of (method, name->data);
      const char *value = number ? number : text_of (method, name->data);
      if (strcmp (name->data, "id") == 0 || !value)
        continue;
      g_string_append_printf (text, "%s%s=%s", before, (char *) name->data, value);
      before = ", ";
    }
  }
  add_row (rows, _("Methods"), text->str);
}

/* One line for each entry: its file, and with what strength. */
static void
add_files (GPtrArray *rows, const char *label, JsonObject *recipe, const char *list, const char *member, const char *kind)
{
  JsonArray *array = array_of (recipe, list);
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; array && i < json_array_get_length (array); i++) {
    JsonObject *entry = object_at (array, i);
    const char *path = entry ? text_of (entry, member) : NULL, *type = entry && kind ? text_of (entry, kind) : NULL;
    g_autofree char *name = path ? file_name (path) : g_strdup (_("the model's own")), *strength = entry ? number_of (entry, "strength") : NULL;
    if (!entry)
      continue;
    g_string_append_printf (text, "%s%s%s%s", text->len ? "\n" : "", type ? type : "", type ? ": " : "", name);
    if (strength)
      g_string_append_printf (text, " × %s", strength);
  }
  add_row (rows, label, text->str);
}

/* Those of a layout with a phrase each, or the places that have a prompt of their own. */
static void
add_boxes (GPtrArray *rows, JsonObject *recipe)
{
  JsonNode *node = json_object_get_member (recipe, "layout");
  JsonArray *phrases = node && JSON_NODE_HOLDS_OBJECT (node) ? array_of (json_node_get_object (node), "boxes") : NULL;
  JsonArray *boxes = phrases ? phrases : array_of (recipe, "region-prompts");
  const char *words = phrases ? "phrase" : "prompt";
  g_autoptr (GString) text = g_string_new (NULL);

  for (guint i = 0; boxes && i < json_array_get_length (boxes); i++) {
    JsonObject *box = object_at (boxes, i);
    if (box && text_of (box, words))
      g_string_append_printf (text, "%s%s", text->len ? "\n" : "", text_of (box, words));
  }
  add_row (rows, _("Boxes"), text->str);
}

/* Where it was painted, and how its edge was made. */
static void
add_region (GPtrArray *rows, JsonObject *recipe)
{
  JsonNode *node = json_object_get_member (recipe, "region");
  JsonObject *region = node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node) : NULL;
  g_autofree char *place = NULL;
  PmtRect box;

  if (!region)
    return;
  if (pmt_recipe_get_rect (region, "selection", &box))
    place = g_strdup_printf (_("%d × %d pixels at %d, %d"), box.width, box.height, box.x, box.y);
  add_row (rows, _("Place"), place);
  add_number (rows, _("Grow"), region, "grow");
  add_number (rows, _("Feather"), region, "feather");
}

GPtrArray *
pmt_recipe_rows (JsonObject *recipe)
{
  static const char *const tasks[][2] = { { "fill", N_("Fill") }, { "edit", N_("Edit") }, { "generate", N_("Generate") } };
  GPtrArray *rows = g_ptr_array_new_with_free_func (g_free);
  const char *task = text_of (recipe, "task"), *model = text_of (recipe, "model"), *prompt = text_of (recipe, "prompt");
  const char *shown = pmt_recipe_shown_prompt (recipe);
  g_autofree char *name = model ? file_name (model) : g_strdup (_("the one that comes with Pentimento"));
  const PmtMode *mode = text_of (recipe, "mode") ? pmt_mode_find (text_of (recipe, "mode")) : NULL;
  g_autofree char *size = NULL;
  int width, height;

  for (gsize i = 0; i < G_N_ELEMENTS (tasks); i++)
    if (g_strcmp0 (task, tasks[i][0]) == 0)
      add_row (rows, _("Task"), _(tasks[i][1]));
  if (mode && mode != pmt_modes) /* the first is the task itself */
    add_row (rows, _("Mode"), _(mode->label));
  add_row (rows, _("Prompt"), prompt);
  if (g_strcmp0 (prompt, shown) != 0)
    add_row (rows, _("Changed to"), shown);
  add_row (rows, _("Negative prompt"), text_of (recipe, "negative-prompt"));
  add_row (rows, _("Model"), name);
  add_number (rows, _("Seed"), recipe, "seed");
  if (pmt_recipe_get_size (recipe, &width, &height))
    size = g_strdup_printf ("%d × %d", width, height);
  add_row (rows, _("Size of the run"), size);
  add_number (rows, _("Steps"), recipe, "steps");
  add_row (rows, _("Sampler"), text_of (recipe, "sampler"));
  add_number (rows, _("Guidance"), recipe, "guidance");
  add_number (rows, _("Guidance by the text"), recipe, "text-guidance");
  add_number (rows, _("Guidance by the picture"), recipe, "image-guidance");
  add_number (rows, _("Strength"), recipe, "strength");
  add_files (rows, _("Controls"), recipe, "controls", "model", "type");
  add_files (rows, _("References"), recipe, "references", "model", NULL);
  add_files (rows, _("LoRAs"), recipe, "loras", "path", NULL);
  add_files (rows, _("Learned words"), recipe, "embeddings", "path", NULL);
  add_region (rows, recipe);
  add_boxes (rows, recipe);
  add_methods (rows, recipe);
  add_row (rows, _("Precision"), text_of (recipe, "precision"));
  add_row (rows, _("Engine"), text_of (recipe, "engine"));
  return rows;
}

/* ---- for other programs ---- */

/* A value that would end the field is written as a JSON string. */
static void
add_field (GString *line, const char *name, const char *value)
{
  g_autoptr (JsonNode) node = NULL;
  g_autofree char *quoted = NULL;

  if (!value || !value[0])
    return;
  if (strpbrk (value, ",:\n\"")) {
    node = json_node_init_string (json_node_alloc (), value);
    quoted = json_to_string (node, FALSE);
  }
  g_string_append_printf (line, "%s%s: %s", line->len ? ", " : "", name, quoted ? quoted : value);
}

static void
add_number_field (GString *line, const char *name, JsonObject *recipe, const char *member)
{
  g_autofree char *value = number_of (recipe, member);

  add_field (line, name, value);
}

/* Those that the recipe lists apart stand in the prompt there. */
static void
append_loras (GString *text, JsonObject *recipe)
{
  JsonArray *loras = array_of (recipe, "loras");

  for (guint i = 0; loras && i < json_array_get_length (loras); i++) {
    JsonObject *lora = object_at (loras, i);
    const char *path = lora ? text_of (lora, "path") : NULL;
    g_autofree char *name = path ? file_name (path) : NULL, *strength = lora ? number_of (lora, "strength") : NULL;
    if (name)
      g_string_append_printf (text, " <lora:%s:%s>", name, strength ? strength : "1");
  }
}

static void
add_sampler (GString *line, const char *id)
{
  const char *name = id, *schedule = NULL;

  for (gsize i = 0; i < G_N_ELEMENTS (samplers); i++)
    if (g_strcmp0 (id, samplers[i][0]) == 0) {
      name = samplers[i][1];
      schedule = samplers[i][2];
    }
  add_field (line, "Sampler", name);
  add_field (line, "Schedule type", schedule);
}

char *
pmt_recipe_parameters (JsonObject *recipe)
{
  g_autoptr (GString) line = g_string_new (NULL);
  GString *text = g_string_new (pmt_recipe_shown_prompt (recipe));
  const char *negative = text_of (recipe, "negative-prompt"), *model = text_of (recipe, "model"), *engine = text_of (recipe, "engine");
  g_autofree char *name = model ? file_name (model) : g_strdup ("pentimento-sketch"), *strength = number_of (recipe, "strength");
  g_autofree char *version = g_strconcat ("Pentimento", engine ? " " : "", engine, NULL), *size = NULL;
  int width, height;

  append_loras (text, recipe);
  if (negative)
    g_string_append_printf (text, "\nNegative prompt: %s", negative);
  add_number_field (line, "Steps", recipe, "steps");
  add_sampler (line, text_of (recipe, "sampler"));
  add_number_field (line, "CFG scale", recipe, json_object_has_member (recipe, "guidance") ? "guidance" : "text-guidance");
  add_number_field (line, "Image CFG scale", recipe, "image-guidance");
  add_number_field (line, "Seed", recipe, "seed");
  if (pmt_recipe_get_size (recipe, &width, &height))
    size = g_strdup_printf ("%dx%d", width, height);
  add_field (line, "Size", size);
  add_field (line, "Model hash", text_of (recipe, "model-hash"));
  add_field (line, "Model", name);
  if (g_strcmp0 (strength, "1") != 0)
    add_field (line, "Denoising strength", strength);
  add_number_field (line, "Clip skip", recipe, "clip-skip");
  add_field (line, "Version", version);
  g_string_append_printf (text, "\n%s", line->str);
  return g_string_free (text, FALSE);
}
