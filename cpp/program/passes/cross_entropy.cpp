#include "program/passes.h"
#include "program/passes/rewriter.h"

namespace dlcore {

// softmax_grad(sparse_xent_grad(dloss, p, labels), p) with p = softmax(z) over the last axis is p - onehot, times
// dloss: one node, and exact where the loss of the probabilities is clipped. Keras on TensorFlow does the same.
void fuse_softmax_cross_entropy(Graph& graph) {
  Rewriter rewriter(graph);
  rewriter.run([&](Node& node) {
    if (node.op->name != "softmax_grad") return true;
    const Node* loss = rewriter.maker(node.in[0]);
    const Node* softmax = rewriter.maker(node.in[1]);
    if (!loss || !softmax || loss->op->name != "sparse_xent_grad" || softmax->op->name != "softmax") return true;
    if (loss->in[1] != node.in[1]) return true;
    const std::int64_t axis = softmax->attrs.integer("axis", -1), rank = rewriter.spec(node.in[1]).shape.rank();
    if (axis != -1 && axis != rank - 1) return true;
    Attrs attrs;
    if (const Attr* ignored = loss->attrs.find("ignore_class")) attrs.set("ignore_class", *ignored);
    node = {&primitive("sparse_softmax_xent_grad"), {loss->in[0], softmax->in[0], loss->in[2]}, node.out, attrs};
    return true;
  });
}

}  // namespace dlcore
