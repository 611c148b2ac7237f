/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/cli/cli.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "engine/image/picture.h"

gboolean
pmt_cli_parse (const PmtCommand *command, const char *usage, const char *description, const GOptionEntry *entries, int argc,
               char **argv, char **words, int n_words, GError **error)
{
  g_autofree char *program = g_strconcat ("pentimento-engine ", command->name, NULL);
  g_autoptr (GOptionContext) context = g_option_context_new (usage);
  g_autoptr (GError) problem = NULL;
  /* GOption frees what it drops from the list, so it gets copies */
  g_auto (GStrv) list = g_new0 (char *, (gsize) argc + 1);

  for (int i = 0; i < argc; i++)
    list[i] = g_strdup (argv[i]);
  g_set_prgname (program); /* what --help shows */
  g_option_context_set_summary (context, command->summary);
  if (description)
    g_option_context_set_description (context, description);
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse_strv (context, &list, &problem)) {
    g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "%s; 'pentimento-engine %s --help' lists the options.", problem->message,
                 command->name);
    return FALSE;
  }
  if ((int) g_strv_length (list) - 1 != n_words) {
    if ((int) g_strv_length (list) - 1 > n_words)
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The word '%s' is one too many; 'pentimento-engine %s --help' lists the options.",
                   list[n_words + 1], command->name);
    else
      g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The command needs %s; 'pentimento-engine %s --help' says more.", usage,
                   command->name);
    return FALSE;
  }
  for (int i = 0; i < n_words; i++)
    words[i] = g_strdup (list[i + 1]);
  return TRUE;
}

gboolean
pmt_cli_check_utf8 (const char *option, const char *text, GError **error)
{
  if (!text || g_utf8_validate (text, -1, NULL))
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The text of %s is not valid UTF-8; type it in a UTF-8 terminal.", option);
  return FALSE;
}

static PmtCancel cancel;

static void
on_signal (int number)
{
  (void) number;
  if (pmt_cancelled (&cancel))
    _exit (130);
  pmt_cancel_request (&cancel);
}

const PmtCancel *
pmt_cli_cancel (void)
{
  struct sigaction action = { .sa_handler = on_signal };

  sigemptyset (&action.sa_mask);
  sigaction (SIGINT, &action, NULL);
  sigaction (SIGTERM, &action, NULL);
  return &cancel;
}

void
pmt_cli_print_json (JsonNode *node)
{
  g_autofree char *text = json_to_string (node, TRUE);

  puts (text);
}

gboolean
pmt_cli_read_size (const char *text, int *width, int *height, GError **error)
{
  int end = 0;

  if ((sscanf (text, "%d%*1[xX]%d%n", width, height, &end) == 2 || sscanf (text, "%d×%d%n", width, height, &end) == 2) &&
      text[end] == '\0' && *width >= 1 && *height >= 1 && *width <= PMT_PICTURE_MAX_SIDE && *height <= PMT_PICTURE_MAX_SIDE)
    return TRUE;
  g_set_error (error, PMT_ERROR, PMT_ERROR_INPUT, "The size '%s' is not of the form WIDTHxHEIGHT with sides from 1 to %d pixels.", text,
               PMT_PICTURE_MAX_SIDE);
  return FALSE;
}
