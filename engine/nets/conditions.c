/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/nets/conditions.h"

#include "engine/nets/time_embedding.h"

PmtConditions
pmt_conditions_declare (PmtWeightPool *pool, const PmtConditionShape *shape)
{
  PmtConditions c = { .shape = *shape };
  const int wide = 4 * shape->width;
  c.time1 = pmt_dense_declare (pool, "time_embedding", "linear_1", shape->width, wide, true);
  c.time2 = pmt_dense_declare (pool, "time_embedding", "linear_2", wide, wide, true);
  if (shape->guidance_dim > 0)
    c.guidance = pmt_dense_declare (pool, "time_embedding", "cond_proj", shape->guidance_dim, shape->width, false);
  if (shape->added_dim > 0) {
    c.added1 = pmt_dense_declare (pool, "add_embedding", "linear_1", shape->added_dim, wide, true);
    c.added2 = pmt_dense_declare (pool, "add_embedding", "linear_2", wide, wide, true);
  }
  return c;
}

static bool
is_matrix (PmtTensor t, int64_t rows)
{
  return t.data && t.shape.rank == 2 && t.shape.dim[0] == rows && t.shape.dim[1] > 0;
}

bool
pmt_conditions_check (PmtContext *ctx, const char *what, const PmtConditionShape *shape, const PmtConditionInput *input, int64_t rows)
{
  if (pmt_context_failed (ctx))
    return false;
  if (input->timestep_cond.data && !(is_matrix (input->timestep_cond, rows) && input->timestep_cond.shape.dim[1] == shape->guidance_dim)) {
    pmt_context_fail (ctx, PMT_ERROR_INPUT, "The %s takes %s guidance embedding of width %d; leave it out or choose a model that fits.", what,
                      shape->guidance_dim > 0 ? "a" : "no", shape->guidance_dim);
    return false;
  }
  if (shape->added_dim == 0) {
    if (!input->text_embeds.data && !input->time_ids.data)
      return true;
    pmt_context_fail (ctx, PMT_ERROR_INPUT, "The %s takes no pooled text and no time ids; leave them out or choose an SDXL model.", what);
    return false;
  }
  if (is_matrix (input->text_embeds, rows) && is_matrix (input->time_ids, rows) &&
      input->text_embeds.shape.dim[1] + input->time_ids.shape.dim[1] * shape->time_id_dim == shape->added_dim)
    return true;
  pmt_context_fail (ctx, PMT_ERROR_INPUT,
                    "The %s takes a pooled text and time ids of %d numbers each, %d in all, and was given a pooled text of %d and %d time "
                    "ids; use the text encoders that belong to the model.",
                    what, shape->time_id_dim, shape->added_dim,
                    input->text_embeds.data ? (int) pmt_tensor_dim (input->text_embeds, -1) : 0,
                    input->time_ids.data ? (int) pmt_tensor_dim (input->time_ids, -1) : 0);
  return false;
}

static PmtTensor
added_vector (PmtContext *ctx, const PmtWeightPool *pool, const PmtConditions *c, const PmtConditionInput *input, int64_t rows)
{
  const PmtConditionShape *shape = &c->shape;
  const int64_t ids = input->time_ids.shape.dim[1];
  PmtTensor t = pmt_time_embedding (ctx, input->time_ids.data, rows * ids, shape->time_id_dim, shape->flip_sin_to_cos,
                                    shape->freq_shift);
  if (t.data)
    t = pmt_concat (ctx, input->text_embeds, pmt_tensor_view (t, PMT_SHAPE2 (rows, ids * shape->time_id_dim)));
  t = pmt_silu (ctx, pmt_dense_run (ctx, pool, &c->added1, t));
  return pmt_dense_run (ctx, pool, &c->added2, t);
}

PmtTensor
pmt_conditions_run (PmtContext *ctx, const PmtWeightPool *pool, const PmtConditions *c, const PmtConditionInput *input, int64_t rows)
{
  const PmtConditionShape *shape = &c->shape;
  PmtFrame frame = pmt_frame_open (ctx);
  PmtTensor t = pmt_time_embedding (ctx, input->timesteps, rows, shape->width, shape->flip_sin_to_cos, shape->freq_shift);
  if (input->timestep_cond.data)
    t = pmt_add (ctx, t, pmt_dense_run (ctx, pool, &c->guidance, input->timestep_cond));
  t = pmt_silu (ctx, pmt_dense_run (ctx, pool, &c->time1, t));
  t = pmt_dense_run (ctx, pool, &c->time2, t);
  if (shape->added_dim > 0)
    t = pmt_add (ctx, t, added_vector (ctx, pool, c, input, rows));
  return pmt_frame_close (ctx, frame, pmt_silu (ctx, t));
}
