/* SPDX-License-Identifier: GPL-3.0-or-later */
/* The plug-in's face to GIMP: which procedures there are. */
#include <libgimp/gimp.h>

#include <glib/gi18n.h>

#include "plugin/change-word.h"
#include "plugin/describe.h"
#include "plugin/diagnostics.h"
#include "plugin/edit.h"
#include "plugin/fill.h"
#include "plugin/generate.h"
#include "plugin/help.h"
#include "plugin/learn.h"
#include "plugin/models.h"
#include "plugin/history-dialog.h"
#include "plugin/history.h"
#include "plugin/move-this.h"
#include "plugin/recipe-show.h"
#include "plugin/recipe-strip.h"
#include "plugin/recipe-use.h"
#include "plugin/recipe-vary.h"
#include "plugin/rerun.h"
#include "plugin/session.h"
#include "plugin/word-maps.h"

typedef struct PmtProcedure {
  const char *name;
  GimpProcedure *(*create) (GimpPlugIn *plug_in, const char *name);
} PmtProcedure;

static const PmtProcedure procedures[] = {
  { PMT_PROCEDURE_FILL, pmt_fill_procedure_new },
  { "plug-in-pentimento-expand", pmt_fill_procedure_new },
  { "plug-in-pentimento-add", pmt_fill_procedure_new },
  { "plug-in-pentimento-remove", pmt_fill_procedure_new },
  { "plug-in-pentimento-replace-background", pmt_fill_procedure_new },
  { "plug-in-pentimento-refine", pmt_fill_procedure_new },
  { PMT_PROCEDURE_EDIT, pmt_edit_procedure_new },
  { PMT_PROCEDURE_GENERATE, pmt_generate_procedure_new },
  { PMT_PROCEDURE_RERUN, pmt_rerun_procedure_new },
  { PMT_PROCEDURE_MODELS, pmt_models_procedure_new },
  { PMT_PROCEDURE_HERE, pmt_here_procedure_new },
  { PMT_PROCEDURE_VARY, pmt_vary_procedure_new },
  { PMT_PROCEDURE_HISTORY, pmt_history_procedure_new },
  { PMT_PROCEDURE_CHANGE_WORD, pmt_change_word_procedure_new },
  { PMT_PROCEDURE_DESCRIBE, pmt_describe_procedure_new },
  { PMT_PROCEDURE_WORD_MAPS, pmt_word_maps_procedure_new },
  { PMT_PROCEDURE_MOVE, pmt_move_procedure_new },
  { PMT_PROCEDURE_USE, pmt_use_procedure_new },
  { PMT_PROCEDURE_SHOW, pmt_show_procedure_new },
  { PMT_PROCEDURE_STRIP, pmt_strip_procedure_new },
  { PMT_PROCEDURE_LEARN, pmt_learn_procedure_new },
  { PMT_PROCEDURE_DIAGNOSTICS, pmt_diagnostics_procedure_new },
};

typedef struct _PmtPlugIn {
  GimpPlugIn parent;
} PmtPlugIn;

typedef struct _PmtPlugInClass {
  GimpPlugInClass parent_class;
} PmtPlugInClass;

GType pmt_plug_in_get_type (void);
G_DEFINE_TYPE (PmtPlugIn, pmt_plug_in, GIMP_TYPE_PLUG_IN)

static GList *
query_procedures (GimpPlugIn *plug_in)
{
  GList *names = NULL;

  pmt_help_register (plug_in);
  for (gsize i = 0; i < G_N_ELEMENTS (procedures); i++)
    names = g_list_append (names, g_strdup (procedures[i].name));
  return names;
}

static GimpProcedure *
create_procedure (GimpPlugIn *plug_in, const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (procedures); i++)
    if (g_str_equal (name, procedures[i].name))
      return procedures[i].create (plug_in, name);
  return NULL;
}

/* The catalogue is GETTEXT_PACKAGE in locale/ beside the program. */
static gboolean
set_i18n (GimpPlugIn *plug_in, const char *procedure_name, char **gettext_domain, char **catalog_dir)
{
  *gettext_domain = g_strdup (GETTEXT_PACKAGE);
  return TRUE;
}

static void
pmt_plug_in_class_init (PmtPlugInClass *klass)
{
  GimpPlugInClass *plug_in_class = GIMP_PLUG_IN_CLASS (klass);

  plug_in_class->query_procedures = query_procedures;
  plug_in_class->create_procedure = create_procedure;
  plug_in_class->set_i18n = set_i18n;
}

static void
pmt_plug_in_init (PmtPlugIn *plug_in)
{
}

int
main (int argc, char *argv[])
{
  if (pmt_session_is_watcher (argc, argv, pmt_history_clean))
    return 0;
  return gimp_main (pmt_plug_in_get_type (), argc, argv);
}
