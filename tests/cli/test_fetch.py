"""`aistudio fetch` brings what a configuration or a sweep needs into a mirror, from a server on loopback."""

import hashlib
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from aistudio.cli.main import main
from aistudio.weights import places, published

CONTENT = b"not really weights" * 1000
HASH = hashlib.sha256(CONTENT).hexdigest()[:8]


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        if "missing" in self.path:
            return self.send_error(404)
        self.send_response(200)
        self.send_header("Content-Length", str(len(CONTENT)))
        self.end_headers()
        self.wfile.write(CONTENT)
        return None

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server(monkeypatch, tmp_path):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def listed(name: str) -> str:
    return f"backbone.pretrained.DEFAULT={{file:{name}-{HASH}.pth,megabytes:0.1}}"


def test_a_file_is_fetched_once_and_laid_out_as_torchs_cache(server, tmp_path, capsys):
    mirror = tmp_path / "mirror"
    line = ["fetch", "backbone=resnet18", "backbone.weights=DEFAULT", listed("tiny"), f"weights_dir={mirror}"]
    assert main([*line, "--list"]) == 0
    assert "not on this machine" in capsys.readouterr().out and not mirror.exists()
    assert main([*line, "--from", server]) == 0
    assert (mirror / "hub" / "checkpoints" / f"tiny-{HASH}.pth").read_bytes() == CONTENT
    assert main([*line, "--from", "http://127.0.0.1:1"]) == 0  # it is there
    (mirror / "hub" / "checkpoints" / f"tiny-{HASH}.pth").write_bytes(b"other")
    assert main([*line, "--list"]) == 1
    assert "SHA-256" in capsys.readouterr().out


def test_what_cannot_be_had_is_said(server, tmp_path, capsys):
    line = ["fetch", "backbone=resnet18", "backbone.weights=DEFAULT", listed("missing"), "--from", server]
    assert main(line) == 1
    assert "404" in capsys.readouterr().err
    assert not list(tmp_path.rglob("*.pth"))


def test_a_sweep_is_fetched_for(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert main(["fetch", "backbone=resnet18,resnet34", "backbone.weights=DEFAULT", "--list"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_nothing_to_fetch_and_a_wrong_name(capsys):
    assert main(["fetch", "backbone=resnet18"]) == 0
    assert main(["fetch", "backbone=resnet18", "backbone.weights=IMAGENET"]) == 2
    assert "DEFAULT (nearest), IMAGENET1K_V1" in capsys.readouterr().err


def test_offline_opens_no_socket(monkeypatch, tmp_path, capsys):
    import socket

    def refuse(*arguments, **options):
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket, "socket", refuse)
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    assert main(["backbone=resnet18", "backbone.weights=DEFAULT", "offline=true"]) == 2
    answer = capsys.readouterr().err
    assert "resnet18-f37072fd.pth (44.7 MB)" in answer and str(places.torch_cache()) in answer
    assert published.SOURCE not in answer
