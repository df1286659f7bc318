"""Photos and labels of the training folder, their augmentation, and a loader in its own process.

Layout: <root>/<set>/images/*.jpg, labels/*.txt (class cx cy w h as fractions), ignore/*.txt, and
<root>/index.tsv with the columns set, image, width, height, known_classes_mask, boxes,
ignore_boxes, split, source_name. Mask bit 1: every object of that class in the picture is labelled;
bit 0: unknown, so there is no background loss for that class.
"""
import csv
import multiprocessing as mp
import os
import queue
import sys

import cv2
import numpy as np

NAMES = ("person", "bicycle", "car", "motorcycle", "bus", "truck")
STRIDES = (8, 16, 32)
PAD = 114
# How often a photo of a set is drawn; the everyday scenes of coco17 weigh most.
SET_WEIGHT = {"coco17": 2.0, "coco128": 2.0, "voc": 0.9, "highway": 0.6, "openimages": 1.0,
              "capston2": 0.9, "bicycles": 0.5, "iitd": 0.8, "lobby": 0.3, "lookalike": 0.3}
# Factor for a photo that shows a thin class (the largest that applies).
CLASS_WEIGHT = (1.0, 1.6, 1.2, 1.4, 1.6, 1.6)
MIN_SIDE = 4.0     # smaller boxes (square root of area, pixels of the network input) are ignored
MIN_VISIBLE = 0.3  # boxes cut off further than this are ignored


def fail(text):
    """One line, exit 2."""
    print("%s: %s" % (os.path.basename(sys.argv[0]), text), file=sys.stderr)
    raise SystemExit(2)


def read_lines(path, what):
    try:
        with open(path) as file:
            return [line.strip() for line in file]
    except (OSError, UnicodeDecodeError) as e:
        fail("%s, %s, cannot be read: %s" % (path, what, getattr(e, "strerror", None) or e))


def read_box(line):
    """class cx cy w h, or nothing where the line is no such thing; what follows is left out."""
    try:
        box = [float(v) for v in line.split()[:5]]
    except ValueError:
        return None
    good = len(box) == 5 and box[0] >= 0 and box[0] == int(box[0]) and \
        all(-0.01 <= v <= 1.01 for v in box[1:])
    return box if good else None


def read_boxes(path):
    """[n, 5]; no file: nothing is in the picture."""
    rows = []
    for k, line in enumerate(read_lines(path, "labels") if os.path.exists(path) else [], 1):
        rows += [read_box(line)] if line else []
        if line and not rows[-1]:
            fail("%s, line %d: '%s' is not a class number and cx cy w h from 0 to 1" % (
                path, k, line[:60]))
    return np.array(rows, np.float32).reshape(-1, 5)


def need_file(path):
    if path and not os.path.isfile(path):
        fail("%s is not there" % path)
    return path


def read_names(path):
    names = [line for line in read_lines(path, "class names") if line]
    if not names or len(set(names)) < len(names):
        fail("%s: %s; one class name a line" % (path, "a name is twice in it" if names else "empty"))
    return names


def read_index(root, classes):
    path = os.path.join(root, "index.tsv")
    if not os.path.exists(path):
        fail("%s is not there: index.py writes it for photos of your own" % path)
    rows = list(csv.DictReader(open(path), delimiter="\t"))
    for row in rows:
        if len(row["known_classes_mask"]) != classes:
            fail("%s is about %d classes, but there are %d names: give both the same --names" % (
                path, len(row["known_classes_mask"]), classes))
    return rows


class Photos:
    """Decoded photos (RGB, uint8), boxes [n, 5] = class x0 y0 x1 y1 in pixels, masks, weights."""

    def __init__(self, roots, split="train", sets=None, longest=416, limit=0, classes=len(NAMES)):
        self.classes = classes
        self.images, self.boxes, self.ignore, self.masks, self.weight, self.names = \
            [], [], [], [], [], []
        for root in roots:
            for row in read_index(root, classes):
                if row["split"] != split or (sets and row["set"] not in sets):
                    continue
                self.add(root, row, longest)
                if limit and len(self.images) >= limit:
                    return

    def add(self, root, row, longest):
        base, stem = os.path.join(root, row["set"]), row["image"]
        image = cv2.imread(os.path.join(base, "images", stem + ".jpg"), cv2.IMREAD_COLOR)
        if image is None:
            fail("%s/images/%s.jpg, named in index.tsv, cannot be read" % (base, stem))
        scale = longest / max(image.shape[:2])
        if scale < 1:
            image = cv2.resize(image, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
        h, w = image.shape[:2]
        both = []
        for kind in ("labels", "ignore"):
            b = read_boxes(os.path.join(base, kind, stem + ".txt"))
            half = b[:, 3:5] / 2
            b = np.concatenate([b[:, :1], (b[:, 1:3] - half) * (w, h),
                                (b[:, 1:3] + half) * (w, h)], 1)
            both.append(b.astype(np.float32))
        if len(both[0]) and both[0][:, 0].max() >= self.classes:
            fail("%s/labels/%s.txt: class %d, but there are %d names; the first is class 0" % (
                base, stem, both[0][:, 0].max(), self.classes))
        self.images.append(np.ascontiguousarray(image[:, :, ::-1]))
        self.boxes.append(both[0])
        self.ignore.append(both[1][:, 1:])
        self.masks.append(np.array([c == "1" for c in row["known_classes_mask"]], np.uint8))
        factor = CLASS_WEIGHT if self.classes == len(NAMES) else (1.0,) * self.classes
        thin = max([factor[int(c)] for c in both[0][:, 0]], default=0.6)
        self.weight.append(SET_WEIGHT.get(row["set"], 1.0) * thin)
        self.names.append(row["set"] + "/" + stem)


def blend_noise(rng, image):
    """Now and then what cameras do: JPEG blocks, blur, low resolution."""
    kind = rng.random()
    if kind < 0.08:
        quality = int(rng.integers(15, 60))
        ok, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, quality])
        return cv2.imdecode(data, cv2.IMREAD_COLOR) if ok else image
    if kind < 0.14:
        return cv2.blur(image, (3, 3))
    if kind < 0.19:
        h, w = image.shape[:2]
        small = cv2.resize(image, (w * 5 // 8, h * 5 // 8), interpolation=cv2.INTER_AREA)
        return cv2.resize(small, (w, h), interpolation=cv2.INTER_LINEAR)
    return image


class Painter:
    """Paints one training picture of width x height from one, four or nine photos."""

    def __init__(self, photos, seed):
        self.photos, self.rng = photos, np.random.default_rng(seed)
        w = np.array(photos.weight)
        self.cumulative = np.cumsum(w / w.sum())

    def pick(self):
        return min(int(np.searchsorted(self.cumulative, self.rng.random())),
                   len(self.photos.images) - 1)

    def cells(self, width, height, mosaic):
        """Rectangles that tile the picture."""
        rng, kind = self.rng, self.rng.random()
        n = 1 if kind >= mosaic else 2 if kind < mosaic * 0.8 else 3
        if n == 1:
            return [(0, 0, width, height)]
        xs, ys = [0, width], [0, height]
        for i in range(1, n):
            xs.insert(i, int(width * (i / n + rng.uniform(-0.5, 0.5) / n * 0.8)))
            ys.insert(i, int(height * (i / n + rng.uniform(-0.5, 0.5) / n * 0.8)))
        return [(xs[i], ys[j], xs[i + 1], ys[j + 1]) for j in range(n) for i in range(n)]

    def place(self, canvas, cell, single):
        """Draws a photo into a cell; returns boxes, ignore boxes (pixels of the canvas), mask."""
        rng, k = self.rng, self.pick()
        image = self.photos.images[k]
        h, w = image.shape[:2]
        x0, y0, x1, y1 = cell
        cw, ch = x1 - x0, y1 - y0
        fit, fill = min(cw / w, ch / h), max(cw / w, ch / h)
        u = rng.random()
        if single:  # from strongly zoomed out over letterboxed to cropped
            s = fit * rng.uniform(0.45, 1.0) if u < 0.25 else fit if u < 0.45 else \
                fit * (fill / fit * 1.4) ** rng.random()
        else:
            s = fit * (fill / fit * 1.6) ** rng.random()
        aspect = np.exp(rng.uniform(-0.16, 0.16))
        sx, sy = s * aspect ** 0.5, s / aspect ** 0.5
        flip = rng.random() < 0.5
        tx, ty = rng.random() * (cw - w * sx), rng.random() * (ch - h * sy)
        m = np.array([[sx, 0, tx], [0, sy, ty]], np.float32)
        if flip:
            m[0] = [-sx, 0, tx + w * sx]
        if s < 0.6:  # keep thin downscaling from aliasing
            image = cv2.blur(image, (2, 2))
        canvas[y0:y1, x0:x1] = cv2.warpAffine(
            image, m, (cw, ch), flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_CONSTANT,
            borderValue=(PAD, PAD, PAD))
        boxes, ignore = self.photos.boxes[k], self.photos.ignore[k]
        boxes = np.concatenate([boxes[:, :1], warp(boxes[:, 1:], m)], 1)
        ignore = warp(ignore, m)
        offset = np.array([x0, y0, x0, y0], np.float32)
        lo, hi = np.array([0, 0, 0, 0]), np.array([cw, ch, cw, ch])
        full = area(boxes[:, 1:])
        boxes[:, 1:] = np.clip(boxes[:, 1:], lo, hi)
        seen = area(boxes[:, 1:])
        good = (seen >= MIN_VISIBLE * full) & (seen >= MIN_SIDE ** 2)
        bad = boxes[~good & (seen > 1), 1:]
        ignore = np.concatenate([np.clip(ignore, lo, hi), bad], 0)
        boxes = boxes[good]
        boxes[:, 1:] += offset
        return boxes, ignore + offset, self.photos.masks[k]

    def paint(self, width, height, mosaic):
        canvas = np.empty((height, width, 3), np.uint8)
        cells = self.cells(width, height, mosaic)
        classes = self.photos.classes
        known = [np.ones((height // s, width // s, classes), np.uint8) for s in STRIDES]
        boxes, ignores = [], []
        for cell in cells:
            b, i, mask = self.place(canvas, cell, len(cells) == 1)
            boxes.append(b)
            ignores.append(i)
            for s, grid in zip(STRIDES, known):
                fill(grid, s, cell, mask)
        for i in np.concatenate(ignores, 0):
            for s, grid in zip(STRIDES, known):
                fill(grid, s, i, 0)
        return (blend_noise(self.rng, canvas), np.concatenate(boxes, 0),
                np.concatenate([g.reshape(-1, classes) for g in known], 0))

    def batch(self, size, width, height, mosaic):
        items = [self.paint(width, height, mosaic) for _ in range(size)]
        most = max(1, max(len(b) for _, b, _ in items))
        boxes = np.full((size, most, 5), -1, np.float32)
        for row, (_, b, _) in zip(boxes, items):
            row[:len(b)] = b
        return (np.stack([i for i, _, _ in items]), boxes, np.stack([k for _, _, k in items]))


def warp(boxes, m):
    """Axis-parallel boxes through a matrix of scale, mirror and shift."""
    x = boxes[:, [0, 2]] * m[0, 0] + m[0, 2]
    y = boxes[:, [1, 3]] * m[1, 1] + m[1, 2]
    return np.stack([x.min(1), y.min(1), x.max(1), y.max(1)], 1) if len(boxes) else boxes.copy()


def area(b):
    return np.clip(b[:, 2] - b[:, 0], 0, None) * np.clip(b[:, 3] - b[:, 1], 0, None)


def fill(grid, stride, rect, value):
    """Sets the cells of the grid whose centres lie in rect."""
    x0, y0, x1, y1 = [max(0, int(np.ceil(v / stride - 0.5))) for v in rect]
    grid[y0:y1, x0:x1] = value


def serve(painter, seed, requests, results):
    cv2.setNumThreads(1)
    parent = os.getppid()
    while True:
        try:
            number, request = requests.get(timeout=5)
        except queue.Empty:
            if os.getppid() != parent:  # killed, so that nobody ends this process
                results.cancel_join_thread()
                return
            continue
        painter.rng = np.random.default_rng([seed, number])
        results.put((number, painter.batch(*request)))


class Loader:
    """Paints batches ahead of need in processes that share the decoded photos. Batch k depends on
    the seed, k and what ask(k) wants, a Painter.batch()'s arguments, and on nothing else.
    """

    def __init__(self, photos, seed, ahead=6, workers=1):
        context = mp.get_context("fork")
        self.requests, self.results = context.Queue(), context.Queue()
        self.workers = [context.Process(target=serve, daemon=True, args=(
            Painter(photos, seed), seed, self.requests, self.results)) for _ in range(workers)]
        for worker in self.workers:
            worker.start()
        self.ahead, self.asked, self.given, self.early = ahead, 0, 0, {}

    def start(self, number):
        """The batch that comes first, before any is asked for."""
        self.asked = self.given = number

    def next(self, ask):
        while self.asked < self.given + self.ahead:
            self.requests.put((self.asked, ask(self.asked)))
            self.asked += 1
        while self.given not in self.early:
            number, batch = self.wait()
            self.early[number] = batch
        self.given += 1
        return self.early.pop(self.given - 1)

    def wait(self):
        while True:
            try:
                return self.results.get(timeout=5)
            except queue.Empty:
                if not all(worker.is_alive() for worker in self.workers):
                    fail("a process that paints training pictures has ended")

    def close(self):
        for worker in self.workers:
            worker.terminate()
