"""A webhook that is often unwell: webhook_server.py PORT LOG KEY MODE [CERT KEYFILE]

Each request that is answered with 2xx is a line in LOG. Requests whose signature, made with KEY, is wrong
are answered 400 and logged as "bad signature". MODE "well" always answers; "unwell" now and then answers
500, hangs for two seconds, resets the connection before or after it has taken the record, or says 429;
"picky" refuses every tenth record for ever; "N" (a number) answers every request with it."""
import hashlib
import hmac
import http.server
import os
import signal
import socket
import ssl
import struct
import sys
import time

port, log, key, mode = int(sys.argv[1]), open(sys.argv[2], "a", buffering=1), sys.argv[3].encode(), sys.argv[4]
requests = 0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *args):
        pass

    def answer(self, code, **headers):
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.close_connection = True
        self.wfile = open(os.devnull, "wb")

    def take(self, body):
        h = self.headers
        log.write(f"{body.decode()} id={h['X-Fovea-Id']} delivery={h['X-Fovea-Delivery']} topic={h['X-Fovea-Topic']}"
                  f" type={h['Content-Type']} auth={h['Authorization']}\n")

    def do_POST(self):
        global requests
        requests += 1
        body = self.rfile.read(int(self.headers["Content-Length"]))
        expected = "sha256=" + hmac.new(key, body, hashlib.sha256).hexdigest()
        if self.headers["X-Fovea-Signature"] != expected:
            log.write("bad signature\n")
            return self.answer(400)
        turn = requests % 20 if mode == "unwell" else -1
        if mode.isdigit():
            return self.answer(int(mode), Location="/elsewhere")
        if mode == "picky" and body.startswith(b'{"n":') and int(body[5:].split(b",")[0]) % 10 == 3:
            return self.answer(422)
        if turn == 3:
            return self.answer(500)
        if turn == 7:
            return self.reset()
        if turn == 11:
            return self.answer(429, Retry_After="1")
        if turn == 15:
            time.sleep(2)
            self.take(body)
            return self.reset()
        self.take(body)
        return self.reset() if turn == 18 else self.answer(204)


http.server.HTTPServer.allow_reuse_address = True
server = http.server.HTTPServer(("127.0.0.1", port), Handler)
if len(sys.argv) > 5:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(sys.argv[5], sys.argv[6])
    server.socket = context.wrap_socket(server.socket, server_side=True)
signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
server.serve_forever()
