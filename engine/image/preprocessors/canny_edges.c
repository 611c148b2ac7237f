/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Canny's edge detector to OpenCV's integers (its modules/imgproc/src/canny.cpp describes the arithmetic): Sobel gradients in 16 bits,
 * of several channels the one with the largest |dx| + |dy|, thinning along one of four directions told apart with 15-bit fixed point,
 * and strong edges that flood through weak ones. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "engine/image/preprocessors/common.h"

typedef struct Gradients {
  int width, height;
  gint16 *dx, *dy;
  int *length; /* |dx| + |dy|, [height + 2, width + 2] with zeros around */
} Gradients;

enum { EDGE_NONE, EDGE_WEAK, EDGE_STRONG };

static void
gradients_clear (Gradients *g)
{
  free (g->dx);
  free (g->dy);
  free (g->length);
}

static gboolean
gradients_init (Gradients *g, int width, int height, GError **error)
{
  const size_t n = (size_t) width * (size_t) height, padded = ((size_t) width + 2) * ((size_t) height + 2);

  *g = (Gradients) { width, height, malloc (n * sizeof (gint16)), malloc (n * sizeof (gint16)), calloc (padded, sizeof (int)) };
  if (g->dx && g->dy && g->length)
    return TRUE;
  gradients_clear (g);
  g_set_error_literal (error, PMT_ERROR, PMT_ERROR_MEMORY,
                       _("There is no memory to find the edges; make the control picture smaller or close other programs."));
  return FALSE;
}

static void
gradients_fill (Gradients *g, const guint8 *pixels, int channels)
{
  const size_t stride = (size_t) g->width * (size_t) channels;

  for (int y = 0; y < g->height; y++) {
    const guint8 *up = pixels + (size_t) MAX (y - 1, 0) * stride, *here = pixels + (size_t) y * stride;
    const guint8 *down = pixels + (size_t) MIN (y + 1, g->height - 1) * stride;
    for (int x = 0; x < g->width; x++) {
      const int l = MAX (x - 1, 0) * channels, m = x * channels, r = MIN (x + 1, g->width - 1) * channels;
      const size_t i = (size_t) y * (size_t) g->width + (size_t) x;
      int best = -1;
      for (int c = 0; c < channels; c++) {
        const int dx = up[r + c] - up[l + c] + 2 * (here[r + c] - here[l + c]) + down[r + c] - down[l + c];
        const int dy = down[l + c] - up[l + c] + 2 * (down[m + c] - up[m + c]) + down[r + c] - up[r + c];
        if (abs (dx) + abs (dy) <= best)
          continue;
        best = abs (dx) + abs (dy);
        g->dx[i] = (gint16) dx;
        g->dy[i] = (gint16) dy;
      }
      g->length[((size_t) y + 1) * ((size_t) g->width + 2) + (size_t) x + 1] = best;
    }
  }
}

/* Is the gradient at (x, y) the largest along its direction? */
static bool
is_ridge (const Gradients *g, int x, int y)
{
  enum { TAN_22_5 = 13573, SHIFT = 15 }; /* tan (22.5 degrees) * 2^15 */
  const ptrdiff_t row = g->width + 2;
  const int *m = g->length + (y + 1) * row + x + 1;
  const size_t i = (size_t) y * (size_t) g->width + (size_t) x;
  const gint64 across = abs (g->dx[i]), along = (gint64) abs (g->dy[i]) << SHIFT, steep = across * TAN_22_5;

  if (along < steep)
    return m[0] > m[-1] && m[0] >= m[1];
  if (along > steep + (across << (SHIFT + 1)))
    return m[0] > m[-row] && m[0] >= m[row];
  const int side = (g->dx[i] ^ g->dy[i]) < 0 ? -1 : 1;
  return m[0] > m[-row - side] && m[0] > m[row + side];
}

/* Marks everything that weak pixels connect with `start`, which is strong. The stack has room for every pixel once. */
static void
flood (guint8 *edges, int width, int height, int start, int *stack)
{
  int n = 0;

  stack[n++] = start;
  while (n > 0) {
    const int at = stack[--n], x = at % width, y = at / width;
    for (int j = MAX (y - 1, 0); j <= MIN (y + 1, height - 1); j++)
      for (int i = MAX (x - 1, 0); i <= MIN (x + 1, width - 1); i++)
        if (edges[j * width + i] == EDGE_WEAK) {
          edges[j * width + i] = EDGE_STRONG;
          stack[n++] = j * width + i;
        }
  }
}

guint8 *
pmt_canny (const guint8 *pixels, int width, int height, int channels, double low, double high, GError **error)
{
  const int n = width * height, least = (int) floor (MIN (low, high)), most = (int) floor (MAX (low, high));
  Gradients g;

  if (!gradients_init (&g, width, height, error))
    return NULL;
  guint8 *edges = calloc ((size_t) n, 1);
  int *stack = malloc ((size_t) n * sizeof (int));
  if (edges && stack) {
    gradients_fill (&g, pixels, channels);
    for (int y = 0; y < height; y++)
      for (int x = 0; x < width; x++) {
        const int length = g.length[((size_t) y + 1) * ((size_t) width + 2) + (size_t) x + 1];
        if (length > least && is_ridge (&g, x, y))
          edges[y * width + x] = length > most ? EDGE_STRONG : EDGE_WEAK;
      }
    for (int i = 0; i < n; i++)
      if (edges[i] == EDGE_STRONG)
        flood (edges, width, height, i, stack);
    for (int i = 0; i < n; i++)
      edges[i] = edges[i] == EDGE_STRONG ? 255 : 0;
  } else {
    g_clear_pointer (&edges, free);
    g_set_error_literal (error, PMT_ERROR, PMT_ERROR_MEMORY,
                         _("There is no memory to find the edges; make the control picture smaller or close other programs."));
  }
  free (stack);
  gradients_clear (&g);
  return edges;
}
