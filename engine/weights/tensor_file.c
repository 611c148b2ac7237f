/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/weights/tensor_file.h"

#include "engine/weights/pickle.h"

PmtSafetensors *
pmt_tensor_file_open (const char *path, GError **error)
{
  switch (pmt_content_of (path)) {
    case PMT_CONTENT_PICKLE:
      pmt_pickle_refuse (path, error);
      return NULL;
    case PMT_CONTENT_GGUF:
      g_set_error (error, PMT_ERROR, PMT_ERROR_UNSUPPORTED,
                   "'%s' is a GGUF file, which this version does not read; use the .safetensors file of the same model.", path);
      return NULL;
    default:
      return pmt_safetensors_open (path, error);
  }
}
