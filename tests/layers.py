"""Holds every #include to the layer rule of pipeline/README.md. Exit 1 names each offence."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
# folder -> folders of the project that it may include, besides itself
MAY_USE = {
    "pipeline/base": [],
    "pipeline/gpu": ["pipeline/base", "shaders"],
    "pipeline/graph": ["pipeline/base"],
    "pipeline/vision": ["pipeline/base"],
    "pipeline/desc": ["pipeline/base"],
    "pipeline/infer": ["pipeline/base", "pipeline/gpu", "pipeline/graph", "shaders"],
    "pipeline/detect": ["pipeline/base", "pipeline/graph", "pipeline/gpu", "pipeline/infer", "pipeline/vision", "pipeline/desc"],
    "pipeline/run": ["pipeline", "plugins/common"],
    "plugins": ["pipeline"],
}
# header of a library -> the only folders that may include it
LIBRARIES = {
    r"vulkan/": ["pipeline/gpu"],
    r"gst/": ["plugins", "pipeline/run"],
    r"libav\w+/": ["plugins/src"],
    r"yaml\.h": ["pipeline/desc"],
    r"jansson\.h": ["pipeline/desc"],
    r"protobuf-c/": ["pipeline/graph"],
    r"pango/": ["plugins"],
    r"mosquitto|mqtt_protocol|curl/|librdkafka/": ["plugins/publish"],
}


def folder_of(path, rows):
    return max((r for r in rows if path == r or path.startswith(r + "/")), key=len, default=None)


def main():
    faults = []
    for file in sorted(p for top in ("pipeline", "plugins") for p in (ROOT / top).rglob("*.[ch]")):
        name = file.relative_to(ROOT).as_posix()
        home = folder_of(name, MAY_USE)
        for line, text in enumerate(file.read_text().splitlines(), 1):
            found = re.match(r'\s*#\s*include\s*[<"]([^>"]+)[>"]', text)
            if not found:
                continue
            target = found[1]
            allowed = [home] + MAY_USE.get(home, [])
            if target.split("/")[0] in ("pipeline", "plugins", "shaders") and not folder_of(target, allowed):
                faults.append(f"{name}:{line}: {home} may not include {target}")
            for library, homes in LIBRARIES.items():
                if re.match(library, target) and not folder_of(name, homes):
                    faults.append(f"{name}:{line}: {target} may be included in {', '.join(homes)} only")
    print("\n".join(faults) or "layers: every include is allowed")
    return 1 if faults else 0


sys.exit(main())
