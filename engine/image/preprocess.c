/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/image/preprocess.h"

#include <string.h>

/* Preprocessors count pixels and channels in 32 bits. */
#define MOST_PIXELS (1 << 28)

const PmtPreprocessor *
pmt_preprocessor_find (const char *id, GError **error)
{
  g_autoptr (GString) known = g_string_new (NULL);

  for (int i = 0; pmt_preprocessors[i]; i++) {
    if (strcmp (pmt_preprocessors[i]->id, id) == 0)
      return pmt_preprocessors[i];
    g_string_append_printf (known, "%s%s", i ? ", " : "", pmt_preprocessors[i]->id);
  }
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("There is no preprocessor \"%s\"; there are %s."), id, known->str);
  return NULL;
}

const PmtPreprocessor *
pmt_preprocessor_parse (const char *text, PmtParamValues *values, GError **error)
{
  g_auto (GStrv) parts = g_strsplit (text, ":", 2);
  const PmtPreprocessor *found = pmt_preprocessor_find (parts[0] ? parts[0] : "", error);
  g_auto (GStrv) pairs = NULL;
  g_autofree char *where = NULL;

  if (!found)
    return NULL;
  where = g_strdup_printf ("preprocessor %s", found->id);
  pairs = g_strsplit (parts[1] ? parts[1] : "", ",", -1);
  pmt_param_values_init (values, found->params);
  for (char **pair = pairs; *pair; pair++) {
    g_auto (GStrv) sides = g_strsplit (*pair, "=", 2);
    gboolean good = sides[0] && sides[1];

    if (!good)
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("In the preprocessor \"%s\", '%s' is not of the form key=value."), text, *pair);
    else
      good = pmt_param_values_set_text (values, g_strstrip (sides[0]), sides[1], where, error);
    if (!good) {
      pmt_param_values_clear (values);
      return NULL;
    }
  }
  return found;
}

gboolean
pmt_preprocess (const PmtPreprocessor *preprocessor, const PmtPicture *image, const PmtPicture *mask, const PmtParamValues *values,
                PmtPicture *out, GError **error)
{
  PmtParamValues defaults = { 0 };
  gboolean good;

  memset (out, 0, sizeof *out);
  g_assert (image->channels == 4 && (!mask || mask->channels == 1));
  if (preprocessor->needs_mask && !mask) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The preprocessor \"%s\" needs a mask beside the picture; give one."),
                 preprocessor->id);
    return FALSE;
  }
  if (mask && (mask->width != image->width || mask->height != image->height)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The mask is %d×%d pixels and the picture is %d×%d; make them the same size."),
                 mask->width, mask->height, image->width, image->height);
    return FALSE;
  }
  if ((gint64) image->width * image->height > MOST_PIXELS) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The control picture of %d×%d pixels is too large to be prepared; make it smaller."),
                 image->width, image->height);
    return FALSE;
  }
  if (!values)
    pmt_param_values_init (&defaults, preprocessor->params);
  good = preprocessor->run (image, mask, values ? values : &defaults, out, error);
  pmt_param_values_clear (&defaults);
  if (!good)
    pmt_picture_clear (out);
  return good;
}

gboolean
pmt_preprocessed_to_rgba (const PmtPicture *rgb, PmtPicture *rgba, GError **error)
{
  g_assert (rgb->channels == 3);
  if (!pmt_picture_init (rgba, rgb->width, rgb->height, 4, error))
    return FALSE;
  for (size_t i = 0, n = (size_t) rgb->width * (size_t) rgb->height; i < n; i++) {
    for (size_t c = 0; c < 3; c++)
      rgba->data[i * 4 + c] = MAX (rgb->data[i * 3 + c], 0);
    rgba->data[i * 4 + 3] = rgb->data[i * 3] < 0 ? 0 : 1;
  }
  return TRUE;
}

static void
add_member (JsonBuilder *b, const char *name, const char *text)
{
  json_builder_set_member_name (b, name);
  json_builder_add_string_value (b, text);
}

JsonNode *
pmt_preprocessors_to_json (void)
{
  g_autoptr (JsonBuilder) b = json_builder_new ();

  json_builder_begin_array (b);
  for (int i = 0; pmt_preprocessors[i]; i++) {
    const PmtPreprocessor *p = pmt_preprocessors[i];
    g_auto (GStrv) types = g_strsplit (p->controls, " ", -1);

    json_builder_begin_object (b);
    add_member (b, "id", p->id);
    add_member (b, "label", p->label);
    add_member (b, "summary", p->summary);
    json_builder_set_member_name (b, "controls");
    json_builder_begin_array (b);
    for (char **type = types; *type; type++)
      json_builder_add_string_value (b, *type);
    json_builder_end_array (b);
    json_builder_set_member_name (b, "needs_mask");
    json_builder_add_boolean_value (b, p->needs_mask);
    json_builder_set_member_name (b, "params");
    json_builder_add_value (b, pmt_param_table_to_json (p->params));
    json_builder_end_object (b);
  }
  json_builder_end_array (b);
  return json_builder_get_root (b);
}
