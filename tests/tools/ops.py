"""Graphs of one op each, in the forms that the conformance cases of libonnx-testdata leave out, for parity.

    ops.py OUT [NAME...]           writes OUT/<name>.onnx

Attributes that became inputs, opsets 7 to 24, types, quantised ops, domains of files. The picture a graph gets is
spread to -3 .. 3 first. ops.sh compares with ONNX Runtime. Needs python3-onnx.
"""
import os
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper

random = np.random.RandomState(6)
SHAPE = (1, 8, 12, 10)


def f(*shape, lo=-1.0, hi=1.0):
    return random.uniform(lo, hi, shape).astype(np.float32)


def i64(*v):
    return np.array(v, np.int64)


def f32(*v):
    return np.array(v, np.float32)


def graph(opset, nodes, constants=(), shape=SHAPE, outputs=("y",), ir=8, domains=(), dtype=TensorProto.FLOAT):
    spread = [helper.make_node("Mul", ["image", "six"], ["wide"]), helper.make_node("Sub", ["wide", "three"], ["x"])]
    fixed = {"six": f32(6), "three": f32(3), **dict(constants)}
    used = {name for n in nodes for name in n.input} | set(outputs)
    whole = (spread if "x" in used else []) + list(nodes)
    used |= {"six", "three"} if "x" in used else set()
    g = helper.make_graph(
        whole, "g", [helper.make_tensor_value_info("image", dtype, shape)],
        [helper.make_empty_tensor_value_info(o) for o in outputs],
        [numpy_helper.from_array(v, k) for k, v in fixed.items() if k in used])
    sets = [helper.make_opsetid("", opset), *(helper.make_opsetid(d, 1) for d in domains)]
    return helper.make_model(g, opset_imports=sets, ir_version=ir)


def one(opset, op, *inputs, shape=SHAPE, n=1, after=None, **attributes):
    """One node; inputs behind x are arrays, "" or the names of what is there already."""
    constants, names = {}, ["x"]
    for k, v in enumerate(inputs):
        names.append(v if isinstance(v, str) else "c%d" % k)
        if not isinstance(v, str):
            constants[names[-1]] = v
    out = ["y%d" % k for k in range(n)]
    nodes = [helper.make_node(op, names, out, **attributes)]
    if after:  # a type that the comparison does not read
        nodes += [helper.make_node("Cast", [o], [o + "f"], to=TensorProto.FLOAT) for o in out]
        out = [o + "f" for o in out]
    return graph(opset, nodes, constants, shape, out)


def quantised(kind, dtype=np.uint8):
    """A convolution, 8-bit: as QDQ, QLinear or integer nodes."""
    zero = np.array(128 if dtype == np.uint8 else 3, dtype)
    w = random.randint(-90, 90, (6, 8, 3, 3)).astype(np.int8)
    ws = random.uniform(0.002, 0.01, 6).astype(np.float32)
    c = {"s": np.float32(0.03), "z": zero, "w": w, "ws": ws, "wz": np.zeros(6, np.int8), "ys": np.float32(0.05),
         "yz": zero, "b": random.randint(-500, 500, 6).astype(np.int32), "bs": (ws * 0.03).astype(np.float32),
         "bz": np.zeros(6, np.int32), "w0": np.int8(0)}
    c = {k: np.array(v) for k, v in c.items()}
    q = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"])
    dq = helper.make_node("DequantizeLinear", ["r", "ys", "yz"], ["y"])
    if kind == "qlinear":
        return [q, helper.make_node("QLinearConv", ["q", "s", "z", "w", "ws", "wz", "ys", "yz", "b"], ["r"],
                                    pads=[1, 1, 1, 1]), dq], c
    if kind == "integer":
        return [q, helper.make_node("ConvInteger", ["q", "w", "z", "w0"], ["r"], pads=[1, 1, 1, 1]),
                helper.make_node("Cast", ["r"], ["y"], to=TensorProto.FLOAT)], c
    return [q, helper.make_node("DequantizeLinear", ["q", "s", "z"], ["d"]),
            helper.make_node("DequantizeLinear", ["w", "ws", "wz"], ["dw"], axis=0),
            helper.make_node("DequantizeLinear", ["b", "bs", "bz"], ["db"], axis=0),
            helper.make_node("Conv", ["d", "dw", "db"], ["conv"], pads=[1, 1, 1, 1]),
            helper.make_node("Relu", ["conv"], ["a"]),
            helper.make_node("QuantizeLinear", ["a", "ys", "yz"], ["r"]), dq], c


def resizes():
    sizes, scales = i64(1, 8, 17, 23), f32(1, 1, 1.5, 0.6)
    yield "resize10-nearest", one(10, "Resize", f32(1, 1, 2, 2), mode="nearest")
    yield "resize10-linear", one(10, "Resize", f32(1, 1, 1.5, 2.3), mode="linear")
    yield "upsample9", one(9, "Upsample", f32(1, 1, 2, 3), mode="nearest")
    yield "upsample7", one(7, "Upsample", mode="nearest", scales=[1.0, 1.0, 2.0, 2.0])
    for coord in ("half_pixel", "pytorch_half_pixel", "align_corners", "asymmetric"):
        for mode in ("nearest", "linear", "cubic"):
            for opset in (11, 13):
                empty = np.zeros(0, np.float32)
                yield "resize%d-%s-%s" % (opset, coord, mode), one(
                    opset, "Resize", empty if opset == 11 else "", empty if opset == 11 else "", sizes, mode=mode,
                    coordinate_transformation_mode=coord, nearest_mode="floor")
            yield "resize13-scales-%s-%s" % (coord, mode), one(
                13, "Resize", "", scales, mode=mode, coordinate_transformation_mode=coord, nearest_mode="round_prefer_ceil")
    for mode in ("linear", "cubic"):
        yield "resize18-antialias-" + mode, one(18, "Resize", "", "", i64(1, 8, 5, 7), mode=mode, antialias=1)
    for policy in ("not_larger", "not_smaller"):
        yield "resize18-" + policy, one(18, "Resize", "", "", i64(20, 31), axes=[2, 3], mode="linear",
                                        keep_aspect_ratio_policy=policy)
    yield "resize18-axes", one(18, "Resize", "", f32(2, 1.7), axes=[2, 3], mode="nearest")
    yield "resize18-axes-back", one(18, "Resize", "", f32(2, 1.7), axes=[-1, -2], mode="linear")
    yield "resize19-symmetric", one(19, "Resize", "", f32(1, 1, 0.71, 1.3), mode="linear",
                                    coordinate_transformation_mode="half_pixel_symmetric")
    yield "resize-crop", one(13, "Resize", f32(0, 0, 0.2, 0.1, 1, 1, 0.7, 1.3), "", i64(1, 8, 9, 9), mode="linear",
                             coordinate_transformation_mode="tf_crop_and_resize", extrapolation_value=2.5)
    yield "resize-outside", one(13, "Resize", "", f32(1, 1, 2, 2), mode="cubic", exclude_outside=1, cubic_coeff_a=-0.5)


def reduces():
    for op in "Sum Mean Max Min Prod L1 L2 LogSumExp SumSquare LogSum".split():
        positive = op == "LogSum"
        for opset, words, more in ((11, {"axes": [1, 2]}, ()), (13, {"axes": [-1], "keepdims": 0}, ()), (18, {}, (i64(2, 3),)),
                                   (18, {"keepdims": 0}, (i64(-1),)), (20, {}, ())):
            if op == "Sum" and opset == 13:
                words, more = {"keepdims": 0}, (i64(-1),)
            m = one(opset, "Reduce" + op, *more, **words)
            if positive:
                m.graph.node[1].op_type = "Add"
            yield "reduce%s%d-%d" % (op.lower(), opset, len(words) + 2 * len(more)), m
    yield "reduce-noop", one(18, "ReduceMax", np.zeros(0, np.int64), noop_with_empty_axes=1)
    yield "argmax", one(13, "ArgMax", axis=-1, keepdims=0, after=True)
    yield "argmin-last", one(13, "ArgMin", axis=1, select_last_index=1, after=True)


def moves():
    yield "clip6", one(7, "Clip", min=-1.0, max=2.0)
    yield "clip11-max", one(11, "Clip", "", np.array(1.5, np.float32))
    yield "clip13", one(13, "Clip", np.array(-0.5, np.float32), np.array(1.5, np.float32))
    yield "pad2", one(7, "Pad", mode="constant", pads=[0, 0, 1, 2, 0, 0, 3, 4], value=2.0)
    yield "pad11-reflect", one(11, "Pad", i64(0, 0, 3, 2, 0, 0, 1, 4), mode="reflect")
    yield "pad13-edge", one(13, "Pad", i64(0, 1, 3, 2, 0, 0, 1, 4), mode="edge")
    yield "pad18-axes", one(18, "Pad", i64(2, 1, 3, 4), np.array(0.5, np.float32), i64(-1, 2))
    yield "pad19-wrap", one(19, "Pad", i64(0, 0, 3, 2, 0, 0, 1, 4), mode="wrap")
    yield "pad-crop", one(13, "Pad", i64(0, 0, -1, 2, 0, 0, -2, -3))
    yield "slice1", one(9, "Slice", starts=[1, 2], ends=[-1, 9], axes=[1, 3])
    yield "slice10", one(10, "Slice", i64(0, 0, 0, 0), i64(1, 99, 99, 99), i64(0, 1, 2, 3), i64(1, 2, 3, 2))
    yield "slice13-back", one(13, "Slice", i64(-1, 8), i64(-999999999999, 1), i64(2, 3), i64(-1, -2))
    yield "slice-int32", one(13, "Slice", np.array([1], np.int32), np.array([5], np.int32), np.array([-1], np.int32))
    yield "squeeze11", one(11, "Squeeze", axes=[0])
    yield "squeeze13", one(13, "Squeeze", i64(0))
    yield "squeeze-all", one(13, "Squeeze")
    yield "unsqueeze11", one(11, "Unsqueeze", axes=[0, 3])
    yield "unsqueeze13", one(13, "Unsqueeze", i64(-1, 2))
    yield "split11", one(11, "Split", n=2, axis=1, split=[3, 5])
    yield "split13", one(13, "Split", i64(3, 5), n=2, axis=1)
    yield "split18", one(18, "Split", n=3, axis=3, num_outputs=3)
    yield "split18-uneven", one(18, "Split", n=4, axis=3, num_outputs=4)
    yield "depthtospace", one(13, "DepthToSpace", blocksize=2)
    yield "depthtospace-crd", one(13, "DepthToSpace", blocksize=2, mode="CRD")
    yield "spacetodepth", one(13, "SpaceToDepth", blocksize=2)
    yield "reshape-zero", one(13, "Reshape", i64(0, -1, 0))
    yield "reshape14-allowzero", one(14, "Reshape", i64(8, -1), allowzero=1)
    yield "flatten", one(13, "Flatten", axis=-2)
    yield "expand", one(13, "Expand", i64(2, 1, 1, 10))
    yield "tile", one(13, "Tile", i64(1, 2, 1, 3))
    yield "transpose-default", one(13, "Transpose")
    yield "gather-back", one(13, "Gather", i64(-1, 2, 0), axis=-1)
    yield "gather-scalar", one(13, "Gather", np.array(3, np.int64), axis=1)
    yield "gatherelements", one(13, "GatherElements", random.randint(-10, 10, (1, 8, 12, 4)), axis=3)
    yield "gathernd", one(13, "GatherND", i64(*random.randint(0, 7, 6)).reshape(1, 6, 1), batch_dims=1)
    yield "scatternd18", one(18, "ScatterND", i64([0, 3], [0, -1]), f(2, 12, 10), reduction="max")
    yield "scatterelements", one(18, "ScatterElements", random.randint(0, 8, (1, 2, 12, 10)), f(1, 2, 12, 10), axis=1, reduction="mul")
    yield "topk", one(11, "TopK", i64(4), n=2, axis=1, after=True)
    yield "topk-least", one(11, "TopK", i64(3), n=2, axis=-1, largest=0, after=True)
    yield "onehot-trilu", one(14, "Trilu", np.array(-1, np.int64), upper=0)
    yield "cumsum", one(14, "CumSum", np.array(2, np.int64), exclusive=1, reverse=1)
    yield "einsum", one(13, "Einsum", f(5, 8), equation="bchw,kc->bkhw")
    yield "einsum-dots", one(13, "Einsum", f(10, 4), equation="...w,wk->...k")
    yield "einsum-attention", one(13, "Einsum", f(1, 8, 12, 10), equation="bhnd,bhmd->bhnm")


def windows():
    w = f(6, 8, 3, 3, lo=-0.3, hi=0.3)
    for pad in ("SAME_UPPER", "SAME_LOWER", "VALID"):
        yield "conv-" + pad.lower(), one(11, "Conv", w, auto_pad=pad, strides=[2, 3])
        yield "convtranspose-" + pad.lower(), one(11, "ConvTranspose", f(8, 4, 3, 4), auto_pad=pad, strides=[2, 2])
        yield "maxpool-" + pad.lower(), one(12, "MaxPool", auto_pad=pad, kernel_shape=[3, 2], strides=[2, 2])
    yield "conv-asymmetric", one(11, "Conv", w, f(6), pads=[0, 1, 2, 3], dilations=[2, 1])
    yield "conv-groups", one(11, "Conv", f(12, 2, 3, 3), f(12), group=4, pads=[1, 1, 1, 1])
    yield "conv-multiplier", one(11, "Conv", f(16, 1, 5, 3), group=8, pads=[2, 1, 2, 1], strides=[2, 1])
    yield "conv1d", one(11, "Conv", f(6, 8, 5), shape=(1, 8, 40), pads=[2, 2], dilations=[1])
    yield "conv-batch", one(11, "Conv", w, shape=(3, 8, 12, 10), pads=[1, 1, 1, 1])
    yield "conv22", one(22, "Conv", w, pads=[1, 1, 1, 1])
    yield "convtranspose-output", one(11, "ConvTranspose", f(8, 4, 3, 3), f(4), strides=[2, 2], output_padding=[1, 1], pads=[1, 1, 1, 1])
    yield "convtranspose-shape", one(11, "ConvTranspose", f(8, 4, 3, 3), strides=[2, 2], output_shape=[25, 21])
    yield "convtranspose-groups", one(11, "ConvTranspose", f(8, 3, 2, 2), f(6), group=2, strides=[2, 2])
    yield "convtranspose-dilated", one(11, "ConvTranspose", f(8, 3, 3, 3), dilations=[2, 2], strides=[2, 1])
    yield "convtranspose1d", one(11, "ConvTranspose", f(8, 3, 4), shape=(1, 8, 20), strides=[2], pads=[1, 1])
    for opset in (10, 19, 22):
        yield "averagepool%d-ceil" % opset, one(opset, "AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1], ceil_mode=1)
        yield "averagepool%d-include" % opset, one(opset, "AveragePool", kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1],
                                                   ceil_mode=1, count_include_pad=1)
    yield "averagepool19-dilated", one(19, "AveragePool", kernel_shape=[3, 3], dilations=[2, 2], pads=[2, 2, 2, 2])
    yield "maxpool-dilated", one(12, "MaxPool", kernel_shape=[3, 3], dilations=[2, 2], ceil_mode=1, strides=[2, 2])
    yield "maxpool-indices", one(12, "MaxPool", n=2, kernel_shape=[2, 2], strides=[2, 2], after=True)
    yield "maxpool1d", one(12, "MaxPool", shape=(1, 8, 21), kernel_shape=[3], strides=[2])
    yield "lppool", one(18, "LpPool", kernel_shape=[3, 3], strides=[2, 2], p=2)
    for op in ("GlobalAveragePool", "GlobalMaxPool"):
        yield op.lower(), one(11, op)
    for mode in ("bilinear", "nearest", "bicubic"):
        for pad in ("zeros", "border", "reflection"):
            yield "gridsample16-%s-%s" % (mode, pad), one(16, "GridSample", f(1, 7, 9, 2, lo=-1.3, hi=1.3), mode=mode, padding_mode=pad)
    boxes, pictures = f32(1, 2, 8, 9, -3, 1, 4, 14, 5, 5, 5.2, 5.1, 0, 0, 9, 11).reshape(4, 4), i64(0, 0, 0, 0)
    for opset, attrs in ((10, {}), (16, {}), (16, dict(coordinate_transformation_mode="output_half_pixel")), (16, dict(mode="max"))):
        for ratio in (0, 2):
            name = "-".join(["roialign%d" % opset, *attrs.values(), str(ratio)])
            yield name, one(opset, "RoiAlign", boxes, pictures, output_height=3, output_width=4, sampling_ratio=ratio, spatial_scale=0.9, **attrs)
    yield "maxroipool", one(1 + 8, "MaxRoiPool", np.concatenate([np.zeros((4, 1), np.float32), boxes], 1), pooled_shape=[3, 4], spatial_scale=0.9)
    for groups in (1, 2):
        yield "deformconv%d" % groups, one(19, "DeformConv", f(6, 8 // groups, 3, 3), f(1, 18 * groups, 12, 10, lo=-2, hi=2), f(6),
                                           f(1, 9 * groups, 12, 10), group=groups, offset_group=groups, pads=[1, 1, 1, 1])
    yield "deformconv-strided", one(19, "DeformConv", f(4, 8, 3, 2), f(1, 12, 5, 3, lo=-2, hi=2), strides=[2, 3], dilations=[1, 2])
    for mode in ("linear", "cubic"):
        yield "gridsample20-" + mode, one(20, "GridSample", f(1, 7, 9, 2, lo=-1.1, hi=1.1), mode=mode, align_corners=1)


def sums():
    for op in "Relu Sigmoid Tanh Softplus Softsign Elu Selu Celu LeakyRelu HardSigmoid HardSwish Mish Erf Abs Neg Exp Floor Ceil Round Sign Sin Cos ThresholdedRelu".split():
        yield op.lower(), one(18, op)
    yield "gelu20", one(20, "Gelu")
    yield "gelu20-tanh", one(20, "Gelu", approximate="tanh")
    yield "hardsigmoid-third", one(11, "HardSigmoid", alpha=1 / 6, beta=0.5)
    yield "prelu", one(9, "PRelu", f(8, 1, 1))
    yield "prelu-one", one(9, "PRelu", f(1))
    yield "shrink", one(9, "Shrink", lambd=0.7, bias=0.3)
    for opset in (11, 13):
        yield "softmax%d" % opset, one(opset, "Softmax")
        yield "softmax%d-1" % opset, one(opset, "Softmax", axis=1)
        yield "logsoftmax%d" % opset, one(opset, "LogSoftmax", axis=2)
    for op in "Add Sub Mul Div Pow Min Max".split():
        yield op.lower() + "-row", one(13, op, f(10, lo=0.5, hi=2)) if op != "Pow" else one(13, op, f32(2))
        yield op.lower() + "-grow", one(13, op, f(3, 1, 8, 1, 10, lo=0.5, hi=2)) if op != "Pow" else one(13, op, i64(3))
    yield "mod-fmod", one(13, "Mod", f(8, 1, 1, lo=0.5, hi=2), fmod=1)
    for op in "Less Greater Equal LessOrEqual GreaterOrEqual".split():
        yield op.lower(), one(16, op, f(8, 1, 1), after=True)
    yield "batchnorm7", one(7, "BatchNormalization", f(8), f(8), f(8), f(8, lo=0.5, hi=2))
    yield "batchnorm15", one(15, "BatchNormalization", f(8), f(8), f(8), f(8, lo=0.5, hi=2), epsilon=1e-3)
    yield "instancenorm", one(13, "InstanceNormalization", f(8), f(8))
    yield "layernorm17", one(17, "LayerNormalization", f(12, 10), f(12, 10), axis=2)
    yield "layernorm17-plain", one(17, "LayerNormalization", f(10))
    yield "layernorm17-repeated", one(17, "LayerNormalization", f(12, 1), f(1), axis=2)
    yield "groupnorm21", one(21, "GroupNormalization", f(8), f(8), num_groups=4)
    yield "lrn", one(13, "LRN", size=3)
    yield "lpnorm", one(13, "LpNormalization", axis=1)
    yield "gemm", one(13, "Gemm", f(5, 10), f(5), shape=(6, 10), transB=1, alpha=0.5, beta=2.0)
    yield "gemm-nobias", one(13, "Gemm", f(6, 5), shape=(6, 10), transA=1)
    yield "matmul", one(13, "MatMul", f(10, 6))
    yield "matmul-vector", one(13, "MatMul", f(10))
    yield "matmul-batch", one(13, "MatMul", f(2, 1, 10, 6))
    yield "where", graph(16, [helper.make_node("Greater", ["x", "zero"], ["m"]), helper.make_node("Where", ["m", "x", "row"], ["y"])],
                         {"zero": f32(0), "row": f(10)})
    yield "mean-variadic", graph(13, [helper.make_node("Mean", ["x", "x", "row"], ["y"])], {"row": f(10)})
    yield "constantofshape", graph(13, [helper.make_node("Shape", ["x"], ["s"], ), helper.make_node(
        "ConstantOfShape", ["s"], ["k"], value=helper.make_tensor("v", 1, [1], [2.5])), helper.make_node("Add", ["x", "k"], ["y"])])
    yield "shape15", graph(15, [helper.make_node("Shape", ["x"], ["s"], start=1, end=-1), helper.make_node("Cast", ["s"], ["y"], to=1)])
    yield "range-size", graph(13, [helper.make_node("Size", ["x"], ["n"]), helper.make_node("Range", ["a", "n", "d"], ["r"]),
                                   helper.make_node("Cast", ["r"], ["y"], to=1)], {"a": np.array(0, np.int64), "d": np.array(7, np.int64)})
    yield "castlike", graph(19, [helper.make_node("CastLike", ["x", "k"], ["t"]), helper.make_node("Cast", ["t"], ["y"], to=1)],
                            {"k": i64(1)})
    yield "dropout-two", one(13, "Dropout", n=1)
    yield "nms", graph(11, [helper.make_node("Abs", ["x"], ["b"]), helper.make_node("NonMaxSuppression", ["b", "scores", "most", "iou", "least"], ["k"]),
                            helper.make_node("Cast", ["k"], ["y"], to=1)],
                       {"scores": np.sort(f(1, 2, 40, lo=0, hi=1)), "most": i64(80), "iou": f32(1.0), "least": f32(-1.0)}, shape=(1, 40, 4))


def quants():
    for kind in ("qdq", "qlinear", "integer"):
        for dtype in (np.uint8, np.int8):
            nodes, c = quantised(kind, dtype)
            yield "%s-%s" % (kind, np.dtype(dtype).name), graph(13, nodes, c)
    q, c = quantised("qdq", np.uint8)
    yield "qdq21", graph(21, q, c, ir=10)
    c = {"s": f32(0.02).reshape(()), "z": np.array(100, np.uint8), "w": random.randint(0, 255, (10, 6)).astype(np.uint8),
         "ws": f32(0.01).reshape(()), "wz": np.array(120, np.uint8), "ys": f32(0.2).reshape(()), "yz": np.array(128, np.uint8)}
    q = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"])
    dq = helper.make_node("DequantizeLinear", ["r", "ys", "yz"], ["y"])
    yield "qlinearmatmul", graph(13, [q, helper.make_node("QLinearMatMul", ["q", "s", "z", "w", "ws", "wz", "ys", "yz"], ["r"]), dq], c)
    yield "matmulinteger", graph(13, [q, helper.make_node("MatMulInteger", ["q", "w", "z", "wz"], ["r"]),
                                      helper.make_node("Cast", ["r"], ["y"], to=1)], c)
    yield "dynamicquantize", graph(13, [helper.make_node("DynamicQuantizeLinear", ["x"], ["q", "t", "u"]),
                                        helper.make_node("DequantizeLinear", ["q", "t", "u"], ["y"])])
    yield "quantize-axis", graph(13, [helper.make_node("QuantizeLinear", ["x", "v", "vz"], ["q"], axis=1),
                                      helper.make_node("DequantizeLinear", ["q", "v", "vz"], ["y"], axis=1)],
                                 {"v": f(8, lo=0.01, hi=0.05), "vz": random.randint(0, 9, 8).astype(np.int8)})
    c = {"v": f32(0.01), "z16": np.array([30000], np.uint16)}
    yield "quantize-uint16", graph(21, [helper.make_node("QuantizeLinear", ["x", "v", "z16"], ["q"]),
                                        helper.make_node("DequantizeLinear", ["q", "v", "z16"], ["y"])], c, ir=10)


def packed(name, kind, shape, values):
    """An initialiser of four bits an element, two a byte."""
    flat = [v & 15 for v in values] + [0] * (len(values) % 2)
    t = TensorProto(name=name, data_type=kind, dims=shape)
    t.raw_data = bytes(lo | hi << 4 for lo, hi in zip(flat[::2], flat[1::2]))
    return t


def newest():
    """What opsets 21 to 24 brought and changed."""
    UINT4, INT4 = 21, 22
    for opset in (21, 23):
        yield "cast%d" % opset, graph(opset, [helper.make_node("Cast", ["x"], ["i"], to=6), helper.make_node("Cast", ["i"], ["y"], to=1)], ir=10)
        yield "reshape%d" % opset, graph(opset, [helper.make_node("Reshape", ["x", "s"], ["r"]), helper.make_node("Transpose", ["r"], ["t"], perm=[1, 0]),
                                                 helper.make_node("Flatten", ["t"], ["y"])], {"s": i64(0, -1)}, shape=(6, 10), ir=10)
        yield "pad%d" % opset, one(opset, "Pad", i64(2, 1, 3, 4), np.array(0.5, np.float32), i64(-1, 2), mode="constant")
    yield "conv24", one(24, "Conv", f(6, 8, 3, 3), f(6), pads=[1, 1, 1, 1])
    yield "resize24", one(24, "Resize", "", f32(1, 1, 2, 2), mode="linear")
    yield "groupnorm23", one(23, "GroupNormalization", f(8), f(8), num_groups=2)
    for blocks, axis in ((4, 1), (5, 3)):
        shape = [1, 8, 12, 10]
        shape[axis] = -(-shape[axis] // blocks)
        c = {"v": f(*shape, lo=0.01, hi=0.05), "z": random.randint(0, 9, shape).astype(np.uint8)}
        words = {"axis": axis, "block_size": blocks}
        yield "blocks%d" % axis, graph(21, [helper.make_node("QuantizeLinear", ["x", "v", "z"], ["q"], **words),
                                            helper.make_node("DequantizeLinear", ["q", "v", "z"], ["y"], **words)], c, ir=10)
    yield "output-dtype", graph(21, [helper.make_node("QuantizeLinear", ["x", "v"], ["q"], output_dtype=TensorProto.INT8),
                                     helper.make_node("DequantizeLinear", ["q", "v"], ["y"])], {"v": f32(0.02).reshape(())}, ir=10)
    for kind, lo, hi in ((UINT4, 0, 16), (INT4, -8, 8)):
        values = [int(v) for v in random.randint(lo, hi, 6 * 8 * 3 * 3)]
        m = graph(21, [helper.make_node("DequantizeLinear", ["w", "ws"], ["dw"], axis=0), helper.make_node("Conv", ["x", "dw"], ["y"])],
                  {"ws": f(6, lo=0.01, hi=0.05)}, ir=10)
        m.graph.initializer.append(packed("w", kind, [6, 8, 3, 3], values))
        yield "weights-%sint4" % ("u" if kind == UINT4 else ""), m
    yield "rmsnorm", one(23, "RMSNormalization", f(10), epsilon=1e-4)
    yield "rmsnorm-repeated", one(23, "RMSNormalization", f(1), axis=2)
    yield "rmsnorm-axis", one(23, "RMSNormalization", f(12, 10), axis=2)
    yield "swish24", one(24, "Swish", alpha=1.2)
    yield "attention", one(23, "Attention", f(1, 8, 7, 10), f(1, 8, 7, 6))
    yield "attention-mask", one(23, "Attention", f(1, 8, 7, 10), f(1, 8, 7, 6), f(12, 7, lo=-2, hi=2), scale=0.2)
    yield "attention-bool", one(23, "Attention", f(1, 8, 7, 10), f(1, 8, 7, 6), random.randint(0, 2, (1, 1, 12, 7)).astype(bool) | (np.arange(7) == 3))
    yield "attention-causal", one(23, "Attention", f(1, 8, 12, 10), f(1, 8, 12, 10), is_causal=1)
    yield "attention-groups", one(23, "Attention", f(1, 2, 9, 10), f(1, 2, 9, 10))
    yield "attention-flat", one(23, "Attention", f(2, 9, 24), f(2, 9, 16), shape=(2, 12, 24), q_num_heads=4, kv_num_heads=4)


def copies():
    """Twelve in a row that do nothing but read and write pixels: what `fovea bench` says of them is what a device can do."""
    for channels, height, width in ((64, 20, 20), (96, 22, 22), (64, 40, 40), (64, 80, 80)):
        steps = [helper.make_node("Conv", ["image", "in"], ["t0"])]
        steps += [helper.make_node("Abs", ["t%d" % k], ["t%d" % (k + 1)]) for k in range(12)]
        steps += [helper.make_node("Conv", ["t12", "out"], ["y"])]
        yield "copies-%dx%dx%d" % (channels, height, width), graph(
            13, steps, {"in": f(channels, 4, 1, 1), "out": f(4, channels, 1, 1)}, (1, 4, height, width))


def files():
    relu = helper.make_node("Relu", ["x"], ["y"])
    yield "opset22", graph(22, [relu], ir=10)
    yield "domain-ai-onnx", graph(13, [helper.make_node("Relu", ["x"], ["y"], domain="ai.onnx")])
    yield "output-constant", graph(13, [relu], {"k": f(3)}, outputs=("y", "k"))
    m = graph(13, [relu])
    m.graph.initializer.append(numpy_helper.from_array(f(4, 4), "unused"))
    yield "unused-initialiser", m
    yield "output-input", graph(13, [relu], outputs=("y", "image"))
    yield "same-output-twice", graph(13, [relu, helper.make_node("Identity", ["y"], ["z"])], outputs=("y", "z"))
    yield "uint8-image", graph(13, [helper.make_node("Cast", ["image"], ["t"], to=1), helper.make_node("Relu", ["t"], ["y"])],
                               shape=(1, 12, 10, 3), dtype=TensorProto.UINT8)
    bf = helper.make_tensor("bf", TensorProto.BFLOAT16, [10], f(10).tolist())
    m = graph(13, [helper.make_node("Cast", ["bf"], ["t"], to=1), helper.make_node("Add", ["x", "t"], ["y"])])
    m.graph.initializer.append(bf)
    yield "bfloat16", m
    m = graph(16, [helper.make_node("Spread", ["x", "row"], ["t"], domain="mine", by=0.5), helper.make_node("Relu", ["t"], ["y"])],
              {"row": f(10)}, domains=("mine",))
    alpha = helper.make_node("LeakyRelu", ["a"], ["c"])
    ref = alpha.attribute.add()
    ref.name, ref.ref_attr_name, ref.type = "alpha", "by", 1
    m.functions.append(helper.make_function("mine", "Spread", ["a", "b"], ["d"], [alpha, helper.make_node("Mul", ["c", "b"], ["d"])],
                                            [helper.make_opsetid("", 16)], ["by"]))
    yield "function", m
    m = graph(13, [helper.make_node("Conv", ["x", "w"], ["y"])], {"w": f(4, 8, 3, 3)})
    outside(m, "external.data", 64)
    yield "external", m


def outside(m, location, offset):
    """Moves the initialisers into a file of their own, as exporters of large models do."""
    with open(os.path.join(sys.argv[1], location), "wb") as file:
        for t in m.graph.initializer:
            file.seek(offset)
            file.write(t.raw_data)
            words = {"location": location, "offset": offset, "length": len(t.raw_data)}
            offset += len(t.raw_data)
            t.data_location = TensorProto.EXTERNAL
            t.ClearField("raw_data")
            for k, v in words.items():
                t.external_data.add(key=k, value=str(v))


def main():
    out, wanted = sys.argv[1], sys.argv[2:]
    os.makedirs(out, exist_ok=True)
    for group in (moves, resizes, reduces, windows, sums, quants, newest, copies, files):
        for name, model in group():
            if not wanted or name in wanted:
                with open(os.path.join(out, name + ".onnx"), "wb") as file:
                    file.write(model.SerializeToString())


if __name__ == "__main__":
    main()
