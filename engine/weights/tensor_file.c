/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/tensor_file.h"

#include "engine/weights/gguf.h"
#include "engine/weights/pickle.h"

PmtSafetensors *
pmt_tensor_file_open (const char *path, GError **error)
{
  switch (pmt_content_of (path)) {
    case PMT_CONTENT_PICKLE:
      pmt_pickle_refuse (path, error);
      return NULL;
    case PMT_CONTENT_GGUF:
      return pmt_gguf_open (path, error);
    default:
      return pmt_safetensors_open (path, error);
  }
}
