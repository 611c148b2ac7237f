/* SPDX-License-Identifier: GPL-3.0-or-later */
/* Character classes and cleaning as CLIP's tokenizer has them in transformers (Rust's and Oniguruma's Unicode tables; here GLib's). */
#pragma once

#include <glib.h>

gboolean pmt_char_is_space (gunichar c);  /* \s: the White_Space property */
gboolean pmt_char_is_letter (gunichar c); /* \p{L} */
gboolean pmt_char_is_number (gunichar c); /* \p{N} */
gboolean pmt_char_is_word (gunichar c);   /* letter, number or "_": what a learned word or BREAK must not touch */

/* NFC, runs of white space to one space, then lower case character by character (no special case for a final sigma). `text` is valid UTF-8
 * of `length` bytes; newly allocated. */
char *pmt_text_clean (const char *text, gssize length);
