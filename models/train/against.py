"""Counts on a video what the teacher finds and our detector misses (IoU 0.5).

    against.py MODEL.onnx|CHECKPOINT TEACHER.onnx VIDEO... [--frames 12] [--threshold 0.4 ...] [--draw DIR]

Both see the frames letterboxed to the same size; the teacher's boxes count from score 0.4 on.
"""
import argparse
import os

import cv2
import numpy as np
import torch

from clip import overlaps
from data import NAMES
from evaluate import detect, letterbox, suppress
from export import load_any
from loss import decode_teacher
from teacher import Teacher


@torch.no_grad()
def ask(teacher, image, width, height, floor=0.4):
    boxed, r, x, y = letterbox(image, width, height)
    t = torch.from_numpy(boxed).permute(2, 0, 1)[None].float().div(255)
    boxes, scores = (v[0].numpy() for v in decode_teacher(
        teacher(t.contiguous(memory_format=torch.channels_last))[0]))
    rows = []
    for c in range(len(NAMES)):
        m = scores[:, c] >= floor
        kept = suppress(boxes[m], scores[m, c], 0.5)
        rows += [[c, s] + list((b - [x, y, x, y]) / r)
                 for b, s in zip(boxes[m][kept], scores[m, c][kept])]
    return np.array(rows).reshape(-1, 6)


def frames_of(path, n):
    video, images = cv2.VideoCapture(path), []
    total = int(video.get(cv2.CAP_PROP_FRAME_COUNT))
    wanted = set(int(total * (k + 0.5) / n) for k in range(n))
    for k in range(total):
        if not video.grab():
            break
        if k in wanted:
            images.append(np.ascontiguousarray(video.retrieve()[1][:, :, ::-1]))
    return images


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("model")
    p.add_argument("teacher")
    p.add_argument("videos", nargs="+")
    p.add_argument("--frames", type=int, default=12)
    p.add_argument("--threshold", type=float, action="append")
    p.add_argument("--size", default="416x256")
    p.add_argument("--draw")
    a = p.parse_args()
    width, height = (int(v) for v in a.size.split("x"))
    net, teacher = load_any(a.model), Teacher(a.teacher)
    thresholds = sorted(a.threshold or [0.4])
    for path in a.videos:
        images = frames_of(path, a.frames)
        ours = detect(net, images, width, height, floor=thresholds[0], limit=0.55)
        theirs = [ask(teacher, image, width, height) for image in images]
        for threshold in thresholds:
            compare(path, theirs, [rows[rows[:, 1] >= threshold] for rows in ours], threshold)
        for k, image in enumerate(images if a.draw else []):
            draw(image, theirs[k], ours[k], os.path.join(a.draw, "%s_%d.png" % (
                os.path.basename(path).split(".")[0], k)))


def compare(path, theirs, ours, threshold):
    for c, name in enumerate(NAMES):
        sums = np.zeros(3, int)
        for t, o in zip(theirs, ours):
            t, o = t[t[:, 0] == c, 2:], o[o[:, 0] == c, 2:]
            sums += (len(t), (overlaps(t, o) >= 0.5).any(1).sum() if len(o) else 0, len(o))
        if sums[0]:
            print("%s %s: teacher %d, of these found at %.2f %d (%.2f); ours in all %d" % (
                os.path.basename(path), name, sums[0], threshold, sums[1], sums[1] / sums[0],
                sums[2]))


def draw(image, theirs, ours, path):
    picture = np.ascontiguousarray(image[:, :, ::-1])
    for rows, colour in ((theirs, (255, 120, 0)), (ours, (0, 220, 0))):
        for r in rows:
            x0, y0, x1, y1 = (int(v) for v in r[2:])
            cv2.rectangle(picture, (x0, y0), (x1, y1), colour, 2)
            cv2.putText(picture, "%s %.2f" % (NAMES[int(r[0])], r[1]), (x0, y0 - 3),
                        cv2.FONT_HERSHEY_SIMPLEX, 0.4, colour, 1)
    cv2.imwrite(path, picture)


if __name__ == "__main__":
    main()
