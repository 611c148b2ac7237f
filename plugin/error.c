/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "plugin/error.h"

G_DEFINE_QUARK (pmt-error-quark, pmt_error)
