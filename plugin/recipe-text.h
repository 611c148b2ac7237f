/* SPDX-License-Identifier: GPL-3.0-or-later */
/* A recipe for people and for other programs to read. */
#pragma once

#include <json-glib/json-glib.h>

/* In the order in which one asks: pairs of a label (translated) and a value, each newly allocated; what the recipe does not say is left
 * out. Free with g_ptr_array_unref. */
GPtrArray *pmt_recipe_rows (JsonObject *recipe);

/* The lines that the web interface of AUTOMATIC1111 writes into its pictures and that many programs read: prompt, "Negative prompt: …", and
 * one line of "Steps: 20, Sampler: Euler a, …". Newly allocated. */
char *pmt_recipe_parameters (JsonObject *recipe);
