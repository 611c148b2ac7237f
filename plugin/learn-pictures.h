/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The pictures that something is learned from: layers of an image, each as a whole, and files. */
#pragma once

#include <libgimp/gimpui.h>

/* As many as a job can be sent with. */
#define PMT_LEARN_MOST_PICTURES 32

typedef struct PmtLearnPicture {
  GimpLayer *layer; /* NULL: a file */
  char *path;       /* NULL: a layer */
  char *caption;    /* "": a sentence is made */
} PmtLearnPicture;

/* Of PmtLearnPicture, which it owns. */
GPtrArray *pmt_learn_pictures_new (void);
void pmt_learn_pictures_add (GPtrArray *pictures, GimpLayer *layer, const char *path, const char *caption);

/* The arguments "files", "captions" and "layers". */
void pmt_learn_pictures_add_arguments (GimpProcedure *procedure);
/* As they say, and the drawables where layers are meant. NULL + PMT_ERROR_INPUT for a drawable that is no layer. */
GPtrArray *pmt_learn_pictures_from_config (GObject *config, GimpDrawable **drawables, GError **error);
/* Notes them in the config, for the next time and for whoever repeats it. */
void pmt_learn_pictures_to_config (GPtrArray *pictures, GObject *config);

/* FALSE + PMT_ERROR_INPUT: there is none, or there are too many. */
gboolean pmt_learn_pictures_check (GPtrArray *pictures, GError **error);

/* RGBA f32, sRGB-encoded, straight alpha; no larger than what covers width × height where it is, 0: as large as any model learns at. NULL +
 * error. */
GBytes *pmt_learn_picture_read (const PmtLearnPicture *picture, int cover_width, int cover_height, int *width, int *height, GError **error);
/* NULL: it cannot be seen. */
GdkPixbuf *pmt_learn_picture_small (const PmtLearnPicture *picture, int side);
/* Newly allocated, for people. */
char *pmt_learn_picture_name (const PmtLearnPicture *picture);
/* By which a list knows it, and back; newly allocated. */
char *pmt_learn_picture_key (const PmtLearnPicture *picture);
void pmt_learn_pictures_add_key (GPtrArray *pictures, const char *key, const char *caption);

/* The caption beside a file: the text file of its name (cat.png: cat.txt), on one line. Newly allocated; NULL: there is none. */
char *pmt_learn_caption_beside (const char *path);
