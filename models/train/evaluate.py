"""Average precision at IoU 0.5 (101 points), by class, on photos with YOLO txt labels.

    evaluate.py MODEL.onnx|CHECKPOINT --images DIR --labels DIR [--size 416x256] [--names coco.names]
    evaluate.py MODEL.onnx|CHECKPOINT --held ROOT [--sets coco17,coco128] [--at 0.35,0.45]

Only classes of the model that occur in the labels count. Needs torch for a checkpoint; for an .onnx
file it reads the weights into the same network.
"""
import argparse
import os

import cv2
import numpy as np
import torch

from data import NAMES, PAD, Photos, fail, need_file, read_boxes, read_names
from loss import decode


def letterbox(image, width, height):
    """Scaled to fit, centred, padded with 114. Returns the picture, scale, left, top."""
    h, w = image.shape[:2]
    r = min(width / w, height / h)
    nw, nh = max(1, round(w * r)), max(1, round(h * r))
    out = np.full((height, width, 3), PAD, np.uint8)
    x, y = (width - nw) // 2, (height - nh) // 2
    kind = cv2.INTER_AREA if r < 0.6 else cv2.INTER_LINEAR
    out[y:y + nh, x:x + nw] = cv2.resize(image, (nw, nh), interpolation=kind)
    return out, r, x, y


def suppress(boxes, scores, limit):
    order, keep = np.argsort(-scores, kind="stable"), []
    area = (boxes[:, 2] - boxes[:, 0]) * (boxes[:, 3] - boxes[:, 1])
    while len(order):
        i, rest = order[0], order[1:]
        keep.append(i)
        wh = np.minimum(boxes[i, 2:], boxes[rest, 2:]) - np.maximum(boxes[i, :2], boxes[rest, :2])
        inter = np.clip(wh, 0, None).prod(1)
        order = rest[inter / (area[i] + area[rest] - inter + 1e-9) < limit]
    return keep


@torch.no_grad()
def detect(net, images, width, height, floor=0.03, limit=0.6, batch=16):
    """RGB photos -> per photo an array [n, 6] = class score x0 y0 x1 y1 in its own pixels."""
    found = []
    device = next(net.parameters()).device
    for start in range(0, len(images), batch):
        boxed = [letterbox(i, width, height) for i in images[start:start + batch]]
        x = torch.from_numpy(np.stack([b[0] for b in boxed])).to(device)
        x = x.permute(0, 3, 1, 2).float().div_(255).contiguous(memory_format=torch.channels_last)
        boxes, logits = decode(net(x)[0])[:2]
        scores = logits.sigmoid().cpu().numpy()
        for (_, r, dx, dy), b, s in zip(boxed, boxes.cpu().numpy(), scores):
            rows = []
            for c in range(s.shape[1]):
                m = s[:, c] >= floor
                kept = suppress(b[m], s[m, c], limit)
                rows.append(np.concatenate([np.full((len(kept), 1), c), s[m, c][kept][:, None],
                                            (b[m][kept] - [dx, dy, dx, dy]) / r], 1))
            found.append(np.concatenate(rows, 0))
    return found


def match(found, truth, c, level=0.5):
    """Greedy matching by score; returns hits in score order and the number of truths."""
    rows, total = [], 0
    for f, t in zip(found, truth):
        t = t[t[:, 0] == c, 1:]
        total += len(t)
        used = np.zeros(len(t), bool)
        f = f[f[:, 0] == c]
        for row in f[np.argsort(-f[:, 1], kind="stable")]:
            hit = False
            if len(t):
                wh = np.minimum(row[4:], t[:, 2:]) - np.maximum(row[2:4], t[:, :2])
                inter = np.clip(wh, 0, None).prod(1)
                iou = inter / ((row[4:] - row[2:4]).prod() + (t[:, 2:] - t[:, :2]).prod(1) - inter)
                iou[used] = -1
                best = int(iou.argmax())
                hit = iou[best] >= level
                used[best] |= hit
            rows.append((row[1], hit))
    rows.sort(key=lambda r: -r[0])
    return np.array([r[1] for r in rows], bool), np.array([r[0] for r in rows]), total


def average_precision(found, truth, c):
    hits, _, total = match(found, truth, c)
    if not total:
        return float("nan")
    tp = np.cumsum(hits)
    recall, precision = tp / total, tp / np.arange(1, len(tp) + 1)
    points = np.linspace(0, 1, 101)
    return float(np.mean([precision[recall >= p].max(initial=0) for p in points]))


def load_folder(images, labels, names, ours=NAMES):
    """Photos and truths; label ids are those of `names`, matched to ours by class name."""
    for folder in (images, labels):
        if not os.path.isdir(folder):
            fail("%s is no folder" % folder)
    names = ["motorcycle" if n == "motorbike" else n for n in names]
    photos, truth, ids = [], [], {names.index(n): k for k, n in enumerate(ours) if n in names}
    for f in sorted(os.listdir(images)):
        image = cv2.imread(os.path.join(images, f), cv2.IMREAD_COLOR)
        if image is None:
            continue
        h, w = image.shape[:2]
        b = read_boxes(os.path.join(labels, os.path.splitext(f)[0] + ".txt"))
        b = b[[int(c) in ids for c in b[:, 0]]] if len(b) else b
        c = np.array([ids[int(c)] for c in b[:, 0]], np.float32).reshape(-1, 1)
        half = b[:, 3:] / 2
        corners = [(b[:, 1:3] - half) * (w, h), (b[:, 1:3] + half) * (w, h)]
        truth.append(np.concatenate([c] + corners, 1))
        photos.append(np.ascontiguousarray(image[:, :, ::-1]))
    return photos, truth


def average_precisions(found, truth, classes):
    return [average_precision(found, truth, c) for c in range(classes)]


def score(net, photos, truth, width, height, classes=len(NAMES)):
    return average_precisions(detect(net, photos, width, height), truth, classes)


def row(ap, ours=NAMES):
    cells = " ".join("%s %.3f" % (n, a) for n, a in zip(ours, ap) if a == a)
    return "mAP50 %.3f  %s" % (np.nanmean(ap), cells)


def at_threshold(found, truth, c, level):
    """Recall, precision and their harmonic mean (F1) of a class."""
    hits, scores, total = match(found, truth, c)
    hits = hits[scores >= level] if len(hits) else hits
    recall, precision = hits.sum() / total, hits.mean() if len(hits) else 0.0
    return recall, precision, 2 * recall * precision / max(1e-9, recall + precision)


def print_thresholds(found, truth, ours, levels):
    for c, name in enumerate(ours):
        for level in levels if any((t[:, 0] == c).any() for t in truth) else []:
            print("%s at %.2f: recall %.3f precision %.3f F1 %.3f" % (
                (name, level) + at_threshold(found, truth, c, level)))


def read_photos(a, ours):
    if a.held:
        held = Photos([a.held], "val", a.sets.split(",") if a.sets else None, classes=len(ours))
        if not held.images:
            fail("%s/index.tsv: keeps no photo for measuring (index.py --val)" % a.held)
        return held.images, held.boxes
    if not (a.images and a.labels):
        fail("name the photos: --held ROOT, or --images DIR --labels DIR")
    return load_folder(a.images, a.labels, read_names(a.names) if a.names else ours, ours)


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("model")
    p.add_argument("--images")
    p.add_argument("--labels")
    p.add_argument("--held", metavar="ROOT", help="photos that ROOT/index.tsv keeps for measuring")
    p.add_argument("--sets", help="of --held only these sets, comma-separated")
    p.add_argument("--names", help="class names of the labels, one a line (default: the model's)")
    p.add_argument("--model-names", help="class names of the model (default: street's six)")
    p.add_argument("--size", default="416x256")
    p.add_argument("--at", help="also recall and precision at these thresholds, comma-separated")
    p.add_argument("--threads", type=int, default=2)
    a = p.parse_args()
    from export import load_any
    torch.set_num_threads(a.threads)
    ours = read_names(a.model_names) if a.model_names else list(NAMES)
    width, height = (int(v) for v in a.size.split("x"))
    photos, truth = read_photos(a, ours)
    found = detect(load_any(need_file(a.model)), photos, width, height)
    print(a.model, a.size, row(average_precisions(found, truth, len(ours)), ours))
    print_thresholds(found, truth, ours, [float(t) for t in a.at.split(",")] if a.at else [])


if __name__ == "__main__":
    main()
