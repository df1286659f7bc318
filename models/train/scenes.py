"""Draws training scenes with samples/street and lays them out as a training folder.

    scenes.py build/samples/street OUT [COUNT]     OUT/rendered/{images,labels}, OUT/index.tsv
"""
import os
import subprocess
import sys
import tempfile

import cv2


def main():
    program, out, count = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 600
    for kind in ("images", "labels"):
        os.makedirs(os.path.join(out, "rendered", kind), exist_ok=True)
    rows = ["set\timage\twidth\theight\tknown_classes_mask\tboxes\tignore_boxes\tsplit\tsource_name"]
    with tempfile.TemporaryDirectory() as folder:
        # Seeds of the training scenes start at 1000; those below are for clips and tests.
        subprocess.run([program, "--seed", "1000", "--stills", folder, str(count)], check=True)
        for i in range(count):
            image = cv2.imread(os.path.join(folder, "%05d.ppm" % i))
            if i % 2:  # half of them as the network sees a 640 wide picture
                image = cv2.resize(image, (416, 234), interpolation=cv2.INTER_AREA)
            cv2.imwrite(os.path.join(out, "rendered", "images", "%05d.jpg" % i), image,
                        [cv2.IMWRITE_JPEG_QUALITY, 55 + i * 7 % 40])
            labels = open(os.path.join(folder, "%05d.txt" % i)).read()
            open(os.path.join(out, "rendered", "labels", "%05d.txt" % i), "w").write(labels)
            rows.append("rendered\t%05d\t%d\t%d\t111111\t%d\t0\ttrain\tstreet" % (
                i, image.shape[1], image.shape[0], len(labels.splitlines())))
    open(os.path.join(out, "index.tsv"), "w").write("\n".join(rows) + "\n")


if __name__ == "__main__":
    main()
