/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Image files: pixels survive, the recipe is found again, bad files and names get a sentence. */
#include <gdk-pixbuf/gdk-pixbuf.h>
#include <glib/gstdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/image/file.h"
#include "pentimento/protocol.h"

static char *folder;

static char *
in_folder (const char *name)
{
  return g_build_filename (folder, name, NULL);
}

/* Every 8-bit value in every channel. */
static void
make_picture (PmtPicture *picture)
{
  GError *error = NULL;

  pmt_picture_init (picture, 64, 16, 4, &error);
  g_assert_no_error (error);
  for (int i = 0; i < 64 * 16 * 4; i++)
    picture->data[i] = (float) (i * 37 % 256) / 255.0f;
}

static void
test_png_keeps_pixels (void)
{
  g_autofree char *path = in_folder ("pixels.png");
  PmtPicture picture, again;
  gboolean alpha;
  GError *error = NULL;

  make_picture (&picture);
  pmt_picture_save (&picture, TRUE, NULL, path, &error);
  g_assert_no_error (error);
  pmt_picture_load (path, &again, &alpha, &error);
  g_assert_no_error (error);
  g_assert_true (alpha && again.width == 64 && again.height == 16);
  g_assert_cmpmem (picture.data, 64 * 16 * 16, again.data, 64 * 16 * 16);
  pmt_picture_clear (&again);

  pmt_picture_save (&picture, FALSE, NULL, path, &error);
  g_assert_no_error (error);
  pmt_picture_load (path, &again, &alpha, &error);
  g_assert_no_error (error);
  g_assert_false (alpha);
  for (int i = 0; i < 64 * 16; i++) {
    g_assert_cmpmem (picture.data + 4 * i, 12, again.data + 4 * i, 12);
    g_assert_cmpfloat (again.data[4 * i + 3], ==, 1);
  }
  pmt_picture_clear (&again);
  pmt_picture_clear (&picture);
}

static void
test_recipe_in_png (void)
{
  g_autofree char *path = in_folder ("recipe.png");
  const char *recipe = "{\"prompt\":\"gr\xc3\xbcn \xe2\x82\xac \xf0\x9f\x90\x9f\",\"seed\":7}";
  PmtPicture picture;
  GdkPixbuf *pixbuf;
  GError *error = NULL;

  make_picture (&picture);
  pmt_picture_save (&picture, FALSE, recipe, path, &error);
  g_assert_no_error (error);
  pixbuf = gdk_pixbuf_new_from_file (path, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (gdk_pixbuf_get_option (pixbuf, "tEXt::" PMT_RECIPE_PARASITE), ==,
                   "{\"prompt\":\"gr\\u00fcn \\u20ac \\ud83d\\udc1f\",\"seed\":7}");
  g_object_unref (pixbuf);
  pmt_picture_clear (&picture);
}

static void
test_masks (void)
{
  g_autofree char *path = in_folder ("mask.png");
  PmtPicture picture, mask;
  GError *error = NULL;

  pmt_picture_init (&picture, 4, 1, 4, &error);
  g_assert_no_error (error);
  memcpy (picture.data, (const float[]) { 1, 1, 1, 1, 0, 0, 0, 1, 1, 1, 1, 51 / 255.0f, 1, 0, 0, 1 }, 64);
  pmt_picture_save (&picture, TRUE, NULL, path, &error);
  g_assert_no_error (error);
  pmt_mask_load (path, &mask, &error);
  g_assert_no_error (error);
  g_assert_cmpint (mask.channels, ==, 1);
  g_assert_true (mask.data[0] == 1 && mask.data[1] == 0);
  g_assert_cmpfloat_with_epsilon (mask.data[2], 0.2, 1e-6);
  g_assert_cmpfloat_with_epsilon (mask.data[3], 0.299, 1e-6);
  pmt_picture_clear (&mask);
  pmt_picture_clear (&picture);
}

static void
test_bad_files (void)
{
  g_autofree char *missing = in_folder ("missing.png"), *text = in_folder ("text.png"), *cut = in_folder ("cut.png");
  g_autofree char *good = in_folder ("good.png"), *bytes = NULL;
  const char *paths[] = { missing, text, cut, folder };
  const int codes[] = { PMT_ERROR_NOT_FOUND, PMT_ERROR_FORMAT, PMT_ERROR_FORMAT, PMT_ERROR_INPUT };
  PmtPicture picture;
  gsize size;
  GError *error = NULL;

  make_picture (&picture);
  pmt_picture_save (&picture, TRUE, NULL, good, &error);
  g_assert_no_error (error);
  pmt_picture_clear (&picture);
  g_file_get_contents (good, &bytes, &size, &error);
  g_assert_no_error (error);
  g_file_set_contents (cut, bytes, 60, &error);
  g_assert_no_error (error);
  g_file_set_contents (text, "not a picture", -1, &error);
  g_assert_no_error (error);

  for (gsize i = 0; i < G_N_ELEMENTS (paths); i++) {
    g_assert_false (pmt_picture_load (paths[i], &picture, NULL, &error));
    g_assert_error (error, PMT_ERROR, codes[i]);
    g_assert_nonnull (strstr (error->message, paths[i]));
    g_assert_null (strchr (error->message, '\n'));
    g_assert_null (picture.data);
    g_clear_error (&error);
  }
}

static void
test_bad_names (void)
{
  g_autofree char *gif = in_folder ("picture.gif"), *bare = in_folder ("picture"), *nowhere = in_folder ("none/picture.png");
  g_autofree char *jpeg = in_folder ("picture.jpg"), *kept = in_folder ("kept.png"), *bytes = NULL;
  PmtPicture picture;
  GError *error = NULL;

  make_picture (&picture);
  g_assert_false (pmt_picture_check_save (gif, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_clear_error (&error);
  g_assert_false (pmt_picture_save (&picture, FALSE, NULL, bare, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_clear_error (&error);
  g_assert_false (pmt_picture_check_save (nowhere, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_IO);
  g_clear_error (&error);
  g_assert_false (pmt_picture_save (&picture, FALSE, NULL, nowhere, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_IO);
  g_clear_error (&error);
  g_assert_false (pmt_picture_save (&picture, TRUE, NULL, jpeg, &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_clear_error (&error);
  g_assert_true (pmt_picture_check_save (kept, &error));
  g_assert_false (g_file_test (kept, G_FILE_TEST_EXISTS));
  g_assert_true (pmt_picture_save (&picture, FALSE, NULL, jpeg, &error));
  pmt_picture_clear (&picture);
}

int
main (int argc, char **argv)
{
  int status;

  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("pmt-image-XXXXXX", NULL);
  g_test_add_func ("/image/file/png-keeps-pixels", test_png_keeps_pixels);
  g_test_add_func ("/image/file/recipe-in-png", test_recipe_in_png);
  g_test_add_func ("/image/file/masks", test_masks);
  g_test_add_func ("/image/file/bad-files", test_bad_files);
  g_test_add_func ("/image/file/bad-names", test_bad_names);
  status = g_test_run ();
  for (const char *const *name = (const char *const[]) { "pixels.png", "recipe.png", "mask.png", "text.png", "cut.png", "good.png",
                                                         "picture.jpg", NULL };
       *name; name++) {
    g_autofree char *path = in_folder (*name);
    g_unlink (path);
  }
  g_rmdir (folder);
  g_free (folder);
  return status;
}
