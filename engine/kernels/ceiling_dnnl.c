/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/kernels/ceiling_dnnl.h"

#include "engine/kernels/pmt-kernel-levels.h"

#ifdef PMT_HAVE_DNNL

#include <gmodule.h>
#include <oneapi/dnnl/dnnl.h>
#include <string.h>

#include "engine/base/threads.h"

/* Upstream's name, Debian's, and the one of development packages. */
static const char *const library_names[] = { "libdnnl.so.3", "libdnnl.so.3.6", "libdnnl.so" };

#define FUNCTIONS(F) \
  F (version) F (engine_create) F (engine_destroy) F (stream_create) F (stream_destroy) F (stream_wait) \
  F (memory_desc_create_with_tag) F (memory_desc_destroy) F (memory_create) F (memory_destroy) F (memory_get_data_handle) \
  F (memory_desc_get_size) F (matmul_primitive_desc_create) F (reorder_primitive_desc_create) F (primitive_desc_query_md) \
  F (primitive_desc_destroy) F (primitive_create) F (primitive_execute) F (primitive_destroy)

enum { SRC, WEIGHTS, DST, OPERANDS };

struct PmtDnnl {
  GModule *module;
#define F(name) __typeof__ (dnnl_##name) *name;
  FUNCTIONS (F)
#undef F
  dnnl_engine_t engine;
  dnnl_stream_t stream;
  char text[32];
  /* what is ready; NULL where nothing is */
  dnnl_primitive_t product;
  dnnl_memory_t operand[OPERANDS];
};

static bool
find_functions (PmtDnnl *d)
{
  bool all = true;
#define F(symbol) all = all && g_module_symbol (d->module, "dnnl_" #symbol, (gpointer *) &d->symbol);
  FUNCTIONS (F)
#undef F
  return all;
}

PmtDnnl *
pmt_dnnl_new (void)
{
  PmtDnnl *d = g_new0 (PmtDnnl, 1);
  pmt_threads_adopt ();
  for (size_t i = 0; i < G_N_ELEMENTS (library_names) && !d->module; i++)
    d->module = g_module_open (library_names[i], G_MODULE_BIND_LAZY | G_MODULE_BIND_LOCAL);
  if (d->module && find_functions (d)) {
    const dnnl_version_t *version = d->version ();
    g_snprintf (d->text, sizeof d->text, "%d.%d.%d", version->major, version->minor, version->patch);
    /* Another runtime (TBB, SYCL) would bring threads of its own. */
    if (version->major == DNNL_VERSION_MAJOR && version->cpu_runtime == DNNL_RUNTIME_OMP &&
        d->engine_create (&d->engine, dnnl_cpu, 0) == dnnl_success &&
        d->stream_create (&d->stream, d->engine, dnnl_stream_default_flags) == dnnl_success)
      return d;
  }
  pmt_dnnl_free (d);
  return NULL;
}

static void
forget (PmtDnnl *d)
{
  if (d->product)
    d->primitive_destroy (d->product);
  d->product = NULL;
  for (int i = 0; i < OPERANDS; i++) {
    if (d->operand[i])
      d->memory_destroy (d->operand[i]);
    d->operand[i] = NULL;
  }
}

void
pmt_dnnl_free (PmtDnnl *d)
{
  if (!d)
    return;
  forget (d);
  if (d->stream)
    d->stream_destroy (d->stream);
  if (d->engine)
    d->engine_destroy (d->engine);
  if (d->module)
    g_module_close (d->module);
  g_free (d);
}

const char *
pmt_dnnl_version (const PmtDnnl *d)
{
  return d->text;
}

/* Values around 0 of any of the types, none of them infinite or denormal: those would be slower. */
static void
fill (void *data, size_t bytes, dnnl_data_type_t type)
{
  guint32 state = 1;
  for (size_t i = 0; i < bytes; i += type == dnnl_f32 ? 4 : type == dnnl_bf16 ? 2 : 1) {
    state = state * 1664525u + 1013904223u;
    const float value = ((float) (state >> 8) * 0x1p-23f - 1.0f);
    guint32 bits;
    memcpy (&bits, &value, sizeof bits);
    if (type == dnnl_f32)
      memcpy ((char *) data + i, &bits, 4);
    else if (type == dnnl_bf16)
      memcpy ((char *) data + i, &(guint16) { (guint16) (bits >> 16) }, 2);
    else
      ((guint8 *) data)[i] = (guint8) (state >> 24);
  }
}

/* Memory as `desc` has it, filled where that is row after row; NULL when it fails. */
static dnnl_memory_t
memory_new (PmtDnnl *d, const_dnnl_memory_desc_t desc, bool filled, dnnl_data_type_t type)
{
  dnnl_memory_t memory = NULL;
  void *data = NULL;
  if (d->memory_create (&memory, desc, d->engine, DNNL_MEMORY_ALLOCATE) != dnnl_success)
    return NULL;
  if (filled && d->memory_get_data_handle (memory, &data) == dnnl_success)
    fill (data, d->memory_desc_get_size (desc), type);
  return memory;
}

static bool
run_primitive (PmtDnnl *d, const_dnnl_primitive_t primitive, int n, const dnnl_exec_arg_t *args)
{
  return d->primitive_execute (primitive, d->stream, n, args) == dnnl_success && d->stream_wait (d->stream) == dnnl_success;
}

static bool
reorder (PmtDnnl *d, dnnl_memory_t from, const_dnnl_memory_desc_t from_desc, dnnl_memory_t to, const_dnnl_memory_desc_t to_desc)
{
  dnnl_primitive_desc_t desc = NULL;
  dnnl_primitive_t primitive = NULL;
  const dnnl_exec_arg_t args[] = { { DNNL_ARG_FROM, from }, { DNNL_ARG_TO, to } };
  const bool good = from && to && d->reorder_primitive_desc_create (&desc, from_desc, d->engine, to_desc, d->engine, NULL) == dnnl_success &&
                    d->primitive_create (&primitive, desc) == dnnl_success && run_primitive (d, primitive, 2, args);
  if (primitive)
    d->primitive_destroy (primitive);
  if (desc)
    d->primitive_desc_destroy (desc);
  return good;
}

bool
pmt_dnnl_prepare (PmtDnnl *d, PmtPrecision precision, int64_t m, int64_t n, int64_t k)
{
  static const dnnl_data_type_t types[PMT_PRECISIONS][OPERANDS] = {
    [PMT_PRECISION_F32] = { dnnl_f32, dnnl_f32, dnnl_f32 },
    [PMT_PRECISION_BF16] = { dnnl_bf16, dnnl_bf16, dnnl_bf16 },
    [PMT_PRECISION_INT8] = { dnnl_u8, dnnl_s8, dnnl_s8 },
  };
  const dnnl_data_type_t *type = types[precision];
  const dnnl_dims_t dims[OPERANDS] = { { m, k }, { k, n }, { m, n } };
  dnnl_memory_desc_t desc[OPERANDS] = { NULL }, liked = NULL;
  dnnl_primitive_desc_t product = NULL;
  dnnl_memory_t plain = NULL;
  bool good = true;
  forget (d);
  pmt_threads_adopt ();
  for (int i = 0; i < OPERANDS; i++)
    good = good && d->memory_desc_create_with_tag (&desc[i], 2, dims[i], type[i], dnnl_ab) == dnnl_success;
  good = good && d->memory_desc_create_with_tag (&liked, 2, dims[WEIGHTS], type[WEIGHTS], dnnl_format_tag_any) == dnnl_success &&
         d->matmul_primitive_desc_create (&product, d->engine, desc[SRC], liked, NULL, desc[DST], NULL) == dnnl_success &&
         d->primitive_create (&d->product, product) == dnnl_success;
  if (good) {
    const_dnnl_memory_desc_t chosen = d->primitive_desc_query_md (product, dnnl_query_weights_md, 0);
    plain = memory_new (d, desc[WEIGHTS], true, type[WEIGHTS]);
    d->operand[SRC] = memory_new (d, desc[SRC], true, type[SRC]);
    d->operand[WEIGHTS] = memory_new (d, chosen, false, type[WEIGHTS]);
    d->operand[DST] = memory_new (d, desc[DST], false, type[DST]);
    good = d->operand[SRC] && d->operand[DST] && reorder (d, plain, desc[WEIGHTS], d->operand[WEIGHTS], chosen);
  }
  if (plain)
    d->memory_destroy (plain);
  if (product)
    d->primitive_desc_destroy (product);
  if (liked)
    d->memory_desc_destroy (liked);
  for (int i = 0; i < OPERANDS; i++)
    if (desc[i])
      d->memory_desc_destroy (desc[i]);
  if (!good)
    forget (d);
  return good;
}

void
pmt_dnnl_run (PmtDnnl *d)
{
  const dnnl_exec_arg_t args[] = { { DNNL_ARG_SRC, d->operand[SRC] }, { DNNL_ARG_WEIGHTS, d->operand[WEIGHTS] }, { DNNL_ARG_DST, d->operand[DST] } };
  pmt_threads_adopt ();
  if (d->product && !run_primitive (d, d->product, OPERANDS, args))
    forget (d);
}

bool
pmt_dnnl_ready (const PmtDnnl *d)
{
  return d->product != NULL;
}

#else

PmtDnnl *
pmt_dnnl_new (void)
{
  return NULL;
}

void
pmt_dnnl_free (PmtDnnl *dnnl)
{
}

const char *
pmt_dnnl_version (const PmtDnnl *dnnl)
{
  return "";
}

bool
pmt_dnnl_prepare (PmtDnnl *dnnl, PmtPrecision precision, int64_t m, int64_t n, int64_t k)
{
  return false;
}

void
pmt_dnnl_run (PmtDnnl *dnnl)
{
}

bool
pmt_dnnl_ready (const PmtDnnl *dnnl)
{
  return false;
}

#endif
