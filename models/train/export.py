"""Checkpoint -> street.onnx: batch norms folded, any height and width that are multiples of 32.

    export.py CHECKPOINT|MODEL.onnx -o models/street.onnx [--half] [--raw]

Writes the averaged (EMA) weights; --raw takes the others. --half stores the kernels as float16, each
behind a Cast to float32: half the file, and every runtime computes with float32 as before. Where
there is no model card (the output's name with .yaml) one is written. Then reads the file back, runs
it with plain torch operators node by node and compares with the network.
"""
import argparse
import json
import os

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from torch import nn
from torch.nn import functional as F

from data import NAMES, read_names
from net import Street, Unit

OPSET = 11


class Writer:
    def __init__(self, half=False):
        self.nodes, self.weights, self.layers, self.half = [], [], {}, half

    def add(self, op, inputs, name, **attributes):
        self.nodes.append(helper.make_node(op, inputs, [name], name=name, **attributes))
        return name

    def tensor(self, name, value):
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def kernel(self, name, value):
        if not self.half:
            return self.tensor(name, value)
        return self.add("Cast", [self.tensor(name + ".half", value.astype(np.float16))], name,
                        to=TensorProto.FLOAT)

    def conv(self, x, name, conv, norm=None):
        self.layers[name] = (conv, norm)
        w, b = fold(conv, norm)
        k, s = conv.kernel_size[0], conv.stride[0]
        return self.add("Conv", [x, self.kernel(name + ".weight", w), self.tensor(name + ".bias", b)],
                        name, kernel_shape=[k, k], strides=[s, s], pads=[k // 2] * 4)

    def unit(self, x, name, unit):
        return self.add("Relu", [self.conv(x, name + ".conv", unit[0], unit[1])], name)

    def gather(self, x, name, g):
        parts = [self.unit(x, name + ".a", g.a), self.unit(x, name + ".b", g.b)]
        for i, u in enumerate(g.units):
            parts.append(self.unit(parts[-1], "%s.%d" % (name, i), u))
        return self.unit(self.add("Concat", parts, name + ".all", axis=1), name + ".join", g.join)

    def chain(self, x, name, modules):
        for i, m in enumerate(modules):
            kind = self.unit if isinstance(m, Unit) else self.gather
            x = kind(x, "%s.%d" % (name, i), m)
        return x

    def twice(self, x, name):
        return self.add("Resize", [x, "no_roi", "twice"], name, mode="nearest",
                        coordinate_transformation_mode="asymmetric", nearest_mode="floor")


def fold(conv, norm):
    w = conv.weight.detach().double()
    b = conv.bias.detach().double() if conv.bias is not None else torch.zeros(w.shape[0]).double()
    if norm is not None:
        g = norm.weight.detach().double() / (norm.running_var.double() + norm.eps).sqrt()
        w, b = w * g.view(-1, 1, 1, 1), norm.bias.detach().double() + (b - norm.running_mean) * g
    return w.float().numpy(), b.float().numpy()


def build(net, names, half=False):
    o = Writer(half)
    outputs = lay(o, net)
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, [1, 3, "height", "width"])
    graph = helper.make_graph(o.nodes, "street", [image], outputs, o.weights)
    model = helper.make_model(graph, producer_name="fovea models/train",
                              opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = 6
    helper.set_model_props(model, {"names": ",".join(names)})
    onnx.checker.check_model(model)
    return model


def read_weights(graph):
    """Name -> tensor of float32, also of what is stored as float16."""
    values = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()).float()
              for i in graph.initializer}
    casts = [n for n in graph.node if n.op_type == "Cast" and n.input[0] in values]
    return dict(values, **{n.output[0]: values[n.input[0]] for n in casts})


def unfold(net, path):
    """Takes the weights of an exported file: each batch norm becomes the shift by the file's bias.

    Where the file has other classes only the distances are taken from its prediction layers.
    """
    o = Writer()
    lay(o, net)
    values = read_weights(onnx.load(path).graph)
    with torch.no_grad():
        for name, (conv, norm) in o.layers.items():
            w, b = values[name + ".weight"], values[name + ".bias"]
            if norm is None:
                n = len(b) if len(b) == len(conv.bias) else 4
                conv.weight[:n], conv.bias[:n] = w[:n], b[:n]
                continue
            conv.weight.copy_(w)
            norm.bias.copy_(b)
            norm.weight.fill_(1.0)
            norm.running_mean.zero_()
            norm.running_var.fill_(1.0 - norm.eps)


def lay(o, net):
    """Lays the network's nodes; returns the outputs."""
    o.tensor("no_roi", np.zeros(0, np.float32))
    o.tensor("twice", np.array([1, 1, 2, 2], np.float32))
    c8 = o.chain(o.chain("image", "stem", net.stem), "c8", net.c8)
    c16 = o.chain(c8, "c16", net.c16)
    c32 = o.chain(c16, "c32", net.c32)
    l32 = o.unit(c32, "lat32", net.lat32)
    l16 = o.unit(c16, "lat16", net.lat16)
    t16 = o.gather(o.add("Concat", [o.twice(l32, "up16"), l16], "cat.t16", axis=1), "top16", net.top16)
    p8 = o.gather(o.add("Concat", [o.twice(t16, "up8"), c8], "cat.p8", axis=1), "top8", net.top8)
    d16 = o.unit(p8, "down16", net.down16)
    p16 = o.gather(o.add("Concat", [d16, t16], "cat.p16", axis=1), "out16", net.out16)
    d32 = o.unit(p16, "down32", net.down32)
    p32 = o.gather(o.add("Concat", [d32, l32], "cat.p32", axis=1), "out32", net.out32)
    outputs = []
    for name, head, pred, p in zip(("p8", "p16", "p32"), net.head, net.pred, (p8, p16, p32)):
        o.conv(o.unit(p, "head." + name, head), name, pred)
        outputs.append(helper.make_tensor_value_info(
            name, TensorProto.FLOAT, [1, 4 + net.classes, "h" + name[1:], "w" + name[1:]]))
    return outputs


class FileNet(nn.Module):
    """The exported file, node by node, with torch operators; forward as net.Street's."""

    def __init__(self, path):
        super().__init__()
        self.graph = onnx.load(path).graph
        self.values = read_weights(self.graph)
        self.register_parameter("anchor", nn.Parameter(torch.zeros(1), requires_grad=False))

    def forward(self, x):
        v = dict(self.values, image=x)
        for n in self.graph.node:
            if n.op_type == "Cast":  # of a weight
                continue
            a = {i.name: helper.get_attribute_value(i) for i in n.attribute}
            i = [v[k] for k in n.input]
            if n.op_type == "Conv":
                y = F.conv2d(i[0], i[1], i[2], a["strides"], a["pads"][:2])
            elif n.op_type == "Concat":
                y = torch.cat(i, a["axis"])
            elif n.op_type == "Resize":
                y = F.interpolate(i[0], scale_factor=2.0)
            else:
                y = {"Relu": F.relu, "Add": torch.add}[n.op_type](*i)
            v[n.output[0]] = y
        return [v[o.name] for o in self.graph.output], None


def load_any(path, raw=False):
    """The network of a checkpoint, or an exported file, ready to evaluate."""
    if path.endswith(".onnx"):
        return FileNet(path).eval()
    return load_network(path, raw)


def load_network(path, raw=False):
    if path.endswith(".onnx"):
        net = Street(len(read_weights(onnx.load(path).graph)["p8.bias"]) - 4)
        unfold(net, path)
    else:
        state = torch.load(path, map_location="cpu")["net" if raw else "ema"]
        net = Street(state["pred.0.weight"].shape[0] - 4)
        net.load_state_dict(state)
    return net.eval().to(memory_format=torch.channels_last)


def write_card(path, names):
    if os.path.exists(path):
        return
    with open(path, "w") as out:
        out.write("# How Fovea runs the model of the same name; models/README.md has every key.\n"
                  "input: {size: [416, 256], fit: letterbox, filter: area, pad: 114, mean: 0, std: 255}\n"
                  "head: {family: fovea, strides: [8, 16, 32], classes: %d}\n"
                  "labels: %s\n"
                  "threshold: 0.4\n"
                  "iou-threshold: 0.55\n" % (len(names), json.dumps(names)))
    print("%s: its card" % path)


@torch.no_grad()
def largest_difference(net, path, height, width):
    x = torch.rand(1, 3, height, width, generator=torch.Generator().manual_seed(1))
    pairs = zip(net(x)[0], FileNet(path).eval()(x)[0])
    return max(float((a - b).abs().max() / a.abs().max()) for a, b in pairs)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("checkpoint")
    p.add_argument("-o", "--output", required=True)
    p.add_argument("--half", action="store_true", help="kernels as float16")
    p.add_argument("--raw", action="store_true")
    p.add_argument("--names", help="class names, one a line (default: street's six)")
    a = p.parse_args()
    net = load_network(a.checkpoint, a.raw)
    names = read_names(a.names) if a.names else list(NAMES)
    if len(names) != net.classes:
        raise SystemExit("%d class names for a network of %d classes" % (len(names), net.classes))
    onnx.save(build(net, names, a.half), a.output)
    for size in ((256, 416), (320, 320)):
        d = largest_difference(net, a.output, *size)
        print("%s: largest difference at %dx%d: %.1e of the largest value" % (
            a.output, size[1], size[0], d))
        if d > (1e-2 if a.half else 1e-4):
            raise SystemExit("the file and the network disagree")
    write_card(os.path.splitext(a.output)[0] + ".yaml", names)


if __name__ == "__main__":
    main()
