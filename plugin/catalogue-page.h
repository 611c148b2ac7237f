/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Models that can be had: the catalogue, and the download of the one that the user clicks. */
#pragma once

#include "plugin/models-dialog.h"

GtkWidget *pmt_catalogue_page_new (PmtModelsDialog *dialog);
/* A search has ended: which of them are there already. */
void pmt_catalogue_page_refresh (GtkWidget *page);
/* A download is under way. */
gboolean pmt_catalogue_page_loads (GtkWidget *page);
