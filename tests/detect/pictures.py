"""Writes detectors of one box whose score is the picture's largest value by 255, a file for each kind of input.

    pictures.py FOLDER      bytes.onnx bytes-nhwc.onnx inside.onnx inside-nhwc.onnx nhwc.onnx half.onnx
"""
import os
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

# name: type, channels last, what the graph divides by (the preprocess does otherwise)
KINDS = {
    "bytes": (TensorProto.UINT8, False, 255), "bytes-nhwc": (TensorProto.UINT8, True, 255),
    "inside": (TensorProto.FLOAT, False, 255), "inside-nhwc": (TensorProto.FLOAT, True, 255),
    "nhwc": (TensorProto.FLOAT, True, 1), "half": (TensorProto.FLOAT16, False, 1),
}


def model(kind, last, by):
    real = TensorProto.FLOAT16 if kind == TensorProto.FLOAT16 else TensorProto.FLOAT
    number = np.float16 if kind == TensorProto.FLOAT16 else np.float32
    constants = {"boxes_k": np.array([[[8, 8, 24, 24]]], number), "by": np.array(by, number), "labels_k": np.array([[3]], np.int64)}
    nodes = [helper.make_node("Cast", ["images"], ["f"], to=real),
             helper.make_node("Transpose", ["f"], ["t"], perm=[0, 3, 1, 2]) if last else helper.make_node("Identity", ["f"], ["t"]),
             helper.make_node("Div", ["t", "by"], ["n"]),
             helper.make_node("MaxPool", ["n"], ["p"], kernel_shape=[32, 64]),
             helper.make_node("ReduceMax", ["p"], ["m"], axes=[1, 3], keepdims=0),
             helper.make_node("Identity", ["m"], ["scores"]),
             helper.make_node("Identity", ["boxes_k"], ["boxes"]), helper.make_node("Identity", ["labels_k"], ["labels"])]
    graph = helper.make_graph(
        nodes, "one", [helper.make_tensor_value_info("images", kind, [1, 32, 64, 3] if last else [1, 3, 32, 64])],
        [helper.make_tensor_value_info("labels", TensorProto.INT64, [1, 1]), helper.make_tensor_value_info("boxes", real, [1, 1, 4]),
         helper.make_tensor_value_info("scores", real, [1, 1])],
        [numpy_helper.from_array(v, k) for k, v in constants.items()])
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


for name, words in KINDS.items():
    save(model(*words), os.path.join(sys.argv[1], name + ".onnx"))
