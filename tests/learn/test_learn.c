/* SPDX-License-Identifier: GPL-3.0-or-later */
/* What holds of learning whatever the numbers: nothing changes before the first step, the model stays as it is, a request that was cancelled goes on to
 * the same bytes, what is learned is learned, and the files are found by runs. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "engine/learn/learn.h"
#include "tests/sample/runs.h"

static Runs runs;
static PmtModel *model;
static char *folder;
static float *flipped; /* a second picture */

typedef struct Lesson {
  PmtLearnRequest request;
  const char *captions[2];
  char *out;
} Lesson;

static gboolean
give_picture (void *user, int i, PmtPicture *picture, GError **error)
{
  const float *rgb = i ? flipped : runs.picture;
  if (!pmt_picture_init (picture, runs.width, runs.height, 4, error))
    return FALSE;
  for (int k = 0; k < runs.width * runs.height; k++) {
    memcpy (picture->data + 4 * k, rgb + 3 * k, 3 * sizeof (float));
    picture->data[4 * k + 3] = 1;
  }
  return TRUE;
}

static Lesson *
lesson_new (const char *kind)
{
  Lesson *l = g_new0 (Lesson, 1);
  pmt_learn_request_init (&l->request, model, pmt_learn_kind_find (kind, NULL));
  l->captions[1] = "a {} and a house";
  l->out = g_build_filename (folder, "learned.safetensors", NULL);
  l->request.captions = l->captions;
  l->request.picture = give_picture;
  l->request.n_pictures = 2;
  l->request.width = runs.width;
  l->request.height = runs.height;
  l->request.word = "my-cat";
  l->request.thing = "circle";
  l->request.steps = 5;
  l->request.rate = l->request.text_rate = 0.01;
  l->request.out = l->out;
  return l;
}

static void
lesson_free (Lesson *l)
{
  g_autofree char *state = g_strconcat (l->out, ".learning", NULL);
  g_unlink (l->out);
  g_unlink (state);
  g_free (l->out);
  g_free (l);
}

static PmtLearnResult
do_learn (Lesson *l)
{
  GError *error = NULL;
  PmtLearnResult result;
  pmt_learn (&l->request, &result, &error);
  g_assert_no_error (error);
  return result;
}

/* The bytes that were written. */
static GBytes *
bytes_of (const Lesson *l)
{
  GError *error = NULL;
  char *content;
  gsize length;
  g_file_get_contents (l->out, &content, &length, &error);
  g_assert_no_error (error);
  return g_bytes_new_take (content, length);
}

static GBytes *
learned (Lesson *l)
{
  do_learn (l);
  return bytes_of (l);
}

static void
refused (Lesson *l, PmtError code, const char *part)
{
  GError *error = NULL;
  PmtLearnResult result;
  if (pmt_learn (&l->request, &result, &error))
    g_error ("learned what '%s' should have refused", part);
  g_assert_error (error, PMT_ERROR, (int) code);
  if (!strstr (error->message, part))
    g_error ("'%s' lacks '%s'", error->message, part);
  g_assert_false (g_file_test (l->out, G_FILE_TEST_EXISTS));
  g_clear_error (&error);
}

/* ---- identities ---------------------------------------------------------------------------------------------------------- */

/* The first values of a LoRA change nothing: one step's loss before is that of the model alone, whatever the rank. */
static void
test_begins_as_model (void)
{
  double before[2];
  for (int i = 0; i < 2; i++) {
    Lesson *l = lesson_new ("lora");
    l->request.rank = i ? 8 : 1;
    l->request.steps = 1;
    l->request.texts = i == 1;
    before[i] = do_learn (l).loss_before;
    lesson_free (l);
  }
  g_assert_cmpfloat (before[0], ==, before[1]);
}

static void
test_model_stays (void)
{
  PmtRequest q = runs_request (&runs, model);
  PmtResult before = runs_do (&q);
  for (int i = 0; i < 2; i++) {
    Lesson *l = lesson_new (i ? "lora" : "word");
    l->request.texts = true;
    do_learn (l);
    lesson_free (l);
    PmtResult after = runs_do (&q);
    runs_assert_equal (&before, &after);
    pmt_result_clear (&after);
  }
  pmt_result_clear (&before);
}

/* The loss on the same noise falls: by a fifth for a LoRA, by little for a word, which can say little to a network of random weights. */
static void
test_learns (void)
{
  for (int i = 0; i < 2; i++) {
    Lesson *l = lesson_new (i ? "lora" : "word");
    l->request.steps = 60;
    l->request.rank = 4;
    l->request.vectors = 3;
    l->request.rate = l->request.text_rate = i ? 5e-3 : 5e-2;
    const PmtLearnResult r = do_learn (l);
    g_test_message ("%s: %.4f before, %.4f after, %" G_GINT64_FORMAT " values", i ? "lora" : "word", r.loss_before, r.loss_after, r.parameters);
    g_assert_cmpfloat (r.loss_after, <, (i ? 0.8 : 0.98) * r.loss_before);
    lesson_free (l);
  }
}

/* ---- going on ------------------------------------------------------------------------------------------------------------ */

typedef struct Stopper {
  PmtCancel cancel;
  int at;
} Stopper;

static void
stop_at (void *user, const PmtLearnProgress *p)
{
  Stopper *stopper = user;
  if (p->stage == PMT_LEARN_STEPS && p->step == stopper->at)
    pmt_cancel_request (&stopper->cancel);
}

static void
test_goes_on (void)
{
  for (int i = 0; i < 2; i++) {
    const char *kind = i ? "lora" : "word";
    Lesson *whole = lesson_new (kind);
    g_autoptr (GBytes) wanted = learned (whole);
    lesson_free (whole);

    Lesson *l = lesson_new (kind);
    g_autofree char *state = g_strconcat (l->out, ".learning", NULL);
    Stopper stopper = { .at = 3 };
    GError *error = NULL;
    PmtLearnResult result;
    l->request.cancel = &stopper.cancel;
    l->request.progress = stop_at;
    l->request.progress_user = &stopper;
    g_assert_false (pmt_learn (&l->request, &result, &error));
    g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
    g_clear_error (&error);
    g_assert_false (g_file_test (l->out, G_FILE_TEST_EXISTS));
    g_assert_true (g_file_test (state, G_FILE_TEST_EXISTS));
    l->request.cancel = NULL;

    /* Other settings are not mixed in. */
    const uint64_t seed = l->request.seed;
    l->request.seed = 77;
    refused (l, PMT_ERROR_INPUT, "other pictures or settings");
    l->request.seed = seed;

    g_autoptr (GBytes) got = learned (l);
    g_assert_true (g_bytes_equal (got, wanted));
    g_assert_false (g_file_test (state, G_FILE_TEST_EXISTS));
    lesson_free (l);
  }
}

static void
pause_at (void *user, const PmtLearnProgress *p)
{
  if (p->stage == PMT_LEARN_STEPS && p->step == 2)
    atomic_store ((atomic_bool *) user, true);
}

/* A call that is asked to make room ends without an error, and goes on like a cancelled one. */
static void
test_pauses (void)
{
  Lesson *l = lesson_new ("word");
  g_autoptr (GBytes) wanted = learned (l);
  g_unlink (l->out);
  atomic_bool pause = false;
  l->request.pause = &pause;
  l->request.progress = pause_at;
  l->request.progress_user = &pause;
  g_assert_true (do_learn (l).paused);
  g_assert_false (g_file_test (l->out, G_FILE_TEST_EXISTS));
  l->request.pause = NULL;
  g_autoptr (GBytes) got = learned (l);
  g_assert_true (g_bytes_equal (got, wanted));
  lesson_free (l);
}

typedef struct Prior {
  PmtCancel cancel;
  int stop, made, looks;
  PmtLearnStage cancel_in;
} Prior;

static void
watch_prior (void *user, const PmtLearnProgress *p)
{
  Prior *prior = user;
  prior->made = p->stage == PMT_LEARN_PRIOR ? MAX (prior->made, p->step + 1) : prior->made;
  prior->looks += p->stage == PMT_LEARN_LOOK;
  if (prior->stop > 0 && p->stage == prior->cancel_in && p->step == prior->stop)
    pmt_cancel_request (&prior->cancel);
  g_assert_cmpfloat (p->fraction, >=, 0);
  g_assert_cmpfloat (p->fraction, <=, 1);
}

/* What is cancelled while the class is painted, or after the last step, is not begun again. */
static void
test_goes_on_anywhere (void)
{
  PmtRequest class = runs_request (&runs, model);
  class.prompt = "a circle";
  class.prompt_syntax = PMT_SYNTAX_PLAIN;
  Lesson *l = lesson_new ("lora");
  l->request.prior = &class;
  l->request.n_prior = 3;
  g_autoptr (GBytes) wanted = learned (l);
  g_unlink (l->out);
  static const PmtLearnStage stages[] = { PMT_LEARN_PRIOR, PMT_LEARN_LOOK };
  for (gsize i = 0; i < G_N_ELEMENTS (stages); i++) {
    Prior prior = { .stop = i ? 6 : 2, .cancel_in = stages[i] };
    GError *error = NULL;
    PmtLearnResult result;
    l->request.cancel = &prior.cancel;
    l->request.progress = watch_prior;
    l->request.progress_user = &prior;
    g_assert_false (pmt_learn (&l->request, &result, &error));
    g_assert_error (error, PMT_ERROR, PMT_ERROR_CANCELLED);
    g_clear_error (&error);
    Prior rest = { 0 };
    l->request.cancel = NULL;
    l->request.progress_user = &rest;
    g_autoptr (GBytes) got = learned (l);
    g_assert_true (g_bytes_equal (got, wanted));
    g_unlink (l->out);
    g_assert_cmpint (rest.looks, ==, 2 * 2 * 5);
    g_assert_cmpint (prior.made, ==, 3);
  }
  lesson_free (l);
}

/* A damaged state is named, not begun over. */
static void
test_damaged_state (void)
{
  Lesson *l = lesson_new ("word");
  g_autofree char *state = g_strconcat (l->out, ".learning", NULL);
  g_assert_true (g_file_set_contents (state, "not a state", -1, NULL));
  refused (l, PMT_ERROR_FORMAT, ".learning");
  lesson_free (l);
}

/* ---- settings ------------------------------------------------------------------------------------------------------------ */

/* Each changes what is learned, or, with weight 0, does not. */
static void
test_settings_count (void)
{
  Lesson *l = lesson_new ("lora");
  g_autoptr (GBytes) plain = learned (l);
  l->request.seed = 1;
  g_autoptr (GBytes) seed = learned (l);
  l->request.seed = 0;
  l->request.min_snr = 0.01;
  g_autoptr (GBytes) snr = learned (l);
  l->request.min_snr = 0;
  l->request.flip = true;
  g_autoptr (GBytes) flip = learned (l);
  l->request.flip = false;
  l->request.accumulate = 2;
  g_autoptr (GBytes) accumulate = learned (l);
  l->request.accumulate = 1;
  GBytes *const others[] = { seed, snr, flip, accumulate };
  for (gsize i = 0; i < G_N_ELEMENTS (others); i++)
    g_assert_false (g_bytes_equal (plain, others[i]));
  g_autoptr (GBytes) again = learned (l);
  g_assert_true (g_bytes_equal (plain, again));
  lesson_free (l);
}

static void
test_prior (void)
{
  PmtRequest class = runs_request (&runs, model);
  class.prompt = "a circle";
  Lesson *l = lesson_new ("lora");
  g_autoptr (GBytes) plain = learned (l);
  l->request.prior = &class;
  l->request.n_prior = 2;
  l->request.prior_weight = 0;
  g_autoptr (GBytes) weightless = learned (l);
  l->request.prior_weight = 1;
  g_autoptr (GBytes) weighty = learned (l);
  g_assert_true (g_bytes_equal (plain, weightless));
  g_assert_false (g_bytes_equal (plain, weighty));
  lesson_free (l);
}

/* What a request is told to cost is what it takes, and is refused before it begins where it is not there. */
static void
test_memory (void)
{
  Lesson *l = lesson_new ("lora");
  GError *error = NULL;
  PmtLearnCost cost;
  pmt_learn_cost (&l->request, &cost, &error);
  g_assert_no_error (error);
  const PmtLearnResult r = do_learn (l);
  g_unlink (l->out);
  g_assert_cmpuint (r.peak_bytes, <=, cost.memory_bytes);
  g_assert_cmpuint (r.peak_bytes, >, cost.memory_bytes / 2);
  l->request.memory_limit = 1 << 20;
  refused (l, PMT_ERROR_MEMORY, "smaller size");
  lesson_free (l);
}

static void
test_refusals (void)
{
  Lesson *l = lesson_new ("word");
  PmtLearnRequest *q = &l->request;
  const PmtLearnRequest good = *q;
  q->n_pictures = 0;
  refused (l, PMT_ERROR_INPUT, "no pictures");
  *q = good, q->word = "two words";
  refused (l, PMT_ERROR_INPUT, "cannot be a word");
  *q = good, q->word = "";
  refused (l, PMT_ERROR_INPUT, "cannot be a word");
  *q = good, q->vectors = 19;
  refused (l, PMT_ERROR_INPUT, "vectors");
  *q = good, q->width = 63;
  refused (l, PMT_ERROR_INPUT, "multiples of 8");
  *q = good, q->steps = 0;
  refused (l, PMT_ERROR_INPUT, "steps");
  *q = good, q->rate = q->text_rate = NAN;
  refused (l, PMT_ERROR_INPUT, "rate");
  *q = good, q->n_prior = 3;
  refused (l, PMT_ERROR_INPUT, "class");
  *q = good, q->sentences = (const char *const[]) { "a picture", NULL };
  refused (l, PMT_ERROR_INPUT, "lacks the word");
  *q = good, q->word = "clip_l";
  refused (l, PMT_ERROR_INPUT, "cannot be a word");
  *q = good, q->word = "tab\there";
  refused (l, PMT_ERROR_INPUT, "cannot be a word");
  *q = good, q->word = "picture"; /* which stands in the sentences as well */
  refused (l, PMT_ERROR_INPUT, "as any other");
  *q = good, q->out = pmt_model_path (model);
  refused (l, PMT_ERROR_IO, "cannot be written");
  static const char *const useless[] = { "a house", "two {}s and a house", "un{}", NULL };
  *q = good;
  for (int i = 0; useless[i]; i++) {
    l->captions[1] = useless[i];
    refused (l, PMT_ERROR_INPUT, "lacks the word");
  }
  l->captions[1] = "red circle and blue house and red house and blue circle and red circle and red house left of a {}"; /* cut before the word */
  refused (l, PMT_ERROR_INPUT, "too far behind");
  l->captions[1] = "My-Cat in a house";
  do_learn (l);
  g_unlink (l->out);
  *q = good, q->kind = pmt_learn_kind_find ("lora", NULL), q->rank = 0;
  refused (l, PMT_ERROR_INPUT, "rank");
  GError *error = NULL;
  g_assert_null (pmt_learn_kind_find ("dream", &error));
  g_assert_error (error, PMT_ERROR, PMT_ERROR_INPUT);
  g_assert_nonnull (strstr (error->message, "word, lora"));
  g_clear_error (&error);
  lesson_free (l);
}

/* ---- files --------------------------------------------------------------------------------------------------------------- */

/* Runs take both kinds of files, and they change the picture; a LoRA's every module finds its weight. */
static void
test_files_work (void)
{
  PmtRequest q = runs_request (&runs, model);
  q.prompt = "a my-cat";
  PmtResult plain = runs_do (&q);
  Lesson *l = lesson_new ("word");
  do_learn (l);
  const PmtLearnedWord word = { .path = l->out };
  q.words = &word;
  q.n_words = 1;
  PmtResult with_word = runs_do (&q);
  q.n_words = 0;
  lesson_free (l);

  l = lesson_new ("lora");
  l->request.texts = true;
  do_learn (l);
  const PmtWeightEdit edit = { .path = l->out, .strength = 1, .text_strength = 1 }, none = { .path = l->out };
  q.n_weight_edits = 1;
  q.weight_edits = &edit;
  PmtResult with_lora = runs_do (&q);
  for (char **note = with_lora.notes; note && *note; note++)
    g_error ("a note: %s", *note);
  q.weight_edits = &none;
  PmtResult without = runs_do (&q);
  lesson_free (l);

  runs_assert_differ (&plain, &with_word);
  runs_assert_differ (&plain, &with_lora);
  runs_assert_equal (&plain, &without);
  pmt_result_clear (&plain);
  pmt_result_clear (&with_word);
  pmt_result_clear (&with_lora);
  pmt_result_clear (&without);
}

int
main (int argc, char **argv)
{
  static const RunsTest tests[] = {
    { "/learn/begins-as-model", test_begins_as_model }, { "/learn/model-stays", test_model_stays }, { "/learn/learns", test_learns },
    { "/learn/goes-on", test_goes_on }, { "/learn/pauses", test_pauses }, { "/learn/goes-on-anywhere", test_goes_on_anywhere },
    { "/learn/damaged-state", test_damaged_state }, { "/learn/settings-count", test_settings_count },
    { "/learn/prior", test_prior }, { "/learn/memory", test_memory }, { "/learn/refusals", test_refusals }, { "/learn/files-work", test_files_work }, { 0 },
  };
  folder = g_dir_make_tmp ("pentimento-learn-XXXXXX", NULL);
  const size_t n = 64 * 48 * 3;
  flipped = g_new (float, n);
  for (size_t i = 0; i < n; i++)
    flipped[i] = (float) ((i * 7 % 256) / 255.0);
  const int status = runs_main (argc, argv, &runs, &model, tests);
  g_rmdir (folder);
  g_free (folder);
  g_free (flipped);
  return status;
}
