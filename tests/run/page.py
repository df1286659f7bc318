"""Runs the sh blocks of a Markdown page as printed, in one bash, and looks for the lines printed beneath them.

    page.py PAGE.md SAMPLES

A block without a language right beneath an sh block is what that prints: each line has to be there, in order, "..." stands
for anything, and more may be printed in between. Ports of 127.0.0.1 are replaced by free ones.
"""
import os
import pathlib
import re
import shutil
import socket
import subprocess
import sys
import tempfile

BLOCK = re.compile(r"^```sh\n(.*?)^```\n(?:```\n(.*?)^```\n)?", re.M | re.S)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return str(s.getsockname()[1])


def with_free_ports(text):
    ports = set(re.findall(r"127\.0\.0\.1[: ](\d{4,5})\b", text)) | set(re.findall(r"listener (\d+)", text))
    ports |= {"18080"} & set(re.findall(r"\d+", text))
    for port in sorted(ports):
        text = re.sub(rf"\b{port}\b", free_port(), text)
    return text


def is_there(expected, output):
    lines = iter(output.splitlines())
    for line in expected.splitlines():
        pattern = ".*".join(re.escape(part) for part in line.split("..."))
        if not any(re.fullmatch(pattern, l) for l in lines):
            return line
    return None


def main():
    path = os.environ["PATH"] + ":/usr/sbin"
    tools = "gst-launch-1.0", "mosquitto", "mosquitto_sub", "nc", "openssl"
    missing = [t for t in tools if not shutil.which(t, path=path)]
    if missing:
        print(f"0 passed, 0 failed, 1 skipped: not installed: {' '.join(missing)}")
        return 77
    blocks = BLOCK.findall(with_free_ports(pathlib.Path(sys.argv[1]).read_text()))
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        os.symlink(pathlib.Path(sys.argv[2]).resolve(), f"{folder}/samples")
        # A machine under load gets eight times the printed sleeps: with four, a subscriber needed more than its two seconds.
        script = "trap 'kill $(jobs -p) 2>/dev/null' EXIT\nsleep() { for i in 1 2 3 4 5 6 7 8; do command sleep $1; done; }\n" + "".join(
            f"{{\n{code}}} > out.{i} 2>&1\necho $? > code.{i}\n" for i, (code, _) in enumerate(blocks))
        environment = dict(os.environ, PATH=path, XDG_STATE_HOME=folder + "/state")
        subprocess.run(["timeout", "500", "bash", "-c", script], cwd=folder, env=environment, stdin=subprocess.DEVNULL)
        for i, (code, expected) in enumerate(blocks):
            out, status = pathlib.Path(folder, f"out.{i}"), pathlib.Path(folder, f"code.{i}")
            output = out.read_text() if out.exists() else ""
            ok = status.exists() and int(status.read_text()) == 0
            missing = is_there(expected, output)
            if not ok or missing:
                failed += 1
                print(f"FAIL block {i + 1}: {'line missing: ' + missing if missing else 'its exit code'}\n{code}printed\n{output[:3000]}")
    print(f"{len(blocks) - failed} passed, {failed} failed, 0 skipped")
    return 1 if failed or not blocks else 0


sys.exit(main())
