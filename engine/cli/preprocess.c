/* SPDX-License-Identifier: GPL-3.0-or-later */
#include <stdio.h>

#include "engine/cli/cli.h"
#include "engine/image/file.h"
#include "engine/image/preprocess.h"
#include "engine/image/resize.h"

static const char description[] =
  "ID is one of those that `pentimento-engine preprocessors` lists, with parameters if wanted: canny:low=50,high=150.\n"
  "--size scales the picture first: prepare control pictures at the size of the run, since lines are one pixel wide.";

static gboolean
scale (PmtPicture *image, PmtPicture *mask, const char *size, GError **error)
{
  int width, height;

  return !size || (pmt_cli_read_size (size, &width, &height, error) && pmt_picture_scale (image, width, height, error) &&
                   (!mask->data || pmt_picture_scale (mask, width, height, error)));
}

static gboolean
write_result (const PmtPicture *rgb, const char *out, GError **error)
{
  PmtPicture rgba;

  if (!pmt_preprocessed_to_rgba (rgb, &rgba, error))
    return FALSE;
  const gboolean good = pmt_picture_save (&rgba, !pmt_picture_opaque (&rgba), NULL, out, error);
  pmt_picture_clear (&rgba);
  return good;
}

static gboolean
run (int argc, char **argv, GError **error)
{
  g_autofree char *id = NULL, *image_file = NULL, *mask_file = NULL, *size = NULL, *out = NULL;
  const GOptionEntry entries[] = {
    { "image", 0, 0, G_OPTION_ARG_FILENAME, &image_file, "Picture to prepare", "FILE" },
    { "mask", 0, 0, G_OPTION_ARG_FILENAME, &mask_file, "Grey picture, white where the picture is made anew", "FILE" },
    { "size", 0, 0, G_OPTION_ARG_FILENAME, &size, "Scale the picture to this size first", "WxH" },
    { "out", 0, 0, G_OPTION_ARG_FILENAME, &out, "PNG or JPEG to write", "FILE.png" },
    G_OPTION_ENTRY_NULL,
  };
  PmtPicture image = { 0 }, mask = { 0 }, result = { 0 };
  PmtParamValues values = { 0 };
  const PmtPreprocessor *preprocessor;
  gboolean good = FALSE;

  if (!pmt_cli_parse (&pmt_command_preprocess, "ID", description, entries, argc, argv, &id, 1, error))
    return FALSE;
  if (!image_file || !out) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "preprocess needs --image and --out; name the picture and the file to write.");
    return FALSE;
  }
  if (!pmt_cli_check_utf8 ("ID", id, error))
    return FALSE;
  preprocessor = pmt_preprocessor_parse (id, &values, error);
  if (preprocessor)
    good = pmt_picture_check_save (out, error) && pmt_picture_load (image_file, &image, NULL, error) &&
           (!mask_file || pmt_mask_load (mask_file, &mask, error)) && scale (&image, &mask, size, error) &&
           pmt_preprocess (preprocessor, &image, mask.data ? &mask : NULL, &values, &result, error) &&
           write_result (&result, out, error);
  if (good)
    printf ("%s\n", out);
  pmt_param_values_clear (&values);
  pmt_picture_clear (&image);
  pmt_picture_clear (&mask);
  pmt_picture_clear (&result);
  return good;
}

const PmtCommand pmt_command_preprocess = { "preprocess", "Make a control picture of an ordinary one.", run };
