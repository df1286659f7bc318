"""Small detectors with random weights in the export forms of many projects, for parity and recognition.

    families.py OUT [NAME...]      writes OUT/<name>.onnx and OUT/families.txt: name, family that must be recognised

Blocks and tails are built from the papers' and documentations' descriptions at a fraction of the width: what counts is
the graph that torch.onnx.export makes of them. families.sh exports, asks `fovea model` for the family and compares
the outputs with ONNX Runtime. Needs python3-torch, python3-onnx.
"""
import math
import os
import sys
import warnings

import onnx
import torch
from torch import nn
from torch.nn import functional as F

warnings.filterwarnings("ignore")


def conv(cin, cout, k=1, s=1, g=1, act=nn.SiLU):
    return nn.Sequential(nn.Conv2d(cin, cout, k, s, k // 2, groups=g, bias=False), nn.BatchNorm2d(cout),
                         act() if act else nn.Identity())


class Bottleneck(nn.Module):
    def __init__(self, c, act=nn.SiLU, add=True):
        super().__init__()
        self.a, self.b, self.add = conv(c, c, 3, act=act), conv(c, c, 3, act=act), add

    def forward(self, x):
        y = self.b(self.a(x))
        return x + y if self.add else y


class C2f(nn.Module):
    """One convolution split in two; every bottleneck's result joins."""

    def __init__(self, cin, cout, n=1, inner=Bottleneck):
        super().__init__()
        self.half = cout // 2
        self.a, self.b = conv(cin, cout), conv((2 + n) * self.half, cout)
        self.m = nn.ModuleList(inner(self.half) for _ in range(n))

    def forward(self, x):
        y = list(self.a(x).chunk(2, 1))
        for m in self.m:
            y.append(m(y[-1]))
        return self.b(torch.cat(y, 1))


class Spp(nn.Module):
    def __init__(self, c, act=nn.SiLU):
        super().__init__()
        self.a, self.b = conv(c, c // 2, act=act), conv(2 * c, c, act=act)

    def forward(self, x):
        y = [self.a(x)]
        for _ in range(3):
            y.append(F.max_pool2d(y[-1], 5, 1, 2))
        return self.b(torch.cat(y, 1))


class PositionAttention(nn.Module):
    """Multi-head attention over pixels with a depthwise convolution as position (YOLO11's, YOLOv10's)."""

    def __init__(self, c, heads=2):
        super().__init__()
        self.heads, self.dim = heads, c // heads
        self.key = self.dim // 2
        self.qkv = conv(c, c + 2 * self.key * heads, act=None)
        self.pe, self.proj = conv(c, c, 3, g=c, act=None), conv(c, c, act=None)
        self.ffn = nn.Sequential(conv(c, 2 * c), conv(2 * c, c, act=None))

    def forward(self, x):
        b, c, h, w = x.shape
        q, k, v = self.qkv(x).view(b, self.heads, 2 * self.key + self.dim, h * w).split([self.key, self.key, self.dim], 2)
        a = ((q.transpose(-2, -1) @ k) * self.key ** -0.5).softmax(-1)
        y = (v @ a.transpose(-2, -1)).view(b, c, h, w) + self.pe(v.reshape(b, c, h, w))
        x = x + self.proj(y)
        return x + self.ffn(x)


class AreaAttention(nn.Module):
    """YOLOv12: attention within `areas` strips of the picture."""

    def __init__(self, c, heads=2, areas=4):
        super().__init__()
        self.heads, self.dim, self.areas = heads, c // heads, areas
        self.qkv, self.proj, self.pe = conv(c, 3 * c, act=None), conv(c, c, act=None), conv(c, c, 7, g=c, act=None)
        self.mlp = nn.Sequential(conv(c, 2 * c), conv(2 * c, c, act=None))

    def attend(self, x):
        b, c, h, w = x.shape
        qkv = self.qkv(x).flatten(2).transpose(1, 2).reshape(b * self.areas, h * w // self.areas, 3 * c)
        b2, n, _ = qkv.shape
        q, k, v = qkv.view(b2, n, self.heads, 3 * self.dim).permute(0, 2, 3, 1).split([self.dim] * 3, 2)
        a = ((q.transpose(-2, -1) @ k) * self.dim ** -0.5).softmax(-1)
        y = (v @ a.transpose(-2, -1)).permute(0, 3, 1, 2).reshape(b, n * self.areas, c)
        v = v.permute(0, 3, 1, 2).reshape(b, n * self.areas, c)
        to_map = (lambda t: t.reshape(b, h, w, c).permute(0, 3, 1, 2))
        return self.proj(to_map(y) + self.pe(to_map(v)))

    def forward(self, x):
        x = x + self.attend(x)
        return x + self.mlp(x)


class Pyramid(nn.Module):
    """A backbone of strides 8, 16, 32 and a top-down, bottom-up neck; `top` sits on stride 32."""

    def __init__(self, c=16, block=C2f, top=Spp, act=nn.SiLU, up="nearest", stem=3):
        super().__init__()
        self.c, self.up = c, up
        self.stem = nn.Sequential(conv(3, c, stem, 2, act=act), conv(c, c, 3, 2, act=act))
        self.d8, self.d16, self.d32 = (nn.Sequential(conv(c, c, 3, 2, act=act), block(c, c)) for _ in range(3))
        self.top = top(c) if top else nn.Identity()
        self.t16, self.t8, self.b16, self.b32 = (block(2 * c, c) for _ in range(4))
        self.s16, self.s32 = conv(c, c, 3, 2, act=act), conv(c, c, 3, 2, act=act)
        if up == "transpose":
            self.u16, self.u8 = nn.ConvTranspose2d(c, c, 2, 2), nn.ConvTranspose2d(c, c, 2, 2)

    def grow(self, x, which):
        if self.up == "transpose":
            return getattr(self, which)(x)
        return F.interpolate(x, scale_factor=2, mode=self.up, **({"align_corners": False} if self.up == "bilinear" else {}))

    def forward(self, x):
        c8 = self.d8(self.stem(x))
        c16 = self.d16(c8)
        c32 = self.top(self.d32(c16))
        t16 = self.t16(torch.cat([self.grow(c32, "u16"), c16], 1))
        p8 = self.t8(torch.cat([self.grow(t16, "u8"), c8], 1))
        p16 = self.b16(torch.cat([self.s16(p8), t16], 1))
        return p8, p16, self.b32(torch.cat([self.s32(p16), c32], 1))


def centres(maps, strides=(8, 16, 32)):
    points, scale = [], []
    for m, s in zip(maps, strides):
        h, w = m.shape[-2:]
        y, x = torch.meshgrid(torch.arange(h) + 0.5, torch.arange(w) + 0.5)
        points.append(torch.stack([x, y], -1).view(-1, 2))
        scale.append(torch.full((h * w, 1), float(s)))
    return torch.cat(points).t(), torch.cat(scale).t()


class Dfl(nn.Module):
    """Distributions over 16 distances -> boxes; class scores. YOLOv8's tail and what came after it."""

    def __init__(self, c, classes, depthwise=False, bins=16):
        super().__init__()
        self.bins, self.classes = bins, classes
        self.box = nn.ModuleList(nn.Sequential(conv(c, c, 3), nn.Conv2d(c, 4 * bins, 1)) for _ in range(3))
        self.cls = nn.ModuleList(nn.Sequential(conv(c, c, 3, g=c if depthwise else 1), conv(c, c), nn.Conv2d(c, classes, 1))
                                 for _ in range(3))
        if bins > 1:
            self.dfl = nn.Conv2d(bins, 1, 1, bias=False).requires_grad_(False)
            self.dfl.weight.data[:] = torch.arange(bins, dtype=torch.float).view(1, bins, 1, 1)

    def raw(self, maps):
        return [torch.cat([b(m), c(m)], 1) for b, c, m in zip(self.box, self.cls, maps)]

    def boxes(self, maps, corners=False):
        raw = self.raw(maps)
        points, scale = centres(raw)
        y = torch.cat([r.view(r.shape[0], 4 * self.bins + self.classes, -1) for r in raw], 2)
        d, scores = y.split([4 * self.bins, self.classes], 1)
        if self.bins > 1:
            b, _, a = d.shape
            d = self.dfl(d.view(b, 4, self.bins, a).transpose(2, 1).softmax(1)).view(b, 4, a)
        lt, rb = d.chunk(2, 1)
        x0, x1 = points - lt, points + rb
        xy = torch.cat([x0, x1], 1) if corners else torch.cat([(x0 + x1) / 2, x1 - x0], 1)
        return xy * scale, scores.sigmoid()

    def forward(self, maps):
        return torch.cat(self.boxes(maps), 1)


class EndToEnd(Dfl):
    """YOLOv10 and YOLO26: the best `most` of all cells and classes, no suppression."""

    most = 300

    def forward(self, maps):
        boxes, scores = self.boxes(maps, corners=True)
        boxes, scores = boxes.transpose(1, 2), scores.transpose(1, 2)
        _, index = scores.amax(-1).topk(self.most)
        index = index.unsqueeze(-1)
        boxes = boxes.gather(1, index.repeat(1, 1, 4))
        scores = scores.gather(1, index.repeat(1, 1, self.classes))
        scores, index = scores.flatten(1).topk(self.most)
        i = torch.arange(boxes.shape[0])[..., None]
        return torch.cat([boxes[i, index // self.classes], scores[..., None], (index % self.classes)[..., None].float()], -1)


class Anchors(nn.Module):
    """YOLOv3 to v7: three boxes a cell; decoded as YOLOv5 does, or left raw."""

    def __init__(self, c, classes, raw=False, implicit=False, permute=True):
        super().__init__()
        self.raw, self.no, self.permute, self.implicit = raw, classes + 5, permute, implicit
        self.m = nn.ModuleList(nn.Conv2d(c, 3 * self.no, 1) for _ in range(3))
        self.anchors = torch.tensor([[10, 13, 16, 30, 33, 23], [30, 61, 62, 45, 59, 119], [116, 90, 156, 198, 373, 326]]).float()
        if implicit:  # YOLOR's: a vector added before, one multiplied after
            self.add = nn.ParameterList(nn.Parameter(0.02 * torch.randn(1, c, 1, 1)) for _ in range(3))
            self.mul = nn.ParameterList(nn.Parameter(1 + 0.02 * torch.randn(1, 3 * self.no, 1, 1)) for _ in range(3))

    def forward(self, maps):
        z = []
        for i, m in enumerate(maps):
            x = self.m[i](m + self.add[i] if self.implicit else m)
            x = x * self.mul[i] if self.implicit else x
            if not self.permute:
                z.append(x)
                continue
            b, _, h, w = x.shape
            x = x.view(b, 3, self.no, h, w).permute(0, 1, 3, 4, 2).contiguous()
            if self.raw:
                z.append(x)
                continue
            gy, gx = torch.meshgrid(torch.arange(h).float(), torch.arange(w).float())
            grid = torch.stack((gx, gy), 2).view(1, 1, h, w, 2) - 0.5
            anchor = self.anchors[i].view(1, 3, 1, 1, 2)
            xy, wh, rest = x.sigmoid().split((2, 2, self.no - 4), 4)
            xy, wh = (xy * 2 + grid) * (8 << i), (wh * 2) ** 2 * anchor
            z.append(torch.cat((xy, wh, rest), 4).view(b, -1, self.no))
        return tuple(z) if self.raw or not self.permute else torch.cat(z, 1)


class Yolov6(nn.Module):
    def __init__(self, c, classes):
        super().__init__()
        self.reg, self.cls = (nn.ModuleList(nn.Conv2d(c, n, 1) for _ in range(3)) for n in (4, classes))

    def forward(self, maps):
        points, scale = centres(maps)
        d = torch.cat([r(m).flatten(2) for r, m in zip(self.reg, maps)], 2)
        s = torch.cat([r(m).sigmoid().flatten(2) for r, m in zip(self.cls, maps)], 2)
        lt, rb = d.chunk(2, 1)
        x0, x1 = points - lt, points + rb
        boxes = torch.cat([(x0 + x1) / 2, x1 - x0], 1) * scale
        return torch.cat([boxes.transpose(1, 2), torch.ones(boxes.shape[0], boxes.shape[2], 1), s.transpose(1, 2)], -1)


class Yolox(nn.Module):
    def __init__(self, c, classes):
        super().__init__()
        self.reg, self.obj, self.cls = (nn.ModuleList(nn.Conv2d(c, n, 1) for _ in range(3)) for n in (4, 1, classes))

    def forward(self, maps):
        z = [torch.cat([self.reg[i](m), self.obj[i](m).sigmoid(), self.cls[i](m).sigmoid()], 1) for i, m in enumerate(maps)]
        return torch.cat([x.flatten(2) for x in z], 2).permute(0, 2, 1)


class NanodetPlus(nn.Module):
    """Four levels (8 to 64), generalised focal loss; depthwise 5x5, LeakyReLU."""

    def __init__(self, c, classes, bins=8):
        super().__init__()
        act = (lambda: nn.LeakyReLU(0.1))
        self.extra = conv(c, c, 5, 2, g=c, act=act)
        self.head = nn.ModuleList(nn.Sequential(conv(c, c, 5, g=c, act=act), conv(c, c, act=act),
                                                nn.Conv2d(c, classes + 4 * bins, 1)) for _ in range(4))
        self.split = [classes, 4 * bins]

    def forward(self, maps):
        maps = [*maps, self.extra(maps[-1])]
        out = []
        for h, m in zip(self.head, maps):
            cls, reg = h(m).split(self.split, 1)
            out.append(torch.cat([cls.sigmoid(), reg], 1).flatten(2))
        return torch.cat(out, 2).permute(0, 2, 1)


class Picodet(nn.Module):
    """PP-PicoDet without post-processing: four scores, four distributions; HardSwish, squeeze and excite."""

    def __init__(self, c, classes, bins=8):
        super().__init__()
        self.extra = conv(c, c, 5, 2, g=c, act=nn.Hardswish)
        self.se = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Conv2d(c, c, 1), nn.Hardsigmoid())
        self.body = nn.ModuleList(nn.Sequential(conv(c, c, 5, g=c, act=nn.Hardswish), conv(c, c, act=nn.Hardswish)) for _ in range(4))
        self.cls, self.reg = (nn.ModuleList(nn.Conv2d(c, n, 1) for _ in range(4)) for n in (classes, 4 * bins))

    def forward(self, maps):
        maps = [*maps, self.extra(maps[-1])]
        body = [b(m) for b, m in zip(self.body, maps)]
        body = [b * self.se(b) for b in body]
        flat = (lambda t: t.flatten(2).permute(0, 2, 1))
        return (*[flat(c(b).sigmoid()) for c, b in zip(self.cls, body)], *[flat(r(b)) for r, b in zip(self.reg, body)])


class Ppyoloe(nn.Module):
    """Effective squeeze and excite, distributions, boxes in pixels of the input; scores [1, C, N]."""

    def __init__(self, c, classes, bins=17):
        super().__init__()
        self.bins = bins
        self.fc = nn.ModuleList(nn.Conv2d(c, c, 1) for _ in range(3))
        self.cls, self.reg = (nn.ModuleList(nn.Conv2d(c, n, 3, padding=1) for _ in range(3)) for n in (classes, 4 * bins))
        self.project = torch.arange(bins).float().view(1, bins, 1, 1)

    def forward(self, maps):
        points, scale = centres(maps)
        scores, dist = [], []
        for f, c, r, m in zip(self.fc, self.cls, self.reg, maps):
            g = torch.sigmoid(f(F.adaptive_avg_pool2d(m, (1, 1))))
            b, _, h, w = m.shape
            scores.append(c(m * g + m).sigmoid().reshape(b, -1, h * w))
            d = r(m * g).reshape(b, 4, self.bins, h * w).permute(0, 2, 3, 1)
            dist.append(F.conv2d(F.softmax(d, 1), self.project).squeeze(1))
        lt, rb = torch.cat(dist, 1).split(2, -1)
        p = points.t()
        return torch.cat([p - lt, p + rb], -1) * scale.t(), torch.cat(scores, -1)


class YoloNas(Ppyoloe):
    def forward(self, maps):
        boxes, scores = super().forward(maps)
        return boxes, scores.permute(0, 2, 1)


class Ssd(nn.Module):
    """MobileNet-like maps, prior boxes as constants, softmax with background; corners as fractions."""

    def __init__(self, c, classes):
        super().__init__()
        self.cls, self.reg = (nn.ModuleList(nn.Conv2d(c, 3 * n, 3, padding=1) for _ in range(3)) for n in (classes + 1, 4))
        self.classes = classes

    def forward(self, maps):
        scores, reg, priors = [], [], []
        for i, m in enumerate(maps):
            b, _, h, w = m.shape
            scores.append(self.cls[i](m).permute(0, 2, 3, 1).reshape(b, -1, self.classes + 1))
            reg.append(self.reg[i](m).permute(0, 2, 3, 1).reshape(b, -1, 4))
            y, x = torch.meshgrid((torch.arange(h) + 0.5) / h, (torch.arange(w) + 0.5) / w)
            for_each = [torch.stack([x, y, torch.full_like(x, (i + 1) * 0.2 * a), torch.full_like(x, (i + 1) * 0.2 / a)], -1)
                        for a in (1.0, math.sqrt(2), math.sqrt(0.5))]
            priors.append(torch.stack(for_each, 2).view(-1, 4))
        p, r = torch.cat(priors), torch.cat(reg, 1)
        xy, wh = p[:, :2] + r[..., :2] * 0.1 * p[:, 2:], p[:, 2:] * torch.exp(r[..., 2:] * 0.2)
        return torch.cat([xy - wh / 2, xy + wh / 2], -1), F.softmax(torch.cat(scores, 1), -1)


class RetinaFace(nn.Module):
    def __init__(self, c):
        super().__init__()
        self.heads = nn.ModuleList(nn.ModuleList(nn.Conv2d(c, 2 * n, 1) for _ in range(3)) for n in (4, 2, 10))

    def forward(self, maps):
        def rows(convs, n):
            return torch.cat([h(m).permute(0, 2, 3, 1).contiguous().view(m.shape[0], -1, n) for h, m in zip(convs, maps)], 1)
        return rows(self.heads[0], 4), F.softmax(rows(self.heads[1], 2), -1), rows(self.heads[2], 10)


class Scrfd(nn.Module):
    """Score, distances, key points of two boxes a cell, group norm and a learnt scale."""

    def __init__(self, c):
        super().__init__()
        self.body = nn.ModuleList(nn.Sequential(nn.Conv2d(c, c, 3, padding=1), nn.GroupNorm(4, c), nn.ReLU()) for _ in range(3))
        self.heads = nn.ModuleList(nn.ModuleList(nn.Conv2d(c, 2 * n, 3, padding=1) for _ in range(3)) for n in (1, 4, 10))
        self.scale = nn.ParameterList(nn.Parameter(torch.tensor(1.0 + 0.1 * i)) for i in range(3))

    def forward(self, maps):
        body = [b(m) for b, m in zip(self.body, maps)]
        flat = (lambda t, n: t.permute(0, 2, 3, 1).reshape(-1, n))
        return (*[flat(h(b), 1).sigmoid() for h, b in zip(self.heads[0], body)],
                *[flat(h(b) * s, 4) for h, b, s in zip(self.heads[1], body, self.scale)],
                *[flat(h(b), 10) for h, b in zip(self.heads[2], body)])


class Detr(nn.Module):
    """An encoder and a decoder of queries over one map; logits with "no object" or sigmoids."""

    def __init__(self, c, classes, sigmoid=False, n=30):
        super().__init__()
        self.encoder = nn.TransformerEncoderLayer(c, 2, 2 * c, 0.0, batch_first=True)
        self.decoder = nn.TransformerDecoderLayer(c, 2, 2 * c, 0.0, batch_first=True, activation="gelu" if sigmoid else "relu")
        self.query, self.classes = nn.Parameter(torch.randn(1, n, c)), classes + (not sigmoid)
        self.cls, self.box = nn.Linear(c, self.classes), nn.Sequential(nn.Linear(c, c), nn.ReLU(), nn.Linear(c, 4))

    def forward(self, maps):
        x = self.encoder(maps[-1].flatten(2).transpose(1, 2))
        y = self.decoder(self.query.expand(x.shape[0], -1, -1), x)
        return self.cls(y), self.box(y).sigmoid()


class Deformable(nn.Module):
    """RT-DETR's: queries picked by TopK from the encoder, deformable cross attention by GridSample."""

    def __init__(self, c, classes, finished=False, n=300, heads=2, points=4):
        super().__init__()
        self.n, self.heads, self.points, self.finished = n, heads, points, finished
        self.score, self.coarse = nn.Linear(c, classes), nn.Sequential(nn.Linear(c, c), nn.ReLU(), nn.Linear(c, 4))
        self.norm, self.value, self.out = nn.LayerNorm(c), nn.Linear(c, c), nn.Linear(c, c)
        self.offset, self.weight = nn.Linear(c, heads * 3 * points * 2), nn.Linear(c, heads * 3 * points)
        self.attention = nn.MultiheadAttention(c, heads, batch_first=True)
        self.cls, self.box = nn.Linear(c, classes), nn.Linear(c, 4)

    def sample(self, query, reference, value, shapes):
        b, n, c = query.shape
        offset = self.offset(query).view(b, n, self.heads, 3, self.points, 2)
        weight = self.weight(query).view(b, n, self.heads, 3 * self.points).softmax(-1)
        places = reference[:, :, None, None, None, :2] + offset / self.points * reference[:, :, None, None, None, 2:] * 0.5
        parts = []
        for level, (v, (h, w)) in enumerate(zip(value.split([h * w for h, w in shapes], 1), shapes)):
            v = v.view(b, h * w, self.heads, -1).permute(0, 2, 3, 1).reshape(b * self.heads, -1, h, w)
            grid = (2 * places[:, :, :, level] - 1).permute(0, 2, 1, 3, 4).flatten(0, 1)
            parts.append(F.grid_sample(v, grid, mode="bilinear", padding_mode="zeros", align_corners=False))
        weight = weight.permute(0, 2, 1, 3).reshape(b * self.heads, 1, n, 3 * self.points)
        y = (torch.stack(parts, -2).flatten(-2) * weight).sum(-1)
        return self.out(y.view(b, c, n).transpose(1, 2))

    def forward(self, maps):
        shapes = [tuple(m.shape[-2:]) for m in maps]
        memory = self.norm(torch.cat([m.flatten(2).permute(0, 2, 1) for m in maps], 1))
        score = self.score(memory)
        _, top = torch.topk(score.max(-1).values, self.n, 1)
        pick = (lambda t: t.gather(1, top.unsqueeze(-1).repeat(1, 1, t.shape[-1])))
        query, reference = pick(memory), torch.sigmoid(pick(self.coarse(memory)))
        query = self.norm(query + self.attention(query, query, query)[0])
        query = self.norm(query + self.sample(query, reference, self.value(memory), shapes))
        clipped = reference.clamp(1e-5, 1 - 1e-5)
        boxes = torch.sigmoid(self.box(query) + torch.log(clipped / (1 - clipped)))
        logits = self.cls(query)
        return torch.cat([boxes, logits.sigmoid()], -1) if self.finished else (logits, boxes)


class Fastest2(nn.Module):
    """Yolo-FastestV2: boxes, objectness and shared classes at strides 16 and 32, softmax over classes, NHWC."""

    def __init__(self, c, classes):
        super().__init__()
        self.reg, self.obj, self.cls = (nn.Conv2d(c, n, 1) for n in (12, 3, classes))

    def forward(self, maps):
        return tuple(torch.cat([self.reg(m).sigmoid(), self.obj(m).sigmoid(), F.softmax(self.cls(m), 1)], 1).permute(0, 2, 3, 1)
                     for m in maps[1:])


class Select(torch.autograd.Function):
    """NonMaxSuppression as its node; here it only has to have the shape."""

    @staticmethod
    def forward(ctx, boxes, scores, most, iou, least):
        n = min(int(most), boxes.shape[1])
        return torch.stack([torch.zeros(n, dtype=torch.long), torch.zeros(n, dtype=torch.long), torch.arange(n)], 1)

    @staticmethod
    def symbolic(g, boxes, scores, most, iou, least):
        return g.op("NonMaxSuppression", boxes, scores, most, iou, least)


def select(boxes, scores, most=100, iou=0.45, least=0.0):
    return Select.apply(boxes, scores, torch.tensor([most]), torch.tensor([iou]), torch.tensor([least]))


class Keep(torch.autograd.Function):
    """torchvision's nms: numbers of boxes, as many as are left."""

    @staticmethod
    def forward(ctx, boxes, scores, iou):
        return torch.arange(min(20, boxes.shape[0]))

    @staticmethod
    def symbolic(g, boxes, scores, iou):
        const = (lambda v: g.op("Constant", value_t=torch.tensor(v)))
        picked = g.op("NonMaxSuppression", g.op("Unsqueeze", boxes, const([0])), g.op("Unsqueeze", scores, const([0, 1])),
                      const([sys.maxsize]), const([float(iou)]))
        return g.op("Squeeze", g.op("Slice", picked, const([2]), const([3]), const([1])), const([1]))


class Suppressed(Dfl):
    """Ultralytics' nms=True: cells over a score, moved apart by class, suppressed, 300 rows with zeros behind."""

    most, least, iou = 300, 0.7, 0.3

    def forward(self, maps):
        boxes, scores = (t.transpose(1, 2) for t in self.boxes(maps, corners=True))
        scores, kinds = scores.max(-1)
        out = torch.zeros(boxes.shape[0], self.most, 6)
        for i in range(boxes.shape[0]):
            mask = scores[i] > self.least
            box, score, kind = boxes[i][mask], scores[i][mask], kinds[i][mask]
            apart = (box / 320 / self.classes + kind.view(-1, 1).expand(kind.shape[0], 4) / self.classes).float()
            keep = Keep.apply(apart, score, self.iou)[:self.most]
            rows = torch.cat([box[keep], score[keep].view(-1, 1), kind[keep].view(-1, 1).to(out.dtype)], -1)
            out[i] = F.pad(rows, (0, 0, 0, self.most - rows.shape[0]))
        return out


class EndToEndRows(nn.Module):
    """YOLOv7's --end2end: one suppression for all classes, moved apart by class."""

    def __init__(self, c, classes):
        super().__init__()
        self.inner, self.far = Anchors(c, classes), 640.0

    def forward(self, maps):
        x = self.inner(maps)
        cx, cy, w, h = x[:, :, :4].split(1, -1)
        boxes = torch.cat([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], -1)
        best, kind = (x[:, :, 5:] * x[:, :, 4:5]).max(2, keepdim=True)
        picked = select(boxes + kind.float() * self.far, best.transpose(1, 2).contiguous())
        b, i = picked[:, 0], picked[:, 2]
        return torch.cat([b.unsqueeze(1).float(), boxes[b, i, :], kind[b, i, :].float(), best[b, i, :]], 1)


class PaddleRows(nn.Module):
    """PP-YOLOE with multiclass_nms3 and the size of the photo in units of the network's."""

    def __init__(self, c, classes):
        super().__init__()
        self.inner, self.classes = Ppyoloe(c, classes), classes

    def forward(self, maps, scale_factor):
        boxes, scores = self.inner(maps)
        boxes = (boxes / scale_factor[:, [1, 0, 1, 0]].unsqueeze(1)).float()
        picked = select(boxes, scores.float())
        kind, i = picked[:, 1], picked[:, 2]
        score = scores[0].t().reshape(-1)[i * self.classes + kind]
        score, order = score.topk(100)
        rows = torch.cat([kind[order].float().unsqueeze(1), score.unsqueeze(1), boxes[0][i[order]]], 1)
        return rows, torch.tensor([100], dtype=torch.int32) + 0 * order[:1].int()


class Lists(nn.Module):
    """TensorFlow's object detection: suppression by class, the best 100 as boxes, classes, scores and their number."""

    most = 100

    def __init__(self, c, classes):
        super().__init__()
        self.inner, self.classes = Ssd(c, classes), classes

    def forward(self, maps):
        boxes, scores = self.inner(maps)
        boxes, scores = boxes[..., [1, 0, 3, 2]].float(), scores[..., 1:].float()
        picked = select(boxes, scores.transpose(1, 2), self.most, 0.6, 0.2)
        kind, i = picked[:, 1], picked[:, 2]
        score, order = scores[0][i, kind].topk(self.most)
        return (boxes[0][i[order]].unsqueeze(0), (kind[order].float() + 1).unsqueeze(0), score.unsqueeze(0),
                (score > 0.2).float().sum().view(1))


class Segments(Dfl):
    def __init__(self, c, classes, masks=32):
        super().__init__(c, classes)
        self.mask = nn.ModuleList(nn.Conv2d(c, masks, 1) for _ in range(3))
        self.proto = nn.Sequential(nn.ConvTranspose2d(c, c, 2, 2), nn.Conv2d(c, masks, 1))

    def forward(self, maps):
        rest = torch.cat([m(x).flatten(2) for m, x in zip(self.mask, maps)], 2)
        return torch.cat([super().forward(maps), rest], 1), self.proto(maps[0])


class Extra(Dfl):
    """What stands behind the scores: key points of a pose, the angle of a turned box."""

    def __init__(self, c, classes, extra):
        super().__init__(c, classes)
        self.extra = nn.ModuleList(nn.Conv2d(c, extra, 1) for _ in range(3))

    def forward(self, maps):
        return torch.cat([super().forward(maps), torch.cat([e(x).flatten(2) for e, x in zip(self.extra, maps)], 2)], 1)


class Tails(Dfl):
    """NPU exports: the maps of distances and logits as they are."""

    def forward(self, maps):
        return tuple(t for b, c, m in zip(self.box, self.cls, maps) for t in (b(m), c(m)))


class YoloxDecoded(Yolox):
    def forward(self, maps):
        x = super().forward(maps)
        points, scale = (t.t() for t in centres(maps))
        return torch.cat([(x[..., :2] + points - 0.5) * scale, x[..., 2:4].exp() * scale, x[..., 4:]], -1)


class Two(nn.Module):
    """Two maps of anchors, as the tiny darknets have."""

    def __init__(self, c, classes):
        super().__init__()
        self.m = nn.ModuleList(nn.Conv2d(c, 3 * (classes + 5), 1) for _ in range(2))

    def forward(self, maps):
        return self.m[0](maps[2]), self.m[1](maps[1])


class Nanodet(nn.Module):
    def __init__(self, c, classes, bins=8):
        super().__init__()
        self.m, self.split = nn.ModuleList(nn.Conv2d(c, classes + 4 * bins, 1) for _ in range(3)), [classes, 4 * bins]

    def forward(self, maps):
        parts = [m(x).split(self.split, 1) for m, x in zip(self.m, maps)]
        flat = (lambda t: t.flatten(2).permute(0, 2, 1))
        return (*[flat(c.sigmoid()) for c, _ in parts], *[flat(r) for _, r in parts])


class Fastest(nn.Module):
    """FastestDet's: one map, channels shuffled in groups before it."""

    def __init__(self, c, classes):
        super().__init__()
        self.reg, self.obj, self.cls = (nn.Conv2d(2 * c, n, 1) for n in (4, 1, classes))

    def forward(self, maps):
        x = torch.cat([maps[1], F.interpolate(maps[2], scale_factor=2)], 1)
        b, c, h, w = x.shape
        x = x.view(b, 2, c // 2, h, w).transpose(1, 2).reshape(b, c, h, w)
        return torch.cat([self.obj(x).sigmoid(), self.reg(x), F.softmax(self.cls(x), 1)], 1)


class Finished(nn.Module):
    """RT-DETR's and D-FINE's deploy form: the best queries, scaled to the photo's size."""

    def __init__(self, c, classes, most=50):
        super().__init__()
        self.inner, self.classes, self.most = Deformable(c, classes), classes, most

    def forward(self, maps, size):
        logits, boxes = self.inner(maps)
        cx, cy, w, h = boxes.split(1, -1)
        boxes = torch.cat([cx - w / 2, cy - h / 2, cx + w / 2, cy + h / 2], -1) * size.repeat(1, 2).unsqueeze(1)
        scores, index = logits.sigmoid().flatten(1).topk(self.most, -1)
        rows = (index // self.classes).unsqueeze(-1).repeat(1, 1, 4)
        return index - index // self.classes * self.classes, boxes.gather(1, rows), scores


class Bytes(nn.Module):
    """TensorFlow's habit: bytes with the channels last, normalised inside."""

    def __init__(self, inner):
        super().__init__()
        self.inner = inner

    def forward(self, x):
        return self.inner((x.float() * (2 / 255) - 1).permute(0, 3, 1, 2))


class Whole(nn.Module):
    def __init__(self, body, head):
        super().__init__()
        self.body, self.head = body, head

    def forward(self, x, *side):
        return self.head(self.body(x), *side)


C, N = 16, 7  # width, classes


class C3(nn.Module):
    def __init__(self, cin, cout, n=1):
        super().__init__()
        self.a, self.b, self.join = conv(cin, cout // 2), conv(cin, cout // 2), conv(cout, cout)
        self.m = nn.Sequential(*(Bottleneck(cout // 2) for _ in range(n)))

    def forward(self, x):
        return self.join(torch.cat([self.m(self.a(x)), self.b(x)], 1))


class Rep(nn.Module):
    """A plain stack of 3x3 with ReLU (RepVGG after its branches were merged)."""

    def __init__(self, cin, cout):
        super().__init__()
        self.m = nn.Sequential(nn.Conv2d(cin, cout, 3, padding=1), nn.ReLU(), nn.Conv2d(cout, cout, 3, padding=1), nn.ReLU())

    def forward(self, x):
        return self.m(x)


class Depthwise(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        self.m = nn.Sequential(conv(cin, cin, 5, g=cin, act=nn.Hardswish), conv(cin, cout, act=nn.Hardswish))

    def forward(self, x):
        return self.m(x)


class Elan(nn.Module):
    def __init__(self, cin, cout):
        super().__init__()
        h = cout // 2
        self.a, self.b = conv(cin, h), conv(cin, h)
        self.c, self.d, self.join = conv(h, h, 3), conv(h, h, 3), conv(4 * h, cout)

    def forward(self, x):
        a, b = self.a(x), self.b(x)
        c = self.c(b)
        return self.join(torch.cat([self.d(c), c, b, a], 1))


class Mish(nn.Module):
    def forward(self, x):
        return x * torch.tanh(F.softplus(x))


def darknet(cin, cout):
    return nn.Sequential(conv(cin, cout, act=Mish), Bottleneck(cout, act=Mish))


def c3k2(cin, cout):
    return C2f(cin, cout, 1, lambda c: C3(c, c, 2))


OPEN = {0: "batch", 2: "height", 3: "width"}


# name, family that must be recognised, opset, maker, then what differs: names of input and outputs as the projects'
# own exporters give them (the last name is repeated), open dimensions
def rows():
    def v(head, **body):
        return lambda: Whole(Pyramid(C, **body), head())

    relu, leaky = nn.ReLU, lambda: nn.LeakyReLU(0.1)
    faces = [k % i for k in ("score_%d", "bbox_%d", "kps_%d") for i in (8, 16, 32)]
    return [
        ("yolov3", "yolov3", 11, v(lambda: Anchors(C, N, permute=False), block=darknet, top=None), {}),
        ("yolov5", "yolov5", 12, v(lambda: Anchors(C, N), block=C3), {}),
        ("yolov5-open", "yolov5", 12, v(lambda: Anchors(C, N), block=C3), {"open": OPEN}),
        ("yolov5-raw", "yolov5-raw", 12, v(lambda: Anchors(C, N, raw=True), block=C3), {}),
        ("yolov6", "yolov6", 13, v(lambda: Yolov6(C, N), block=Rep, up="transpose", act=relu), {"out": ["outputs"]}),
        ("yolov7", "yolov5", 12, v(lambda: Anchors(C, N, implicit=True), block=Elan), {}),
        ("yolov8", "yolov8", 17, v(lambda: Dfl(C, N)), {"out": ["output0"]}),
        ("yolov8-open", "yolov8", 17, v(lambda: Dfl(C, N)), {"out": ["output0"], "open": OPEN}),
        ("yolov9", "yolov8", 13, v(lambda: Dfl(C, N), block=Elan), {"out": ["output0"]}),
        ("yolov10", "yolov10", 13, v(lambda: EndToEnd(C, N, True), top=PositionAttention), {"out": ["output0"]}),
        ("yolo11", "yolov8", 17, v(lambda: Dfl(C, N, True), block=c3k2, top=PositionAttention), {"out": ["output0"]}),
        ("yolov12", "yolov8", 17, v(lambda: Dfl(C, N, True), top=AreaAttention), {"out": ["output0"]}),
        ("yolo26", "yolov10", 17, v(lambda: EndToEnd(C, N, True, 1), block=c3k2, top=PositionAttention), {"out": ["output0"]}),
        ("yolox", "yolox", 11, v(lambda: Yolox(C, N), block=C3), {"out": ["output"]}),
        ("yolo-nas", "yolo-nas", 14, v(lambda: YoloNas(C, N), block=Rep, act=relu), {"in": "input"}),
        ("ppyoloe", "ppyoloe", 11, v(lambda: Ppyoloe(C, N), block=Rep), {"in": "image"}),
        ("picodet", "picodet", 11, v(lambda: Picodet(C, N), block=Depthwise, act=nn.Hardswish), {"in": "image"}),
        ("nanodet-plus", "nanodet-plus", 11, v(lambda: NanodetPlus(C, 80), block=Depthwise, act=leaky, up="bilinear"),
         {"in": "data", "out": ["output"]}),
        ("yolo-fastestv2", "yolo-fastestv2", 11, v(lambda: Fastest2(C, 80), block=Depthwise, act=relu), {"in": "input.1"}),
        ("ssd", "ssd", 11, v(lambda: Ssd(C, N), block=Depthwise, act=nn.ReLU6), {"in": "input", "out": ["boxes", "scores"]}),
        ("retinaface", "retinaface", 11, v(lambda: RetinaFace(C), block=Depthwise, act=leaky), {"in": "input0"}),
        ("scrfd", "scrfd", 11, v(lambda: Scrfd(C), block=Rep, act=relu), {"in": "input.1", "out": faces}),
        ("yolov3-tiny", "yolov3-tiny", 11, v(lambda: Two(C, N), block=darknet, top=None, act=leaky), {"card": "head: yolov3-tiny"}),
        ("yolov4", "yolov4", 11, v(lambda: Anchors(C, N, permute=False), block=darknet, act=Mish),
         {"card": "{head: yolov4, input: {fit: stretch}}"}),
        ("yolov7-end2end", "end-to-end", 12, v(lambda: EndToEndRows(C, N), block=Elan), {"out": ["output"]}),
        ("yolov8-nms", "yolov10", 17, v(lambda: Suppressed(C, N)), {"out": ["output0"], "names": N}),
        ("ssd-lists", "lists", 13, lambda: Bytes(v(lambda: Lists(C, N), block=Depthwise, act=nn.ReLU6)()),
         {"in": "input_tensor", "bytes": True,
          "out": ["detection_boxes", "detection_classes", "detection_scores", "num_detections"]}),
        ("yolov8-seg", "yolov8", 17, v(lambda: Segments(C, N)), {"out": ["output0", "output1"]}),
        ("yolov8-pose", "yolov8", 17, v(lambda: Extra(C, 1, 51)), {"out": ["output0"], "names": 1}),
        ("yolov8-obb", "yolov8", 17, v(lambda: Extra(C, N, 1)), {"out": ["output0"], "names": N}),
        ("yolov8-npu", "yolov8-raw", 12, v(lambda: Tails(C, N)), {}),
        ("yolox-decoded", "yolox-decoded", 11, v(lambda: YoloxDecoded(C, N), block=C3), {"card": "head: yolox-decoded"}),
        ("ppyoloe-nms", "paddle-rows", 12, v(lambda: PaddleRows(C, N), block=Rep),
         {"in": "image", "side": ("scale_factor", torch.ones(1, 2)), "out": ["multiclass_nms3_0.tmp_0", "multiclass_nms3_0.tmp_2"]}),
        ("nanodet", "nanodet", 11, v(lambda: Nanodet(C, 80), block=Depthwise, act=leaky, up="bilinear"), {"in": "input.1"}),
        ("fastestdet", "fastestdet", 11, v(lambda: Fastest(C, N), block=Depthwise, act=relu), {"in": "input.1"}),
        ("yolo5face", "yolo5face", 12, v(lambda: Anchors(C, 11), block=C3), {"in": "input"}),
        ("dfine", "corner-lists", 16, v(lambda: Finished(C, N), block=Rep, act=relu),
         {"side": ("orig_target_sizes", torch.tensor([[320, 320]])), "out": ["labels", "boxes", "scores"]}),
        ("ssd-bytes", "ssd", 11, lambda: Bytes(v(lambda: Ssd(C, N), block=Depthwise, act=nn.ReLU6)()),
         {"in": "image_tensor", "out": ["boxes", "scores"], "bytes": True}),
        ("detr", "detr", 16, v(lambda: Detr(C, N), act=relu), {"in": "pixel_values", "out": ["logits", "pred_boxes"]}),
        ("detr-sigmoid", "detr-sigmoid", 16, v(lambda: Detr(C, N, True), act=relu), {"in": "input", "out": ["labels", "dets"]}),
        ("rtdetr-raw", "detr-sigmoid", 16, v(lambda: Deformable(C, N), block=Rep, act=relu),
         {"in": "pixel_values", "out": ["logits", "pred_boxes"]}),
        ("rtdetr", "rtdetr", 16, v(lambda: Deformable(C, N, True), block=Rep, act=relu), {"out": ["output0"]}),
    ]


def name_classes(path, n):
    """The metadata that Ultralytics' exporter writes."""
    model = onnx.load(path)
    model.metadata_props.add(key="names", value=str({i: "class %d" % i for i in range(n)}))
    onnx.save(model, path)


def settle(net, x, *side):
    """Weights of a size that keeps signals alive, statistics as after training."""
    for m in net.modules():
        if isinstance(m, nn.Conv2d) and m.weight.requires_grad:
            nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
        if isinstance(m, nn.BatchNorm2d):
            m.momentum = None
    net.train()
    with torch.no_grad():
        for _ in range(3):
            net(x if side or x.dtype == torch.uint8 else torch.rand_like(x.expand(4, -1, -1, -1)), *side)
    net.eval()


def main():
    out, wanted = sys.argv[1], sys.argv[2:]
    os.makedirs(out, exist_ok=True)
    with open(os.path.join(out, "families.txt"), "w") as table:
        for name, family, opset, make, words in rows():
            if wanted and name not in wanted:
                continue
            torch.manual_seed(6)
            net, tensor = make(), words.get("in", "images")
            x = torch.rand(1, 3, 320, 320)
            if words.get("bytes"):
                x = (x * 255).byte().permute(0, 2, 3, 1).contiguous()
            side = words.get("side")
            settle(net, x, *(side[1:] if side else ()))
            path = os.path.join(out, name + ".onnx")
            torch.onnx.export(net, (x, side[1]) if side else x, path, opset_version=opset,
                              input_names=[tensor, *(side[:1] if side else ())], output_names=words.get("out"),
                              dynamic_axes={tensor: words["open"]} if "open" in words else None)
            if "card" in words:
                with open(os.path.join(out, name + ".yaml"), "w") as card:
                    card.write(words["card"] + "\n")
            if "names" in words:
                name_classes(path, words["names"])
            table.write("%s %s\n" % (name, family))
            print(name, flush=True)


if __name__ == "__main__":
    main()
