"""A server on the loopback whose answers a test decides."""

import http.server
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the site says."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        self.server.asked.append(self.path)
        self.close_connection = True
        self.server.answers.get(self.path, missing)(self)

    def log_message(self, *_):
        pass

    def give(self, content, *, status=200, kind="application/octet-stream", length=True, **headers):
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Connection", "close")
        for name, value in headers.items():
            self.send_header(name, value)
        if length:
            self.send_header("Content-Length", str(len(content) if length is True else length))
        self.end_headers()
        self.wfile.write(content)


def missing(handler):
    handler.give(b"nothing", status=404)


def giving(content, **options):
    return lambda handler: handler.give(content, **options)


def leading_to(address):
    return giving(b"", status=302, Location=address)


class Site(http.server.ThreadingHTTPServer):
    """A server on the loopback, whose answers are functions by path."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.answers, self.asked, self.ended = {}, [], threading.Event()
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    def address(self, path, scheme="http"):
        return f"{scheme}://127.0.0.1:{self.server_port}{path}"

    def handle_error(self, *_):
        pass  # clients that hang up

    def end(self):
        self.ended.set()
        self.shutdown()
        self.server_close()
