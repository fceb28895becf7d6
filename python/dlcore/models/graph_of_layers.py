"""The nodes between the inputs and outputs of a Functional model, in the order in which they run."""


class GraphOfLayers:
    """Nodes by depth (0: made last), and the operations in Keras's order, on which the order of weights depends.

    Args:
        inputs, outputs: lists of KerasTensors.
    """

    def __init__(self, inputs, outputs):
        self.input_ids = {id(x) for x in inputs}
        visited, first_seen = self._walk(outputs)
        node_depths, operation_depths = self._depths(visited)
        for x in inputs:
            operation = x.history[0]
            if operation not in operation_depths:  # an input that no output needs
                operation_depths[operation] = 0
                first_seen[operation] = -1
        self.nodes = sorted(visited, key=lambda node: -node_depths[node])
        self.operations = sorted(operation_depths, key=lambda op: (-operation_depths[op], first_seen[op]))
        self.node_set = set(visited)
        for x in inputs:
            operation, index, _ = x.history
            self.node_set.add(operation._inbound_nodes[index])

    def is_source(self, node):
        """Whether the model's own inputs are what the node makes."""
        return any(id(x) in self.input_ids for x in node.outputs)

    def parents(self, node):
        """The nodes that make the node's inputs; none for a source."""
        if self.is_source(node):
            return []
        nodes = []
        for x in node.inputs:
            if x.history is None:
                raise ValueError(
                    f"{x} was made by no layer and is none of the model's inputs. Make placeholders with Input()."
                )
            operation, index, _ = x.history
            nodes.append(operation._inbound_nodes[index])
        return nodes

    def _walk(self, outputs):
        """All nodes, each after those it needs, and the order in which operations are met."""
        done, order, first_seen = set(), [], {}
        for output in outputs:
            if output.history is None:
                raise ValueError(
                    f"The output {output} was made by no layer. Outputs must come from the model's inputs."
                )
            operation, index, _ = output.history
            # Depth first without recursion: models may have thousands of layers.
            stack = [(operation._inbound_nodes[index], False)]
            while stack:
                node, is_ready = stack.pop()
                if is_ready:
                    if node not in done:
                        done.add(node)
                        order.append(node)
                    continue
                if node in done:
                    continue
                first_seen.setdefault(node.operation, len(first_seen))
                self._check_connected(node)
                stack.append((node, True))
                stack.extend((parent, False) for parent in reversed(self.parents(node)) if parent not in done)
        return order, first_seen

    def _check_connected(self, node):
        if not node.inputs and not self.is_source(node):
            raise ValueError(
                f"The outputs depend on the input '{node.outputs[0].name}', which is none of the model's inputs. "
                "Add it to `inputs`."
            )

    def _depths(self, order):
        node_depths, operation_depths = {}, {}
        for node in reversed(order):
            depth = max(node_depths.get(node, 0), operation_depths.get(node.operation, 0))
            node_depths[node] = operation_depths[node.operation] = depth
            for parent in self.parents(node):
                node_depths[parent] = max(depth + 1, node_depths.get(parent, 0))
        return node_depths, operation_depths
