"""Reads a file of another format back and compares it with our records of the same frames.

formats.py FORMAT RECORDS FILE: RECORDS is format=fovea. First FILE is held to its schema in
config/schema, then every object and event of it to the records, both ways. Exit 1 names offences.
"""
import calendar
import json
import pathlib
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree

import jsonschema

SCHEMAS = pathlib.Path(__file__).resolve().parent.parent / "config" / "schema"
TT = "{http://www.onvif.org/ver10/schema}"
WSNT = "{http://docs.oasis-open.org/wsn/b-2}"
faults = []


def check(what, found, expected, tolerance=None):
    same = found == expected
    if tolerance is not None and found is not None and expected is not None:
        same = abs(found - expected) <= tolerance
    if not same:
        faults.append(f"{what} is {found!r}, expected {expected!r}")


def validator_of(name):
    path = SCHEMAS / f"{name}.schema.json"
    schema = json.load(open(path))
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema, resolver=jsonschema.RefResolver(path.as_uri(), schema))


def hold_to_schema(name, documents):
    validator = validator_of(name)
    for d in documents:
        for e in validator.iter_errors(d):
            faults.append(f"{name}: {'/'.join(map(str, e.absolute_path))}: {e.message}"[:400])


def lines_of(name, path):
    documents = [json.loads(line) for line in open(path, encoding="utf-8")]
    hold_to_schema(name, documents)
    return documents


class Records:
    """Frames in order, each with its events. `late`: those that a format says after the last frame."""

    def __init__(self, path):
        lines = [json.loads(line) for line in open(path, encoding="utf-8")]
        self.frames = [r for r in lines if r["type"] == "frame"]
        self.events = [r for r in lines if r["type"] == "event"]
        self.late = []
        self.labels = {o["label_id"]: o["label"] for f in self.frames for o in f["objects"]}

    def of_frame(self, frame):
        return [e for e in self.events if e["frame"] == frame["frame"] and e not in self.late]


def inside(frame, box):
    """left, top, right, bottom, cut at the picture's edges"""
    x, y, w, h = box
    cut = lambda v, most: min(max(v, 0), most)
    return [cut(x, frame["width"]), cut(y, frame["height"]), cut(x + w, frame["width"]), cut(y + h, frame["height"])]


def check_events(what, found, expected):
    check(f"{what}: events", found, expected)


def dlstreamer(records, path):
    documents = lines_of("dlstreamer", path)
    if documents and "objects" not in documents[-1]:
        records.late = documents.pop()["fovea_events"]
    wanted = [f for f in records.frames if f["objects"] or records.of_frame(f)]
    check("messages", len(documents), len(wanted))
    check_events("late", records.late, [e for e in records.events if e in records.late])
    for d, f in zip(documents, wanted):
        what = f"frame {f['frame']}"
        check(f"{what}: source", d["source"], f["stream"])
        check(f"{what}: timestamp", d.get("timestamp"), f["pts_ns"])
        check(f"{what}: system_timestamp", d.get("system_timestamp"), f["utc"])
        camera = d.get("rtp", {}).get("sender_ntp_unix_timestamp_ns")
        check(f"{what}: rtp", camera is not None, f["utc"] is not None and f["utc_source"] == "rtcp")
        if camera is not None:
            seconds, micros = f["utc"].rstrip("Z").split(".")
            check(f"{what}: the camera's clock", camera // 1000, calendar.timegm(time.strptime(seconds, "%Y-%m-%dT%H:%M:%S")) * 10**6 + int(micros))
        check(f"{what}: resolution", d["resolution"], {"width": f["width"], "height": f["height"]})
        check_events(what, d.get("fovea_events", []), records.of_frame(f))
        check(f"{what}: objects", len(d.get("objects", [])), len(f["objects"]))
        for o, t in zip(d.get("objects", []), f["objects"]):
            box, b = o["detection"]["bounding_box"], inside(f, t["box"])
            for key, v, size in zip(("x_min", "y_min", "x_max", "y_max"), b, 2 * (f["width"], f["height"])):
                check(f"{what}: {key}", box[key], v / size, 0.011 / size)
            for key, v in zip(("x", "y", "w", "h"), (b[0], b[1], b[2] - b[0], b[3] - b[1])):
                check(f"{what}: {key}", o[key], v, 1.02)
            check(f"{what}: label", o["detection"]["label"], t["label"])
            check(f"{what}: roi_type", o["roi_type"], t["label"])
            check(f"{what}: label_id", o["detection"]["label_id"], t["label_id"])
            check(f"{what}: confidence", o["detection"]["confidence"], t["score"])
            check(f"{what}: id", o.get("id"), t["id"])
            mine = [e for e in records.of_frame(f) if e["object"] and e["object"]["id"] == t["id"] is not None]
            crossed = [e["rule"] for e in mine if e["event"] == "cross"]
            check(f"{what}: tripwires", [c["tripwire_id"] for c in o.get("tripwire_crossings", [])], crossed)
            entered = [e["rule"] for e in mine if e["event"] in ("enter", "appear")
                       or e["event"] in ("stopped", "wrong-way", "speed") and e["phase"] == "start"]
            check(f"{what}: zones", o.get("zone_violations", []), entered)
            dwelt = [(e["rule"], e["value"]) for e in mine if e["event"] in ("dwell", "leave")]
            check(f"{what}: dwell", [(x["zone_id"], x["dwell_time_sec"]) for x in o.get("dwell_times", [])], dwelt)


def check_text_object(what, text, t):
    id_, left, top, right, bottom, label = text.split("|")
    x, y, w, h = t["box"]
    check(f"{what}: id", int(id_), t["id"] or -1)
    check(f"{what}: label", label, t["label"].replace("|", "_"))
    for name, v, e in zip(("left", "top", "right", "bottom"), (left, top, right, bottom), (x, y, x + w, y + h)):
        check(f"{what}: {name}", float(v), e, 0.0201)


def deepstream(records, path):
    documents = lines_of("deepstream-minimal", path)
    frames = [d for d in documents if "event" not in d]
    events = [d for d in documents if "event" in d]
    check("frames", [d["id"] for d in frames], [str(f["frame"]) for f in records.frames])
    for d, f in zip(frames, records.frames):
        check("sensorId", d["sensorId"], f["stream"])
        if f["utc"]:
            check("@timestamp", d["@timestamp"][:23], f["utc"][:23])
        check("objects", len(d["objects"]), len(f["objects"]))
        for text, t in zip(d["objects"], f["objects"]):
            check_text_object(f"frame {f['frame']}", text, t)
    check_events("all", [d["fovea_events"][0] for d in events], records.events)
    for d, e in zip(events, records.events):
        check("event id", d["event"]["id"], str(e["id"]))
        check("event type", d["event"]["type"], {"enter": "entry", "leave": "exit"}.get(e["event"], e["event"]))
        check("analyticsModule", d["analyticsModule"]["id"], e["rule"])
        check("event objects", len(d["objects"]), 1 if e["object"] else 0)
        if e["object"]:
            check_text_object(f"event {e['id']}", d["objects"][0], e["object"])


def savant(records, path):
    documents = lines_of("savant", path)
    check("last", documents.pop()["schema"], "EndOfStream")
    if len(documents) > len(records.frames):
        records.late = documents.pop()["tags"]["fovea_events"]
    check("frames", [d["frame_num"] for d in documents], [f["frame"] for f in records.frames])
    said = []
    for d, f in zip(documents, records.frames):
        what = f"frame {f['frame']}"
        check(f"{what}: source_id", d["source_id"], f["stream"])
        check(f"{what}: pts", d["pts"], f["pts_ns"])
        check(f"{what}: size", (d["width"], d["height"]), (f["width"], f["height"]))
        said += d["tags"].get("fovea_events", [])
        check(f"{what}: objects", len(d["metadata"]["objects"]), len(f["objects"]))
        for o, t in zip(d["metadata"]["objects"], f["objects"]):
            x, y, w, h = t["box"]
            b = o["bbox"]
            for key, v in (("xc", x + w / 2), ("yc", y + h / 2), ("width", w), ("height", h)):
                check(f"{what}: {key}", b[key], v, 0.0151)
            check(f"{what}: label", o["label"], t["label"])
            check(f"{what}: object_id", o["object_id"], t["id"])
            check(f"{what}: confidence", o["confidence"], t["score"])
            mine = [e for e in records.of_frame(f) if e["object"] and e["object"]["id"] == t["id"] is not None]
            check(f"{what}: attributes", [(a["element_name"], a["name"]) for a in o["attributes"]],
                  [(e["rule"], e["event"]) for e in mine])
    check_events("all", said + records.late, records.events)


def frigate(records, path):
    documents = lines_of("frigate", path)
    seen = {}  # track -> frames
    for f in records.frames:
        for o in f["objects"]:
            if o["id"]:
                seen.setdefault(o["id"], []).append((f, o))
    lives, counts, order = {}, {}, []
    for d in documents:
        topic, payload = d["topic"], d["payload"]
        if topic == "events":
            before, after = payload["before"], payload["after"]
            if payload["type"] == "new":
                check("new twice", after["id"] in lives, False)
                check("new: before", before["false_positive"], True)
                order.append(after["id"])
            else:
                check(f"{payload['type']}: before", before, lives.get(after["id"]))
            check(f"{payload['type']}: end_time", after["end_time"] is not None, payload["type"] == "end")
            lives[after["id"]] = after
        elif topic != "tracked_object_update":
            counts[topic] = payload
    check("all ended", [k for k, v in lives.items() if v["end_time"] is None], [])
    check("lives", len(lives), len(seen))
    for id_, (track, sights) in zip(order, seen.items()):
        life, digits = lives[id_], "0123456789abcdefghijklmnopqrstuvwxyz"
        number = 0
        for c in id_[-6:]:
            number = 36 * number + digits.index(c)
        detected = [(f, o) for f, o in sights if not o["predicted"]] or sights[:1]
        check(f"life {id_}: track", number, track)
        check(f"life {id_}: label", life["label"], sights[0][1]["label"])
        check(f"life {id_}: camera", life["camera"], sights[0][0]["stream"])
        check(f"life {id_}: top_score", life["top_score"], max(o["score"] for _, o in detected))
        check(f"life {id_}: score", life["score"], detected[-1][1]["score"])
        if sights[0][0]["utc"] is None:
            check(f"life {id_}: start", life["start_time"], sights[0][0]["pts_ns"] / 1e9, 2e-5)
            check(f"life {id_}: end", life["end_time"], sights[-1][0]["pts_ns"] / 1e9, 2e-5)
        for v, e in zip(life["box"], inside(detected[-1][0], detected[-1][1]["box"])):
            check(f"life {id_}: box", v, e, 0.52)
        zones = [e["rule"] for e in records.events if e["event"] in ("enter", "appear") and e["object"]
                 and e["object"]["id"] == track]
        check(f"life {id_}: entered", life["entered_zones"], list(dict.fromkeys(zones)))
    camera = records.frames[0]["stream"]
    check("cameras' labels counted", sorted(t for t in counts if t.startswith(camera + "/")),
          sorted(f"{camera}/{x}{e}" for x in {o[0][1]["label"] for o in seen.values()} | {"all"} for e in ("", "/active"))
          if seen else [])
    check("left at the end", [t for t, n in counts.items() if n], [])
    rules = [d["payload"]["fovea_events"][0] for d in documents if d["topic"] == "tracked_object_update"]
    check_events("rules", rules, [e for e in records.events
                                  if e["event"] not in ("enter", "leave", "appear", "disappear")])


def items(parent, name):
    return {i.get("Name"): i.get("Value") for i in parent.findall(f"{TT}{name}/{TT}SimpleItem")}


def onvif_schema(path):
    result = subprocess.run(["xmllint", "--noout", "--nonet", "--schema", str(SCHEMAS / "onvif.xsd"), path],
                            capture_output=True, text=True)
    if result.returncode:
        faults.append(result.stderr.strip()[:2000])


def onvif(records, path):
    onvif_schema(path)
    root = ElementTree.parse(path).getroot()
    frames = root.findall(f"{TT}VideoAnalytics/{TT}Frame")
    check("frames", len(frames), len(records.frames))
    types = {"person": "Human", "bicycle": "Bicycle", "car": "Vehicle", "truck": "Vehicle", "bus": "Vehicle",
             "motorcycle": "Vehicle"}
    for x, f in zip(frames, records.frames):
        what = f"frame {f['frame']}"
        check(f"{what}: Source", x.get("Source"), f["stream"])
        if f["utc"]:
            check(f"{what}: UtcTime", x.get("UtcTime"), f["utc"])
        objects = x.findall(f"{TT}Object")
        check(f"{what}: objects", len(objects), len(f["objects"]))
        for o, t in zip(objects, f["objects"]):
            check(f"{what}: ObjectId", o.get("ObjectId"), str(t["id"]) if t["id"] else None)
            box = o.find(f"{TT}Appearance/{TT}Shape/{TT}BoundingBox")
            left, top, right, bottom = (float(box.get(k)) for k in ("left", "top", "right", "bottom"))
            w, h = f["width"], f["height"]
            back = ((left + 1) / 2 * w, (1 - top) / 2 * h, (right - left) / 2 * w, (top - bottom) / 2 * h)
            for v, e in zip(back, t["box"]):
                check(f"{what}: box", v, e, 0.0151)
            kind = o.find(f"{TT}Appearance/{TT}Class/{TT}Type")
            check(f"{what}: Type", kind.text, types.get(t["label"], t["label"]))
            check(f"{what}: Likelihood", float(kind.get("Likelihood")), t["score"], 1e-9)
    last = {}  # track -> time of its last sight
    for x, f in zip(frames, records.frames):
        now = f["pts_ns"]
        last.update((str(o["id"]), now) for o in f["objects"] if o["id"])
        gone = sorted(i for i, t in last.items() if now - t >= 2e9)
        check(f"frame {f['frame']}: deleted", sorted(d.get("ObjectId") for d in x.findall(f"{TT}ObjectTree/{TT}Delete")), gone)
        for i in gone:
            del last[i]
    messages = root.findall(f"{TT}Event/{WSNT}NotificationMessage")
    check("events", len(messages), len(records.events))
    for x, e in zip(messages, records.events):
        what = f"event {e['id']}"
        topic, message = x.find(f"{WSNT}Topic").text, x.find(f"{WSNT}Message/{TT}Message")
        source, key, data = (items(message, n) for n in ("Source", "Key", "Data"))
        check(f"{what}: Rule", source["Rule"], e["rule"])
        check(f"{what}: camera", source["VideoSourceConfigurationToken"], e["stream"])
        check(f"{what}: Direction", data.get("Direction"), e["direction"])
        object_id = key.get("ObjectId") or data.get("ObjectId")
        check(f"{what}: ObjectId", object_id, str(e["object"]["id"]) if e["object"] else None)
        if e["event"] == "cross":
            check(f"{what}: topic", topic, "tns1:RuleEngine/LineDetector/Crossed")
            check(f"{what}: first item", next(iter(data)), "ObjectId")
        if e["event"] in ("enter", "appear", "leave", "disappear"):
            check(f"{what}: topic", topic, "tns1:RuleEngine/FieldDetector/ObjectsInside")
            check(f"{what}: first item", next(iter(data.items())),
                  ("IsInside", "true" if e["event"] in ("enter", "appear") else "false"))


def mot(records, path):
    rows = [[float(v) for v in line.split(",")] for line in open(path)]
    expected = [(f, o) for f in records.frames for o in f["objects"] if o["id"]]
    check("rows", len(rows), len(expected))
    for row, (f, o) in zip(rows, expected):
        check("columns", len(row), 10)
        check("frame", row[0], f["frame"] + 1)
        check("id", row[1], o["id"])
        for v, e in zip(row[2:6], o["box"]):
            check("box", v, e, 0.0101)
        check("score", row[6], o["score"], 1e-4)
        check("rest", row[7:], [-1, -1, -1])


def coco(records, path):
    ids = {"person": 1, "bicycle": 2, "car": 3, "motorcycle": 4, "bus": 6, "truck": 8}
    known = all(label in ids for label in records.labels.values())
    results = json.load(open(path))
    hold_to_schema("coco", [results])
    expected = [(f, o) for f in records.frames for o in f["objects"]]
    check("results", len(results), len(expected))
    for r, (f, o) in zip(results, expected):
        check("image_id", r["image_id"], f["frame"])
        check("category_id", r["category_id"], ids[o["label"]] if known else o["label_id"] + 1)
        check("bbox", r["bbox"], o["box"])
        check("score", r["score"], o["score"])
        check("track_id", r.get("track_id"), o["id"])


FORMATS = {"dlstreamer": dlstreamer, "deepstream-minimal": deepstream, "savant": savant, "frigate": frigate,
           "onvif": onvif, "mot": mot, "coco": coco}


def hold_form(name, path):
    if name == "onvif":
        onvif_schema(path)
    elif name == "coco":
        hold_to_schema("coco", [json.load(open(path))])
    elif name == "mot":
        for line in open(path):
            check("columns", len([float(v) for v in line.split(",")]), 10)
    else:
        lines_of("record" if name == "fovea" else name, path)
    print("\n".join(faults[:20]) or f"{name}: well formed")


def main():
    if sys.argv[1] == "--form":
        hold_form(*sys.argv[2:])
        return 1 if faults else 0
    name, records, path = sys.argv[1:]
    records = Records(records)
    FORMATS[name](records, path)
    objects = sum(len(f["objects"]) for f in records.frames)
    print("\n".join(faults[:20]) or
          f"{name}: {len(records.frames)} frames, {objects} objects, {len(records.events)} events agree")
    return 1 if faults else 0


sys.exit(main())
