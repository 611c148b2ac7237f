/* SPDX-License-Identifier: GPL-3.0-or-later */
#include "engine/tensor/tape.h"

#include <string.h>

#include "engine/tensor/parameters.h"

typedef struct Node {
  PmtTensor value; /* the whole tensor that has this node */
  PmtTensor grad;  /* same shape, or PMT_NO_TENSOR */
  int entry;       /* the call that made it, -1 for a leaf */
} Node;

struct PmtTape {
  GArray *entries; /* PmtTapeEntry, in the order in which they ran */
  GArray *nodes;   /* Node; node numbers start at 1 */
};

PmtTape *
pmt_tape_new (void)
{
  PmtTape *tape = g_new0 (PmtTape, 1);
  tape->entries = g_array_new (FALSE, TRUE, sizeof (PmtTapeEntry));
  tape->nodes = g_array_new (FALSE, TRUE, sizeof (Node));
  return tape;
}

void
pmt_tape_free (PmtTape *tape)
{
  if (!tape)
    return;
  for (guint i = 0; i < tape->entries->len; i++)
    g_free (g_array_index (tape->entries, PmtTapeEntry, i).params);
  g_array_unref (tape->entries);
  g_array_unref (tape->nodes);
  g_free (tape);
}

static Node *
node_at (const PmtTape *tape, int32_t number)
{
  g_assert (number > 0 && (guint) number <= tape->nodes->len);
  return &g_array_index (tape->nodes, Node, number - 1);
}

static int32_t
node_add (PmtTape *tape, PmtTensor value, int entry)
{
  Node node = { value, PMT_NO_TENSOR, entry };
  g_array_append_val (tape->nodes, node);
  return (int32_t) tape->nodes->len;
}

PmtTensor
pmt_tape_leaf (PmtTape *tape, PmtTensor t)
{
  if (!t.data)
    return t;
  t.node = node_add (tape, t, -1);
  return t;
}

static bool
depends (const PmtTapeEntry *entry)
{
  for (int i = 0; i < entry->n_in; i++)
    if (entry->in[i].data && entry->in[i].node != 0)
      return true;
  return false;
}

static int32_t
record (PmtTape *tape, const PmtTapeEntry *entry, const void *params, size_t params_size)
{
  g_array_append_vals (tape->entries, entry, 1);
  int index = (int) tape->entries->len - 1;
  g_array_index (tape->entries, PmtTapeEntry, index).params = params_size ? g_memdup2 (params, params_size) : NULL;
  return node_add (tape, entry->out, index);
}

int32_t
pmt_tape_record (PmtTape *tape, const PmtTapeEntry *entry, const void *params, size_t params_size)
{
  return depends (entry) ? record (tape, entry, params, params_size) : 0;
}

static void
copy_backward (PmtContext *ctx, const PmtTapeEntry *entry, PmtTensor out_grad, const PmtTensor *in_grad)
{
  if (in_grad[0].data && !ctx->dry)
    for (int64_t i = 0, n = pmt_tensor_size (out_grad); i < n; i++)
      in_grad[0].data[i] += out_grad.data[i];
}

int32_t
pmt_tape_record_copy (PmtTape *tape, PmtTensor in, PmtTensor out)
{
  PmtTapeEntry entry = { .backward = copy_backward, .n_in = 1, .in = { in }, .out = out };
  return pmt_tape_record (tape, &entry, NULL, 0);
}

/* The part of the node's gradient that belongs to `t`: views and row ranges are found by where they lie in the node's value. */
static PmtTensor
gradient_part (const Node *node, PmtTensor t)
{
  if (!node->grad.data)
    return PMT_NO_TENSOR;
  ptrdiff_t offset = t.data - node->value.data;
  g_assert (offset >= 0 && offset + pmt_tensor_size (t) <= pmt_tensor_size (node->value));
  return (PmtTensor) { node->grad.data + offset, t.shape, 0, NULL };
}

static PmtTensor
gradient_for (PmtContext *ctx, const PmtTape *tape, PmtTensor t)
{
  if (!t.data || t.node == 0)
    return PMT_NO_TENSOR;
  if (t.node < 0)
    return pmt_parameters_gradient (ctx->parameters, t);
  Node *node = node_at (tape, t.node);
  if (!node->grad.data)
    node->grad = pmt_tensor_zeros (ctx, node->value.shape);
  return gradient_part (node, t);
}

/* Adds `seed` (ones where absent) to the gradient of `of`. */
static void
plant (PmtContext *ctx, const PmtTape *tape, PmtTensor of, PmtTensor seed)
{
  PmtTensor start = gradient_for (ctx, tape, of);
  if (!start.data || ctx->dry)
    return;
  for (int64_t i = 0, n = pmt_tensor_size (start); i < n; i++)
    start.data[i] += seed.data ? seed.data[i] : 1.0f;
}

void
pmt_tape_backward_several (PmtContext *ctx, const PmtTensor *of, const PmtTensor *seeds, int n)
{
  PmtTape *tape = ctx->tape;
  if (ctx->error)
    return;
  bool fits = tape && n > 0;
  for (int i = 0; i < n && fits; i++)
    fits = of[i].data && of[i].node != 0;
  if (!fits) {
    pmt_context_fail (ctx, PMT_ERROR_INTERNAL, "A gradient was asked for of a value that depends on nothing differentiable.");
    return;
  }
  for (guint i = 0; i < tape->nodes->len; i++)
    g_array_index (tape->nodes, Node, i).grad = PMT_NO_TENSOR;

  /* What runs from here on is not itself recorded. */
  ctx->tape = NULL;
  for (int i = 0; i < n; i++)
    plant (ctx, tape, of[i], seeds[i]);

  for (int number = (int) tape->nodes->len; number > 0 && !ctx->error && !pmt_context_poll (ctx); number--) {
    Node *node = node_at (tape, number);
    if (node->entry < 0 || !node->grad.data)
      continue;
    const PmtTapeEntry *entry = &g_array_index (tape->entries, PmtTapeEntry, node->entry);
    PmtTensor in_grad[PMT_TAPE_MAX_INPUTS];
    for (int i = 0; i < entry->n_in; i++)
      in_grad[i] = gradient_for (ctx, tape, entry->in[i]);
    if (!ctx->error)
      entry->backward (ctx, entry, node->grad, in_grad);
  }
  ctx->tape = tape;
}

void
pmt_tape_backward (PmtContext *ctx, PmtTensor of, PmtTensor seed)
{
  pmt_tape_backward_several (ctx, &of, &seed, 1);
}

PmtTensor
pmt_tape_gradient (const PmtTape *tape, PmtTensor t)
{
  return t.data && t.node > 0 ? gradient_part (node_at (tape, t.node), t) : PMT_NO_TENSOR;
}

/* ---- parts that are run again -------------------------------------------------------------------------------------------- */

typedef struct Checkpoint {
  PmtTapePart part;
  int weight_set;
  max_align_t params[]; /* the part's */
} Checkpoint;

/* One input of the part on its way back: what came for it is added to what is wanted. */
static void
add_gradient (const PmtContext *ctx, const PmtTape *tape, PmtTensor leaf, PmtTensor into)
{
  PmtTensor got = pmt_tape_gradient (tape, leaf);
  if (ctx->dry || !into.data || !got.data)
    return;
  for (int64_t i = 0, n = pmt_tensor_size (into); i < n; i++)
    into.data[i] += got.data[i];
}

static void
checkpoint_backward (PmtContext *ctx, const PmtTapeEntry *entry, PmtTensor out_grad, const PmtTensor *in_grad)
{
  const Checkpoint *checkpoint = entry->params;
  const int weight_set = ctx->weight_set;
  PmtArenaMark mark = pmt_arena_mark (ctx->step);
  PmtTape *tape = ctx->tape = pmt_tape_new ();
  PmtTensor in[PMT_TAPE_MAX_INPUTS];
  for (int i = 0; i < entry->n_in; i++) {
    in[i] = entry->in[i];
    in[i].node = 0;
    if (in_grad[i].data)
      in[i] = pmt_tape_leaf (tape, in[i]);
  }
  ctx->weight_set = checkpoint->weight_set;
  PmtTensor out = checkpoint->part (ctx, checkpoint->params, in);
  if (out.data && out.node)
    pmt_tape_backward (ctx, out, out_grad);
  for (int i = 0; i < entry->n_in && !ctx->error; i++)
    add_gradient (ctx, tape, in[i], in_grad[i]);
  ctx->weight_set = weight_set;
  ctx->tape = NULL;
  pmt_tape_free (tape);
  pmt_arena_release (ctx->step, mark);
}

PmtTensor
pmt_tape_checkpoint (PmtContext *ctx, PmtTapePart part, const void *params, size_t params_size, const PmtTensor *in, int n_in)
{
  PmtTape *tape = ctx->tape;
  g_assert (n_in <= PMT_TAPE_MAX_INPUTS);
  if (!tape || ctx->error)
    return ctx->error ? PMT_NO_TENSOR : part (ctx, params, in);
  PmtTapeEntry entry = { .backward = checkpoint_backward, .n_in = n_in };
  PmtTensor plain[PMT_TAPE_MAX_INPUTS];
  for (int i = 0; i < n_in; i++) {
    plain[i] = entry.in[i] = in[i];
    plain[i].node = 0;
  }
  ctx->tape = NULL;
  PmtFrame frame = pmt_frame_open (ctx);
  entry.out = pmt_frame_close (ctx, frame, part (ctx, params, plain));
  ctx->tape = tape;
  if (!entry.out.data)
    return PMT_NO_TENSOR;
  const size_t size = sizeof (Checkpoint) + params_size;
  g_autofree Checkpoint *checkpoint = g_malloc0 (size);
  checkpoint->part = part;
  checkpoint->weight_set = ctx->weight_set;
  memcpy (checkpoint->params, params, params_size);
  /* What is learned may be used inside, whatever goes in. */
  if (depends (&entry) || ctx->parameters)
    entry.out.node = record (tape, &entry, checkpoint, size);
  return entry.out;
}
