"""Losses: task-aligned assignment of labels, soft labels and feature hints of a teacher."""
import torch
from torch import nn
from torch.nn import functional as F

STRIDES = (8, 16, 32)


def anchors(shapes, device):
    """Cell centres in pixels [A, 2] and strides [A, 1], levels behind one another, row-major."""
    points, strides = [], []
    for (h, w), s in zip(shapes, STRIDES):
        y, x = torch.meshgrid(torch.arange(h, device=device), torch.arange(w, device=device),
                              indexing="ij")
        points.append((torch.stack([x, y], -1).reshape(-1, 2) + 0.5) * s)
        strides.append(torch.full((h * w, 1), float(s), device=device))
    return torch.cat(points), torch.cat(strides)


def flatten(maps):
    return torch.cat([m.float().flatten(2).transpose(1, 2) for m in maps], 1)


def decode(outputs):
    """Maps -> boxes [B, A, 4] in pixels, class logits [B, A, C], centres, strides."""
    points, strides = anchors([o.shape[2:] for o in outputs], outputs[0].device)
    flat = flatten(outputs)
    d = F.softplus(flat[..., :4]) * strides
    return torch.cat([points - d[..., :2], points + d[..., 2:]], -1), flat[..., 4:], points, strides


def decode_teacher(maps):
    """YOLOX maps (x, y, w, h, objectness, classes) -> boxes [B, A, 4], scores [B, A, C]."""
    points, strides = anchors([o.shape[2:] for o in maps], maps[0].device)
    flat = flatten(maps)
    centre = points - 0.5 * strides + flat[..., :2] * strides
    half = flat[..., 2:4].clamp(max=6).exp() * strides / 2
    return torch.cat([centre - half, centre + half], -1), flat[..., 4:5] * flat[..., 5:]


def iou_terms(a, b):
    lt, rb = torch.maximum(a[..., :2], b[..., :2]), torch.minimum(a[..., 2:], b[..., 2:])
    inter = (rb - lt).clamp(min=0).prod(-1)
    sizes = (a[..., 2:] - a[..., :2]).clamp(min=0).prod(-1) + \
        (b[..., 2:] - b[..., :2]).clamp(min=0).prod(-1)
    union = sizes - inter + 1e-6
    return inter / union, union


def giou(a, b):
    iou, union = iou_terms(a, b)
    hull = (torch.maximum(a[..., 2:], b[..., 2:]) - torch.minimum(a[..., :2], b[..., :2])).prod(-1)
    return iou - (hull - union) / (hull + 1e-6)


@torch.no_grad()
def assign(boxes, logits, points, strides, truth, topk=10, alpha=1.0, beta=5.0):
    """Task-aligned assignment (TOOD, arXiv 2108.07755).

    truth [B, M, 5] = class x0 y0 x1 y1, class -1 = no box. Returns the index of the truth each cell
    answers for [B, A] (-1: none) and its quality [B, A].
    """
    cls, gt = truth[..., 0].long(), truth[..., 1:]
    valid = cls >= 0
    score = logits.sigmoid().transpose(1, 2)
    score = score.gather(1, cls.clamp(min=0)[..., None].expand(-1, -1, score.shape[2]))
    iou, _ = iou_terms(gt[:, :, None], boxes[:, None])
    # A cell is a candidate where its centre lies in the box, or within 3/4 cell of a small box.
    centre, half = (gt[..., :2] + gt[..., 2:]) / 2, (gt[..., 2:] - gt[..., :2]) / 2
    reach = torch.maximum(half[:, :, None], 0.75 * strides[None, None].expand(1, 1, -1, 2))
    inside = ((points[None, None] - centre[:, :, None]).abs() < reach).all(-1)
    # Coarse cells have no say about boxes far smaller than themselves.
    size = (2 * half).prod(-1).clamp(min=1).sqrt()[..., None]
    inside &= (size > 0.6 * strides[:, 0]) | (strides[:, 0] == STRIDES[0])
    inside &= valid[..., None]
    metric = score.clamp(min=1e-4) ** alpha * (iou + 1e-4) ** beta * inside
    k = min(topk, metric.shape[-1])
    best = metric.topk(k, -1)
    chosen = torch.zeros_like(metric).scatter_(-1, best.indices, (best.values > 0).float()) * metric
    value, index = chosen.max(1)
    index = torch.where(value > 0, index, torch.full_like(index, -1))
    top_metric = chosen.amax(-1, keepdim=True)
    top_iou = (iou * (chosen > 0)).amax(-1, keepdim=True)
    quality = (chosen / (top_metric + 1e-12) * top_iou).gather(1, index.clamp(min=0)[:, None])[:, 0]
    return index, quality * (index >= 0)


def label_loss(decoded, truth, known):
    """Class and box loss against the labels; known [B, A, C]: background loss applies."""
    boxes, logits, points, strides = decoded
    index, quality = assign(boxes, logits, points, strides, truth)
    positive = index >= 0
    mine = truth.gather(1, index.clamp(min=0)[..., None].expand(-1, -1, 5))
    target = torch.zeros_like(logits)
    target.scatter_(-1, mine[..., :1].long().clamp(min=0), quality[..., None])
    answers = torch.zeros_like(logits).scatter_(
        -1, mine[..., :1].long().clamp(min=0), positive.float()[..., None])
    # Varifocal weights (arXiv 2008.13367): background counts by how wrong it is.
    weight = torch.where(answers > 0, torch.ones_like(target),
                         0.75 * logits.detach().sigmoid() ** 1.5) * torch.maximum(known, answers)
    bce = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    total = target.sum().clamp(min=4.0)
    cls = (bce * weight).sum() / total
    q = quality[positive]
    box = ((1 - giou(boxes[positive], mine[positive][:, 1:])) * q).sum() / total
    return cls, box


def teacher_loss(decoded, maps, known, blend):
    """Soft labels: class scores everywhere, boxes where the teacher is sure.

    Where the labels are complete they know better: there the teacher counts `blend` only.
    """
    boxes, logits = decoded[:2]
    want, score = decode_teacher(maps)
    gap = (logits.detach().sigmoid() - score).abs()
    weight = gap ** 1.5 * (known * blend + (1 - known))
    total = score.sum().clamp(min=4.0)
    cls = (F.binary_cross_entropy_with_logits(logits, score, reduction="none") * weight).sum()
    top = score.amax(-1)
    sure = top > 0.25
    box = ((1 - giou(boxes[sure], want[sure])) * top[sure]).sum()
    return cls / total, blend * box / total


class Hints(nn.Module):
    """Adapters from the student's maps to the teacher's (training only)."""

    def __init__(self, student, teacher):
        super().__init__()
        self.adapt = nn.ModuleList(nn.Conv2d(a, b, 1) for a, b in zip(student, teacher))
        self.norm = nn.ModuleList(nn.BatchNorm2d(b, affine=False, momentum=0.02) for b in teacher)

    def forward(self, student, teacher):
        total = 0.0
        for adapt, norm, s, t in zip(self.adapt, self.norm, student, teacher):
            with torch.no_grad():
                want = norm(t.float()).clamp(-6, 6)
            total = total + F.mse_loss(adapt(s).float(), want)
        return total
