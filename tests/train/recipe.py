"""The training recipe (models/train): its parts, and the five steps of models/README.md from drawn
photos to objects that `fovea detect` names. Skipped where torch, onnx or OpenCV are not installed.

    recipe.py [unittest arguments]       # $FOVEA: the built command
"""
import contextlib
import importlib.util
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
import unittest

missing = [m for m in ("numpy", "onnx", "torch", "cv2") if not importlib.util.find_spec(m)]
if missing:
    print("skipped: no Python module %s (python3-%s)" % (missing[0], missing[0]))
    sys.exit(77)

HERE = os.path.dirname(os.path.abspath(__file__))
TRAIN = os.path.join(HERE, "..", "..", "models", "train")
STREET = os.path.join(HERE, "..", "..", "models", "street.onnx")
sys.path.insert(0, TRAIN)

import numpy as np  # noqa: E402
import torch  # noqa: E402

import card  # noqa: E402
import evaluate  # noqa: E402
import export  # noqa: E402
import loss  # noqa: E402
from data import Painter  # noqa: E402
from net import count_macs  # noqa: E402

torch.set_num_threads(1)


def run(script, *arguments, fails=False):
    """Standard output of a script, or what it says when it must fail."""
    p = subprocess.run([sys.executable, os.path.join(TRAIN, script)] + [str(a) for a in arguments],
                       stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=300)
    assert p.returncode == (2 if fails else 0), p.stdout + p.stderr
    return p.stderr if fails else p.stdout


def maps(classes=2, batch=1):
    """Outputs for a picture of 64x64, all zero."""
    return [torch.zeros(batch, 4 + classes, 64 // s, 64 // s) for s in loss.STRIDES]


class Decoding(unittest.TestCase):
    def test_boxes_are_as_the_card_says(self):
        outputs = maps()
        outputs[1][0, :4, 2, 1] = torch.tensor([1.0, 2.0, 3.0, -1.0])  # stride 16, row 2, column 1
        boxes = loss.decode(outputs)[0][0]
        found = boxes[8 * 8 + 2 * 4 + 1].tolist()
        d = [float(np.log1p(np.exp(v))) * 16 for v in (1.0, 2.0, 3.0, -1.0)]
        for got, want in zip(found, (24 - d[0], 40 - d[1], 24 + d[2], 40 + d[3])):
            self.assertAlmostEqual(got, want, places=3)


class Losses(unittest.TestCase):
    truth = torch.tensor([[[0, 8.0, 8, 40, 40], [-1, -1, -1, -1, -1]]])

    def gradient(self, known):
        outputs = maps()
        for o in outputs:
            o.requires_grad_()
        decoded = loss.decode(outputs)
        cls, _ = loss.label_loss(decoded, self.truth, known)
        cls.backward()
        return torch.cat([o.grad.flatten(2) for o in outputs], 2)[0]  # [4 + 2, cells]

    def test_a_missing_label_is_not_punished(self):
        known = torch.ones(1, 64 + 16 + 4, 2)
        self.assertTrue((self.gradient(known)[5] > 0).all())
        known[:, :, 1] = 0
        self.assertEqual(float(self.gradient(known)[5].abs().max()), 0)
        self.assertGreater(float(self.gradient(known)[4].abs().max()), 0)

    def test_cells_inside_a_box_answer_for_it(self):
        index, quality = loss.assign(*loss.decode(maps()), self.truth)
        points = loss.anchors([(8, 8), (4, 4), (2, 2)], "cpu")[0]
        chosen = points[index[0] == 0]
        self.assertGreater(len(chosen), 2)
        self.assertTrue(((chosen > 8) & (chosen < 40)).all())
        self.assertEqual(int(index.max()), 0)  # nothing answers for the row that is no box
        self.assertTrue((quality[index < 0] == 0).all())


class Photo:
    """One photo: a red rectangle, class 1 of two; class 0 is not labelled."""

    classes = 2

    def __init__(self):
        image = np.zeros((120, 200, 3), np.uint8)
        image[30:90, 60:140] = (255, 0, 0)
        self.images, self.weight = [image], [1.0]
        self.boxes = [np.array([[1, 60, 30, 140, 90]], np.float32)]
        self.ignore, self.masks = [np.zeros((0, 4), np.float32)], [np.array([0, 1], np.uint8)]


class Augmentation(unittest.TestCase):
    def test_boxes_go_where_their_objects_go(self):
        painter, compared = Painter(Photo(), 3), 0
        for _ in range(40):
            picture, boxes, known = painter.paint(224, 160, 0.0)
            self.assertEqual(int(known[:, 0].max()), 0)
            rows, columns = np.nonzero((picture[..., 0] > 150) & (picture[..., 1] < 90))
            if not len(boxes):
                continue
            seen = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            self.assertLess(np.abs(boxes[0, 1:] - seen).max(), 6)
            compared += 1
        self.assertGreater(compared, 20)

    def test_a_mosaic_keeps_every_box_inside(self):
        painter = Painter(Photo(), 4)
        images, boxes, known = painter.batch(6, 224, 160, 1.0)
        self.assertEqual(images.shape, (6, 160, 224, 3))
        self.assertEqual(known.shape, (6, 28 * 20 + 14 * 10 + 7 * 5, 2))
        real = boxes[boxes[..., 0] >= 0]
        self.assertGreater(len(real), 6)
        self.assertTrue((real[:, 1:] >= 0).all() and (real[:, 3:] <= (224, 160)).all())


class Scores(unittest.TestCase):
    truth = [np.array([[0, 10, 10, 50, 50], [0, 100, 10, 150, 60]], np.float32)]

    def test_average_precision(self):
        both = [np.array([[0, 0.9, 10, 10, 50, 50], [0, 0.8, 100, 10, 150, 60]])]
        self.assertAlmostEqual(evaluate.average_precision(both, self.truth, 0), 1.0)
        one = [both[0][:1]]
        self.assertAlmostEqual(evaluate.average_precision(one, self.truth, 0), 51 / 101)
        beside = [both[0] + np.array([0, 0, 30, 30, 30, 30])]
        self.assertAlmostEqual(evaluate.average_precision(beside, self.truth, 0), 0.0)

    def test_recall_and_precision_at_a_threshold(self):
        found = [np.array([[0, 0.9, 10, 10, 50, 50], [0, 0.5, 12, 10, 52, 50]])]
        self.assertEqual(evaluate.at_threshold(found, self.truth, 0, 0.4)[:2], (0.5, 0.5))
        self.assertEqual(evaluate.at_threshold(found, self.truth, 0, 0.6)[:2], (0.5, 1.0))


class Export(unittest.TestCase):
    def test_a_file_gives_its_network_back(self):
        with tempfile.TemporaryDirectory() as folder:
            x = torch.rand(1, 3, 96, 160, generator=torch.Generator().manual_seed(2))
            with torch.no_grad():
                want = export.FileNet(STREET).eval()(x)[0]
            for half in ("", "--half"):
                path = os.path.join(folder, "s%s.onnx" % half)
                run("export.py", STREET, "-o", path, *half.split())
                with torch.no_grad():
                    got = export.load_network(path)(x)[0]
                for a, b in zip(got, want):
                    self.assertLess(float((a - b).abs().max() / b.abs().max()), 1e-2 if half else 1e-4)
            self.assertLess(os.path.getsize(path), 2.1e6)

    def test_the_size_is_what_the_card_says(self):
        with open(os.path.join(TRAIN, "..", "README.md")) as file:
            said = file.read().split("<!-- size -->")[1].split("<!-- end size -->")[0]
        net = export.load_network(STREET)
        self.assertEqual("%.3f M parameters, %.0f MMAC at 416x256, %.1f MB" % (
            sum(p.numel() for p in net.parameters()) / 1e6, count_macs(net, 256, 416),
            os.path.getsize(STREET) / 1e6), said)


class Card(unittest.TestCase):
    def test_a_part_is_replaced_and_nothing_else(self):
        with tempfile.TemporaryDirectory() as folder:
            path = os.path.join(folder, "README.md")
            with open(path, "w") as file:
                file.write("a <!-- size -->1 M<!-- end size -->, b\n<!-- clip -->\nold\n<!-- end clip -->\nc\n")
            card.replace(path, "size", "2 M")
            card.replace(path, "clip", "new\nrows")
            with open(path) as file:
                self.assertEqual(file.read(), "a <!-- size -->2 M<!-- end size -->, b\n<!-- clip -->\n"
                                 "new\nrows\n<!-- end clip -->\nc\n")
            said = io.StringIO()
            with self.assertRaises(SystemExit), contextlib.redirect_stderr(said):
                card.replace(path, "speed", "fast")
            self.assertIn("must be there once", said.getvalue())

    def test_the_card_has_a_place_for_every_part(self):
        with open(os.path.join(TRAIN, "..", "README.md")) as file:
            text = file.read()
        for name in card.PARTS:
            self.assertEqual((text.count("<!-- %s -->" % name), text.count("<!-- end %s -->" % name)),
                             (1, 1), name)


class FiveSteps(unittest.TestCase):
    def words(self, folder, out, steps):
        mine = os.path.join(folder, "mine")
        return ["train.py", "--data", mine, "--names", mine + "/names.txt", "--init", STREET,
                "--out", os.path.join(folder, out), "--steps", str(steps), "--threads", "1"]

    def steps(self, folder, out, steps):
        run(*self.words(folder, out, steps))
        with open(os.path.join(folder, out, "log.jsonl")) as log:
            return [json.loads(line) for line in log]

    def test_from_photos_to_named_objects(self):
        with tempfile.TemporaryDirectory() as folder:
            mine = os.path.join(folder, "mine")
            names = mine + "/names.txt"
            run("toy.py", mine, "--photos", 12)
            self.assertIn("10 photos to train on, 2 to measure with",
                          run("index.py", mine, "--names", names, "--val", 6))
            first = self.steps(folder, "a", 1)
            self.assertEqual(first[0]["losses"], self.steps(folder, "b", 1)[0]["losses"])
            entries = self.steps(folder, "a", 3)
            self.assertEqual([e["step"] for e in entries], [1, 3])
            self.assertGreater(entries[1]["seen"], entries[0]["seen"])
            last = os.path.join(folder, "a", "last.pt")
            said = run("evaluate.py", last, "--held", mine, "--model-names", names, "--at", "0.5")
            self.assertIn("mAP50", said)
            self.assertIn("ball at 0.50: recall", said)
            model = os.path.join(folder, "mine.onnx")
            run("export.py", last, "-o", model, "--names", names, "--half")
            self.detect(model, mine + "/toys/images/0000.jpg")

    def test_a_broken_run_ends_as_an_unbroken_one(self):
        with tempfile.TemporaryDirectory() as folder:
            run("toy.py", os.path.join(folder, "mine"), "--photos", 12)
            run("index.py", folder + "/mine", "--names", folder + "/mine/names.txt", "--val", 12)
            self.steps(folder, "whole", 5)
            words = self.words(folder, "broken", 5)
            log = os.path.join(folder, "broken", "log.jsonl")
            last = os.path.join(folder, "broken", "last.pt")
            for _ in range(8):  # until it is broken off before its end
                with open(os.devnull, "w") as null:
                    p = subprocess.Popen([sys.executable, os.path.join(TRAIN, words[0])] + words[1:] +
                                         ["--save-minutes", "0"], stdout=null)
                while p.poll() is None and not (os.path.exists(log) and os.path.getsize(log)):
                    time.sleep(0.05)
                while p.poll() is None and not os.path.exists(last):
                    time.sleep(0.01)
                p.kill()
                p.wait()
                if torch.load(last)["step"] < 5:
                    break
                shutil.rmtree(os.path.dirname(last))
            self.assertLess(torch.load(last)["step"], 5)
            self.steps(folder, "broken", 5)
            one, two = (torch.load(os.path.join(folder, out, "last.pt")) for out in ("whole", "broken"))
            self.assertEqual((one["step"], two["step"]), (5, 5))
            for part in ("net", "ema"):
                for name in one[part]:
                    self.assertTrue(torch.equal(one[part][name], two[part][name]), name)

    def detect(self, model, photo):
        if "FOVEA" not in os.environ:
            self.skipTest("$FOVEA does not name the command")
        said = subprocess.run([os.environ["FOVEA"], "detect", "--model", model, "--threshold", "0.01",
                               photo], check=True, stdout=subprocess.PIPE, text=True).stdout
        self.assertIn("  ball ", said)

    def test_wrong_turns_are_told_in_a_line(self):
        with tempfile.TemporaryDirectory() as folder:
            mine = os.path.join(folder, "mine")
            names = mine + "/names.txt"
            data = ("train.py", "--data", mine, "--out", folder + "/run")
            self.assertIn("index.tsv is not there", run(*data, "--steps", 1, fails=True))
            run("toy.py", mine, "--photos", 3)
            self.assertIn("none of them to train on",
                          run("index.py", mine, "--names", names, "--val", 1, fails=True))
            run("index.py", mine, "--names", names)
            self.assertIn("about 2 classes, but there are 6 names",
                          run(*data, "--steps", 1, fails=True))
            self.assertIn("--steps --until --minutes is required",
                          run(*data, "--names", names, fails=True))
            self.assertIn("'0' is not a whole number",
                          run(*data, "--names", names, "--steps", 0, fails=True))
            self.assertIn("no.onnx is not there", run(
                *data, "--names", names, "--steps", 1, "--init", folder + "/no.onnx", fails=True))
            self.assertIn("no.txt, class names, cannot be read: No such file",
                          run("index.py", mine, "--names", folder + "/no.txt", fails=True))
            for line, said in (("7 0.5 0.5 0.1 0.1", "0001.txt: class 7, but there are 2 names"),
                               ("0 0.5 0.5 0.1", "line 1: '0 0.5 0.5 0.1' is not a class"),
                               ("0 120 80 40 40", "line 1: '0 120 80 40 40' is not a class"),
                               ("ball 0.5 0.5 0.1 0.1", "line 1: 'ball 0.5 0.5 0.1 0.1' is not"),
                               ("-1 0.5 0.5 0.1 0.1", "line 1: '-1 0.5 0.5 0.1 0.1' is not"),
                               ("0 nan 0.5 0.1 0.1", "line 1: '0 nan 0.5 0.1 0.1' is not")):
                with open(mine + "/toys/labels/0001.txt", "w") as label:
                    label.write(line + "\n")
                told = run("index.py", mine, "--names", names, fails=True)
                self.assertIn(said, told)
                self.assertEqual(told.count("\n"), 1)


if __name__ == "__main__":
    unittest.main(verbosity=2)
