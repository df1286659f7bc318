"""Recall and precision (IoU 0.5) of a detector on the sample clip, and mean IoU of the hits.

    clip.py MODEL.onnx|CHECKPOINT [--clip ../../samples/street.mp4] [--every 5] [--threshold 0.4]

Truth: BOXES.csv beside the clip (frame from 1, id, x, y, w, h, 1, class as MOTChallenge numbers it: 1
person, 3 car; visibility). Boxes cut to the picture; those seen by less than half neither count as
missed nor as false.
"""
import argparse
import csv
import os

import cv2
import numpy as np

from evaluate import detect
from export import load_any

HERE = os.path.dirname(os.path.abspath(__file__))
SAMPLES = os.path.join(HERE, "..", "..", "samples")


def overlaps(a, b):
    lt, rb = np.maximum(a[:, None, :2], b[None, :, :2]), np.minimum(a[:, None, 2:], b[None, :, 2:])
    inter = np.clip(rb - lt, 0, None).prod(2)
    return inter / ((a[:, 2:] - a[:, :2]).prod(1)[:, None] + (b[:, 2:] - b[:, :2]).prod(1)[None] -
                    inter + 1e-9)


def read_truth(path, width, height):
    frames = {}
    for r in csv.reader(open(path)):
        x, y, w, h = (float(v) for v in r[2:6])
        box = [max(x, 0), max(y, 0), min(x + w, width), min(y + h, height)]
        frames.setdefault(int(r[0]), []).append([{1: 0, 3: 2}[int(r[7])]] + box + [float(r[8])])
    return {k: np.array(v) for k, v in frames.items()}


def compare(rows, truth, c):
    """Hits, misses, false ones and the IoUs of the hits of class c in one frame."""
    t, f = truth[truth[:, 0] == c], rows[rows[:, 0] == c]
    f = f[np.argsort(-f[:, 1], kind="stable")]
    iou, used, ious, false = overlaps(f[:, 2:], t[:, 1:5]), np.zeros(len(t), bool), [], 0
    for k in range(len(f)):
        row = np.where(used, -1, iou[k]) if len(t) else np.zeros(0)
        best = int(row.argmax()) if len(t) else -1
        if best >= 0 and row[best] >= 0.5:
            used[best] = True
            if t[best, 5] >= 0.5:
                ious.append(row[best])
        elif not (len(t) and (iou[k][t[:, 5] < 0.5] > 0.2).any()):
            false += 1
    return len(ious), int((~used & (t[:, 5] >= 0.5)).sum()), false, ious


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("model")
    p.add_argument("--clip", default=os.path.join(SAMPLES, "street.mp4"))
    p.add_argument("--boxes")
    p.add_argument("--every", type=int, default=5)
    p.add_argument("--threshold", type=float, action="append")
    p.add_argument("--size", default="416x256")
    a = p.parse_args()
    width, height = (int(v) for v in a.size.split("x"))
    net, video, images, numbers = load_any(a.model), cv2.VideoCapture(a.clip), [], []
    while True:
        ok, image = video.read()
        if not ok:
            break
        numbers.append(len(numbers) + 1)
        images.append(np.ascontiguousarray(image[:, :, ::-1]) if numbers[-1] % a.every == 1 % a.every
                      else None)
    kept = [k for k, i in enumerate(images) if i is not None]
    h, w = images[kept[0]].shape[:2]
    truth = read_truth(a.boxes or a.clip.replace(".mp4", "_boxes.csv"), w, h)
    found = detect(net, [images[k] for k in kept], width, height, limit=0.55)
    for threshold in a.threshold or [0.4]:
        for c, name in ((0, "person"), (2, "car")):
            sums, ious = np.zeros(3, int), []
            for k, rows in zip(kept, found):
                hit, miss, false, i = compare(rows[rows[:, 1] >= threshold],
                                              truth.get(k + 1, np.zeros((0, 6))), c)
                sums += (hit, miss, false)
                ious += i
            print("threshold %.2f %-6s recall %.3f precision %.3f mean IoU %.3f (%d, %d, %d)" % (
                threshold, name, sums[0] / max(1, sums[0] + sums[1]),
                sums[0] / max(1, sums[0] + sums[2]), np.mean(ious or [0]), *sums))


if __name__ == "__main__":
    main()
