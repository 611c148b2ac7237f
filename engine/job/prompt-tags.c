/* SPDX-License-Identifier: GPL-3.0-or-later */
/* "<lora:NAME:0.8>" in a prompt: NAME is the stem of a file somewhere in the job's folders of LoRAs. */
#include <string.h>

#include "engine/job/private.h"
#include "engine/job/prompt-names.h"
#include "engine/weights/library.h"

#define DEEPEST 8

typedef struct Search {
  const char *name;
  GPtrArray *found; /* owned paths of weights */
  GPtrArray *other; /* owned paths of pickles: refused with how to convert them when there is nothing else */
  int seen;           /* names in this folder of the list */
} Search;

/* One file may be found by several ways: folders in each other, links. */
static void
add_found (GPtrArray *list, char *path)
{
  for (guint i = 0; i < list->len; i++)
    if (pmt_library_same_file (list->pdata[i], path)) {
      g_free (path);
      return;
    }
  g_ptr_array_add (list, path);
}

static gboolean
ends_in (const char *file, const char *const *endings, const char *name)
{
  const gsize n = strlen (name);

  if (strncmp (file, name, n) != 0)
    return FALSE;
  for (; *endings; endings++)
    if (g_ascii_strcasecmp (file + n, *endings) == 0)
      return TRUE;
  return FALSE;
}

static void
search (Search *s, const char *folder, int depth)
{
  static const char *const weights[] = { ".safetensors", ".sft", ".gguf", NULL }, *const pickles[] = { ".pt", ".ckpt", ".pth", ".bin", NULL };
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;

  while (dir && (name = g_dir_read_name (dir)) && s->seen++ < PMT_NAMES_MOST_FILES) {
    g_autofree char *path = g_build_filename (folder, name, NULL);
    if (ends_in (name, weights, s->name))
      add_found (s->found, g_steal_pointer (&path));
    else if (ends_in (name, pickles, s->name))
      add_found (s->other, g_steal_pointer (&path));
    else if (depth < DEEPEST && g_file_test (path, G_FILE_TEST_IS_DIR) && !g_file_test (path, G_FILE_TEST_IS_SYMLINK))
      search (s, path, depth + 1);
  }
}

/* The file that a tag means; newly allocated. */
static char *
find_file (const PmtJob *job, const PmtPromptTag *tag, GError **error)
{
  g_auto (GStrv) folders = pmt_names_folders (tag->hypernetwork ? PMT_NAMES_HYPERNETWORKS : PMT_NAMES_LORAS, job->extras.lora_folders);
  Search s = { .name = tag->name, .found = g_ptr_array_new_with_free_func (g_free), .other = g_ptr_array_new_with_free_func (g_free) };
  const char *kind = tag->hypernetwork ? "hypernet" : "lora";
  const char *cut = NULL; /* the first of them that holds more than is looked at */
  char *path = NULL;

  for (char **folder = folders; *folder; folder++) {
    s.seen = 0;
    search (&s, *folder, 0);
    if (s.seen > PMT_NAMES_MOST_FILES && !cut)
      cut = *folder;
  }
  GPtrArray *list = s.found->len ? s.found : s.other;
  if (list->len == 1) {
    path = g_strdup (list->pdata[0]);
  } else if (list->len > 1) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT,
                 _("The prompt's tag <%s:%s> fits more than one file, '%s' and '%s'; rename one of them, or take the tag out and choose the file "
                   "itself."),
                 kind, tag->name, (char *) list->pdata[0], (char *) list->pdata[1]);
  } else if (cut) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND,
                 _("The prompt's tag <%s:%s> names no file among the first %d in '%s', and no more are looked at; put it into a smaller folder, or "
                   "choose the file itself."),
                 kind, tag->name, PMT_NAMES_MOST_FILES, cut);
  } else {
    g_autofree char *where = g_strjoinv ("', '", folders);
    g_set_error (error, PMT_ERROR, PMT_ERROR_NOT_FOUND,
                 _("The prompt's tag <%s:%s> names no file: there is no '%s.safetensors' in '%s'; put it there, correct the name, or take the "
                   "tag out."),
                 kind, tag->name, tag->name, where);
  }
  g_ptr_array_unref (s.found);
  g_ptr_array_unref (s.other);
  return path;
}

static gboolean
add_tag (const PmtJob *job, PmtJobPlan *plan, const PmtPromptTag *tag, GError **error)
{
  char *path = find_file (job, tag, error);

  if (!path)
    return FALSE;
  g_ptr_array_add (plan->tag_paths, path);
  plan->loras = g_renew (PmtWeightEdit, plan->loras, plan->n_loras + 1);
  plan->loras[plan->n_loras++] = (PmtWeightEdit) { path, tag->strength, tag->text_strength };
  return TRUE;
}

/* A note where the negative prompt, or a region's, has tags: they are left out. */
static gboolean
note_tags (const PmtJob *job, PmtJobPlan *plan, const char *text, gboolean regional, GError **error)
{
  PmtPrompt prompt;

  if (!text)
    return TRUE;
  if (!pmt_prompt_parse (text, job->syntax, &prompt, error))
    return FALSE;
  const char *kind = prompt.n_tags && prompt.tag[0].hypernetwork ? "hypernet" : "lora";
  if (prompt.n_tags && regional)
    pmt_job_note (plan, _("LoRAs act on the whole picture: the tag <%s:%s> in a region's prompt was left out; put it into the prompt."), kind,
                  prompt.tag[0].name);
  else if (prompt.n_tags)
    pmt_job_note (plan, _("LoRAs act on the whole picture: the tag <%s:%s> in the negative prompt was left out."), kind, prompt.tag[0].name);
  pmt_prompt_clear (&prompt);
  return TRUE;
}

gboolean
pmt_job_plan_tags (const PmtJob *job, PmtJobPlan *plan, GError **error)
{
  PmtPrompt prompt;
  gboolean good = TRUE;

  plan->tag_paths = g_ptr_array_new_with_free_func (g_free);
  if (!pmt_prompt_parse (job->prompt ? job->prompt : "", job->syntax, &prompt, error))
    return FALSE;
  if (plan->n_loras + prompt.n_tags > PMT_JOB_MAX_LORAS) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, _("The job has %d LoRAs and can have at most %d; take some out."),
                 plan->n_loras + prompt.n_tags, PMT_JOB_MAX_LORAS);
    good = FALSE;
  }
  for (int i = 0; good && i < prompt.n_tags; i++)
    good = add_tag (job, plan, &prompt.tag[i], error);
  pmt_prompt_clear (&prompt);
  good = good && note_tags (job, plan, job->negative, FALSE, error);
  for (int i = 0; good && i < job->extras.n_regions; i++)
    good = note_tags (job, plan, job->extras.regions[i].prompt, TRUE, error);
  return good;
}
