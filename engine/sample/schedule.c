/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/sample/schedule.h"

#include <math.h>
#include <string.h>

void
pmt_schedule_config_init_sd (PmtScheduleConfig *config)
{
  *config = (PmtScheduleConfig) {
    .train_steps = 1000,
    .betas = PMT_BETAS_SCALED_LINEAR,
    .beta_start = 0.00085,
    .beta_end = 0.012,
    .prediction = PMT_PREDICT_EPSILON,
    .spacing = PMT_SPACING_LEADING,
    .steps_offset = 1,
  };
}

typedef struct Word {
  const char *word;
  int value;
} Word;

static const Word beta_words[] = {
  { "scaled_linear", PMT_BETAS_SCALED_LINEAR }, { "linear", PMT_BETAS_LINEAR }, { NULL, 0 }
};
static const Word prediction_words[] = {
  { "epsilon", PMT_PREDICT_EPSILON }, { "v_prediction", PMT_PREDICT_V }, { "sample", PMT_PREDICT_SAMPLE }, { NULL, 0 }
};
static const Word spacing_words[] = {
  { "leading", PMT_SPACING_LEADING }, { "trailing", PMT_SPACING_TRAILING }, { "linspace", PMT_SPACING_LINSPACE }, { NULL, 0 }
};

static const Word final_words[] = { { "zero", false }, { "sigma_min", true }, { NULL, 0 } };

/* The scalar behind `key`, or NULL when it is absent or null. */
static JsonNode *
scalar (JsonObject *object, const char *key)
{
  JsonNode *node = json_object_get_member (object, key);
  return node && !JSON_NODE_HOLDS_NULL (node) ? node : NULL;
}

static gboolean
wrong_type (const char *file, const char *key, const char *wanted, GError **error)
{
  g_set_error (error, PMT_ERROR, PMT_ERROR_FORMAT, _("%s: \"%s\" should be %s; correct the file or fetch the model again."), file,
               key, wanted);
  return FALSE;
}

static gboolean
read_number (JsonObject *object, const char *file, const char *key, double *value, GError **error)
{
  JsonNode *node = scalar (object, key);
  if (!node)
    return TRUE;
  GType type = JSON_NODE_HOLDS_VALUE (node) ? json_node_get_value_type (node) : G_TYPE_INVALID;
  if (type != G_TYPE_INT64 && type != G_TYPE_DOUBLE)
    return wrong_type (file, key, "a number", error);
  *value = json_node_get_double (node);
  return TRUE;
}

static gboolean
read_int (JsonObject *object, const char *file, const char *key, int *value, GError **error)
{
  double number = *value;
  if (!read_number (object, file, key, &number, error))
    return FALSE;
  if (!(fabs (number) <= 1e6) || number != floor (number))
    return wrong_type (file, key, "a whole number", error);
  *value = (int) number;
  return TRUE;
}

static gboolean
read_bool (JsonObject *object, const char *file, const char *key, bool *value, GError **error)
{
  JsonNode *node = scalar (object, key);
  if (!node)
    return TRUE;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_BOOLEAN)
    return wrong_type (file, key, "true or false", error);
  *value = json_node_get_boolean (node);
  return TRUE;
}

static gboolean
read_word (JsonObject *object, const char *file, const char *key, const Word *words, int *value, GError **error)
{
  JsonNode *node = scalar (object, key);
  if (!node)
    return TRUE;
  if (!JSON_NODE_HOLDS_VALUE (node) || json_node_get_value_type (node) != G_TYPE_STRING)
    return wrong_type (file, key, "a string", error);
  const char *word = json_node_get_string (node);
  g_autoptr (GString) known = g_string_new (NULL);
  for (const Word *w = words; w->word; w++) {
    if (strcmp (w->word, word) == 0) {
      *value = w->value;
      return TRUE;
    }
    g_string_append_printf (known, "%s%s", known->len ? ", " : "", w->word);
  }
  g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
               _("%s: \"%s\" is \"%s\", and this version knows only %s; use a model with one of these."), file, key, word,
               known->str);
  return FALSE;
}

gboolean
pmt_schedule_config_parse (JsonObject *object, const char *file, PmtScheduleConfig *config, GError **error)
{
  PmtScheduleConfig c = *config;
  int betas = c.betas, prediction = c.prediction, spacing = c.spacing, final_min = c.final_sigma_min;
  if (!read_int (object, file, "num_train_timesteps", &c.train_steps, error) ||
      !read_number (object, file, "beta_start", &c.beta_start, error) ||
      !read_number (object, file, "beta_end", &c.beta_end, error) ||
      !read_word (object, file, "beta_schedule", beta_words, &betas, error) ||
      !read_word (object, file, "prediction_type", prediction_words, &prediction, error) ||
      !read_word (object, file, "timestep_spacing", spacing_words, &spacing, error) ||
      !read_word (object, file, "final_sigmas_type", final_words, &final_min, error) ||
      !read_int (object, file, "steps_offset", &c.steps_offset, error) ||
      !read_bool (object, file, "set_alpha_to_one", &c.set_alpha_to_one, error) ||
      !read_bool (object, file, "rescale_betas_zero_snr", &c.zero_terminal_snr, error) ||
      !read_bool (object, file, "use_karras_sigmas", &c.karras, error))
    return FALSE;
  if (scalar (object, "trained_betas")) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                 _("%s: \"trained_betas\" (a list of its own) is not supported; use a model with a named beta_schedule."), file);
    return FALSE;
  }
  c.betas = (PmtBetas) betas;
  c.prediction = (PmtPrediction) prediction;
  c.spacing = (PmtSpacing) spacing;
  c.final_sigma_min = final_min;
  *config = c;
  return TRUE;
}

/* torch.linspace in f32: the step is rounded to f32, each value is rounded once, and the upper half counts down from the end. */
static float
torch_linspace (float begin, float end, int n, int i)
{
  float step = n > 1 ? (end - begin) / (float) (n - 1) : 0.0f;
  return i < n / 2 ? (float) ((double) begin + (double) step * i) : (float) ((double) end - (double) step * (n - 1 - i));
}

/* torch.cumprod in f32: accumulates in double, stores f32. */
static void
cumulate (const float *beta, int n, double *abar)
{
  double product = 1.0;
  for (int i = 0; i < n; i++) {
    product *= 1.0f - beta[i];
    abar[i] = (float) product;
  }
}

/* Lin et al. 2023, algorithm 1, in the f32 steps of the reference: the last level becomes pure noise. */
static void
rescale_zero_snr (float *beta, int n, double *abar)
{
  g_autofree float *q = g_new (float, n);
  for (int i = 0; i < n; i++)
    q[i] = sqrtf ((float) abar[i]);
  const float first = q[0], last = q[n - 1], gain = first / (first - last);
  for (int i = 0; i < n; i++) {
    q[i] = (q[i] - last) * gain;
    q[i] = q[i] * q[i];
  }
  beta[0] = 1.0f - q[0];
  for (int i = 1; i < n; i++)
    beta[i] = 1.0f - q[i] / q[i - 1];
  cumulate (beta, n, abar);
}

PmtSchedule *
pmt_schedule_new (const PmtScheduleConfig *config, GError **error)
{
  const int n = config->train_steps;
  if (n < 2 || n > 100000 || !(config->beta_start > 0) || !(config->beta_end >= config->beta_start) || !(config->beta_end < 1)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("A noise schedule of %d steps with beta from %g to %g cannot be used; correct the model's scheduler_config.json."),
                 n, config->beta_start, config->beta_end);
    return NULL;
  }
  PmtSchedule *schedule = g_new0 (PmtSchedule, 1);
  schedule->config = *config;
  schedule->abar = g_new (double, n);
  schedule->sigma = g_new (double, n);
  g_autofree float *beta = g_new (float, n);
  for (int i = 0; i < n; i++) {
    if (config->betas == PMT_BETAS_SCALED_LINEAR) {
      float root = torch_linspace ((float) sqrt (config->beta_start), (float) sqrt (config->beta_end), n, i);
      beta[i] = root * root;
    } else {
      beta[i] = torch_linspace ((float) config->beta_start, (float) config->beta_end, n, i);
    }
  }
  cumulate (beta, n, schedule->abar);
  if (config->zero_terminal_snr)
    rescale_zero_snr (beta, n, schedule->abar);
  for (int i = 0; i < n; i++) {
    /* Sigma-space samplers cannot start at infinity; 2^-24 is what the reference puts there. */
    float abar = (float) schedule->abar[i];
    if (config->zero_terminal_snr && i == n - 1)
      abar = 0x1p-24f;
    schedule->sigma[i] = sqrtf ((1.0f - abar) / abar);
  }
  return schedule;
}

void
pmt_schedule_free (PmtSchedule *schedule)
{
  if (!schedule)
    return;
  g_free (schedule->abar);
  g_free (schedule->sigma);
  g_free (schedule);
}

PmtLevel
pmt_level_from_abar (double abar)
{
  return (PmtLevel) { sqrt (abar), sqrt (1.0 - abar) };
}

PmtLevel
pmt_level_from_sigma (double sigma)
{
  double a = 1.0 / sqrt (1.0 + sigma * sigma);
  return (PmtLevel) { a, sigma * a };
}

/* Of a schedule that ends in pure noise, abar is 0 there, and what is left of the clean latent cannot be told from noise alone: stay just
 * above, where abar is 2^-24 (as in pmt_schedule_new). A network that predicts noise was not trained for it, but may be run so. */
#define LEAST_SIGNAL 0x1p-12

void
pmt_predict_split (PmtPrediction prediction, PmtLevel level, const float *output, const float *x, double x_scale, size_t n,
                   float *clean, float *noise)
{
  const double a = level.a, s = level.s;
  for (size_t k = 0; k < n; k++) {
    const double o = output[k], z = x[k] * x_scale;
    double c = o, e = o;
    switch (prediction) {
      case PMT_PREDICT_EPSILON:
        c = (z - s * o) / MAX (a, LEAST_SIGNAL);
        break;
      case PMT_PREDICT_V:
        c = a * z - s * o;
        e = a * o + s * z;
        break;
      case PMT_PREDICT_SAMPLE:
        e = (z - a * o) / s;
        break;
    }
    if (clean)
      clean[k] = (float) c;
    if (noise)
      noise[k] = (float) e;
  }
}

void
pmt_level_mix (PmtLevel level, const float *clean, const float *noise, size_t n, float *out)
{
  for (size_t k = 0; k < n; k++)
    out[k] = (float) (level.a * clean[k] + level.s * noise[k]);
}
