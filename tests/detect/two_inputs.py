"""Writes a detector with RT-DETR's interface: two finished boxes, scaled by orig_target_sizes."""
import sys

import numpy as np
from onnx import TensorProto, helper, numpy_helper, save

nodes = [
    helper.make_node("ReduceMax", ["images"], ["top"], keepdims=0),
    helper.make_node("Cast", ["orig_target_sizes"], ["size"], to=TensorProto.FLOAT),
    helper.make_node("Concat", ["size", "size"], ["sizes"], axis=1),
    helper.make_node("Mul", ["fractions", "sizes"], ["boxes"]),
    helper.make_node("Mul", ["level", "top"], ["scores"]),
    helper.make_node("Identity", ["numbers"], ["labels"]),
]
constants = {
    "fractions": np.array([[[0, 0, 0.5, 0.25], [0.5, 0.5, 1, 1]]], np.float32),
    "level": np.array([[0.5, 0.875]], np.float32),
    "numbers": np.array([[2, 7]], np.int64),
}
graph = helper.make_graph(
    nodes, "two",
    [helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 3, 32, 64]),
     helper.make_tensor_value_info("orig_target_sizes", TensorProto.INT64, ["N", 2])],
    [helper.make_tensor_value_info("labels", TensorProto.INT64, [1, 2]),
     helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, 2, 4]),
     helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 2])],
    [numpy_helper.from_array(v, k) for k, v in constants.items()])
save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)]), sys.argv[1])
