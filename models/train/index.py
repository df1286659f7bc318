"""Writes index.tsv for a folder of your own photos.

    index.py ROOT --names NAMES [--val 10]

ROOT/<set>/images/*.jpg and ROOT/<set>/labels/*.txt (same stem; class cx cy w h as fractions; an empty
or missing file: nothing in the picture). Every class counts as completely labelled. Every tenth
photo (--val) is kept for measuring.
"""
import argparse
import os

import cv2

from data import fail, read_boxes, read_names

COLUMNS = ("set", "image", "width", "height", "known_classes_mask", "boxes", "ignore_boxes", "split",
           "source_name")


def main():
    p = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    p.add_argument("root")
    p.add_argument("--names", required=True)
    p.add_argument("--val", type=int, default=10)
    a = p.parse_args()
    if a.val < 1:
        fail("--val %d: every how manieth photo is kept, 1 or more" % a.val)
    classes, rows = len(read_names(a.names)), []
    for name in sorted(os.listdir(a.root)) if os.path.isdir(a.root) else []:
        folder = os.path.join(a.root, name, "images")
        for k, f in enumerate(sorted(os.listdir(folder)) if os.path.isdir(folder) else []):
            stem, ending = os.path.splitext(f)
            image = cv2.imread(os.path.join(folder, f)) if ending == ".jpg" else None
            if image is None:
                fail("%s/%s is not a JPEG photo ending in .jpg" % (folder, f))
            boxes = read_boxes(os.path.join(a.root, name, "labels", stem + ".txt"))
            if len(boxes) and boxes[:, 0].max() >= classes:
                fail("%s/%s/labels/%s.txt: class %d, but there are %d names; the first is class 0" % (
                    a.root, name, stem, boxes[:, 0].max(), classes))
            rows.append((name, stem, image.shape[1], image.shape[0], "1" * classes, len(boxes), 0,
                         "val" if k % a.val == 0 else "train", stem))
    train = sum(row[7] == "train" for row in rows)
    if not train:
        fail("%s: %d photos in %s/<set>/images, none of them to train on" % (
            a.root, len(rows), a.root))
    with open(os.path.join(a.root, "index.tsv"), "w") as out:
        for row in [COLUMNS] + rows:
            out.write("\t".join(str(v) for v in row) + "\n")
    print("%s/index.tsv: %d photos to train on, %d to measure with, %d boxes" % (
        a.root, train, len(rows) - train, sum(row[5] for row in rows)))


if __name__ == "__main__":
    main()
