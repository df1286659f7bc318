"""Runs an ONNX detector (YOLOX-Nano, Apache-2.0) with plain torch operators on a batch of any size."""
import onnx
import torch
from onnx import numpy_helper
from torch.nn import functional as F

COCO_TO_STREET = (0, 1, 2, 3, 5, 7)  # person bicycle car motorcycle bus truck
HINTS = ("input.175", "input.283", "input.367", "input.463", "input.523", "input.583")


def attributes(node):
    return {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}


class Teacher:
    """__call__(x in 0..1 RGB) -> (list of [B, 5 + 6, H, W] per stride, list of feature maps)."""

    widths = (64, 128, 128, 64, 128, 256)  # channels of the hints

    def __init__(self, path, device="cpu"):
        graph = onnx.load(path).graph
        self.w = {i.name: torch.from_numpy(numpy_helper.to_array(i).copy()).to(device)
                  for i in graph.initializer}
        for name, t in self.w.items():
            if t.dim() == 4:
                self.w[name] = t.contiguous(memory_format=torch.channels_last)
        self.nodes, self.maps = self.plan(graph)

    @staticmethod
    def plan(graph):
        nodes, maps, silu = [], [], {}
        sigmoids = {n.output[0]: n.input[0] for n in graph.node if n.op_type == "Sigmoid"}
        for n in graph.node:
            if n.op_type == "Mul" and sigmoids.get(n.input[1]) == n.input[0]:
                silu[n.input[1]] = True
                nodes.append(("Silu", [n.input[0]], n.output[0], {}))
            elif n.op_type in ("Slice", "Constant"):
                continue
            elif n.op_type in ("Reshape", "Transpose"):
                maps += [n.input[0]] if n.op_type == "Reshape" else []
            else:
                nodes.append((n.op_type, list(n.input), n.output[0], attributes(n)))
        nodes = [n for n in nodes if not (n[0] == "Sigmoid" and n[2] in silu)]
        first = next(i for i, n in enumerate(nodes) if n[0] == "Concat")
        nodes[first] = ("Focus", [graph.input[0].name], nodes[first][2], {})
        return [n for n in nodes if not (n[0] == "Concat" and n[3].get("axis") == 2)], maps

    @torch.no_grad()
    def __call__(self, x):
        v = {"images": x.flip(1) * 255.0}
        get = lambda k: v[k] if k in v else self.w[k]
        for op, src, dst, a in self.nodes:
            if op == "Focus":
                i = v["images"]
                v[dst] = torch.cat([i[..., ::2, ::2], i[..., 1::2, ::2], i[..., ::2, 1::2],
                                    i[..., 1::2, 1::2]], 1).contiguous(
                                        memory_format=torch.channels_last)
            elif op == "Conv":
                b = get(src[2]) if len(src) > 2 else None
                v[dst] = F.conv2d(get(src[0]), get(src[1]), b, a["strides"], a["pads"][:2],
                                  a["dilations"], a["group"])
            elif op == "Silu":
                v[dst] = F.silu(get(src[0]))
            elif op == "Sigmoid":
                v[dst] = torch.sigmoid(get(src[0]))
            elif op == "Mul":
                v[dst] = get(src[0]) * get(src[1])
            elif op == "Add":
                v[dst] = get(src[0]) + get(src[1])
            elif op == "Concat":
                v[dst] = torch.cat([get(s) for s in src], a["axis"])
            elif op == "MaxPool":
                v[dst] = F.max_pool2d(get(src[0]), a["kernel_shape"], a["strides"], a["pads"][:2])
            elif op == "Resize":
                v[dst] = F.interpolate(get(src[0]), scale_factor=2.0)
            else:
                raise ValueError("teacher: operator " + op)
        keep = list(range(5)) + [5 + c for c in COCO_TO_STREET]
        return [v[m][:, keep] for m in self.maps], [v[h] for h in HINTS]

