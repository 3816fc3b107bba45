"""Downloads from a server on loopback that behaves as networks do: cut, slow, wrong, redirected, full, gone."""

import errno
import hashlib
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from aistudio.weights import download as module
from aistudio.weights.download import Failed, download
from aistudio.weights.places import absent, find, folders, torch_cache
from aistudio.weights.published import Published, is_path, published

CONTENT = bytes(range(256)) * 4000
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server(ThreadingHTTPServer):
    """Serves `CONTENT` at any path; the path says what goes wrong. ``asked`` are the ranges that were asked for."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Answers)
        self.asked: list[str | None] = []

    def handle_error(self, request, client_address):
        pass  # clients that hang up are what this is about

    def url(self, kind: str) -> str:
        return f"http://127.0.0.1:{self.server_port}/{kind}/weights.pth"


class Answers(BaseHTTPRequestHandler):
    def do_GET(self):
        kind, ranges = self.path.split("/")[1], self.headers.get("Range")
        self.server.asked.append(ranges)
        start = int(ranges[6:-1]) if ranges and kind != "restart" else 0
        if kind == "gone":
            return self.send_error(404)
        if kind == "broken":
            return self.send_error(503)
        if kind == "moved":
            self.send_response(302)
            self.send_header("Location", self.server.url("good"))
            return self.end_headers()
        if kind == "round":
            self.send_response(302)
            self.send_header("Location", self.server.url("round"))
            return self.end_headers()
        if kind == "silent":
            time.sleep(5)
            return None
        if start >= len(CONTENT):
            return self.send_error(416)
        content = (CONTENT if kind != "other" else CONTENT[::-1])[start:]
        self.send_response(206 if start else 200)
        if kind != "unsized":
            self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if kind == "cut":
            content = content[: len(CONTENT) // 3]
        if kind == "stingy":
            content = b""
        for first in range(0, len(content), 200_000):
            self.wfile.write(content[first : first + 200_000])
            if kind == "slow":
                time.sleep(0.1)
            if kind == "stalls" and first:
                time.sleep(3)
        return None

    def log_message(self, *arguments):
        pass


@pytest.fixture
def server():
    server = Server()
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize("kind", ["good", "moved", "slow", "cut", "unsized", "restart"])
def test_what_arrives_is_the_file(kind, server, tmp_path):
    target, seen = tmp_path / "new" / "weights.pth", []
    found = download(server.url(kind), target, SHA256[:8], progress=lambda done, total: seen.append((done, total)))
    assert found == SHA256 and target.read_bytes() == CONTENT
    assert seen[-1][0] == len(CONTENT) and seen == sorted(seen, key=lambda one: one[0])
    assert [path.name for path in target.parent.iterdir()] == ["weights.pth"]


def test_a_cut_line_is_taken_up_where_it_broke(server, tmp_path):
    download(server.url("cut"), tmp_path / "weights.pth", SHA256[:8])
    third = len(CONTENT) // 3
    assert server.asked == [None, *(f"bytes={times * third}-" for times in (1, 2, 3))]


@pytest.mark.parametrize(
    ("kind", "word"),
    [("gone", "404"), ("broken", "503"), ("round", "infinite loop"), ("stingy", "broke off"), ("other", "deleted")],
)
def test_a_failed_download_is_said_in_a_line_and_leaves_no_file(kind, word, server, tmp_path):
    target = tmp_path / "weights.pth"
    with pytest.raises(Failed, match=word) as failed:
        download(server.url(kind), target, SHA256[:8])
    assert len(str(failed.value)) < 300
    assert not target.exists()
    assert not any(path.stat().st_size for path in tmp_path.iterdir())


def test_a_line_that_falls_silent_is_taken_up_again(server, tmp_path):
    assert download(server.url("stalls"), tmp_path / "weights.pth", SHA256[:8], silence=0.3) == SHA256
    assert len(server.asked) > 1


def test_silence_ends(server, tmp_path):
    started = time.perf_counter()
    with pytest.raises(Failed):
        download(server.url("silent"), tmp_path / "weights.pth", silence=0.3)
    assert time.perf_counter() - started < 4
    assert not (tmp_path / "weights.pth").exists()


def test_a_later_call_goes_on_where_an_earlier_one_ended(server, tmp_path):
    (tmp_path / "weights.pth.partial").write_bytes(CONTENT[:5000])
    assert download(server.url("good"), tmp_path / "weights.pth", SHA256[:8]) == SHA256
    assert server.asked == ["bytes=5000-"]


def test_a_partial_file_of_something_else_is_found_out_and_the_next_call_starts_anew(server, tmp_path):
    (tmp_path / "weights.pth.partial").write_bytes(b"other" * 2000)
    with pytest.raises(Failed, match="deleted"):
        download(server.url("good"), tmp_path / "weights.pth", SHA256[:8])
    assert download(server.url("good"), tmp_path / "weights.pth", SHA256[:8]) == SHA256


def test_a_partial_file_that_is_whole_needs_no_more(server, tmp_path):
    (tmp_path / "weights.pth.partial").write_bytes(CONTENT)
    assert download(server.url("good"), tmp_path / "weights.pth", SHA256[:8]) == SHA256


def test_nobody_listens(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/weights.pth"
    with pytest.raises(Failed, match="cannot be reached"):
        download(url, tmp_path / "weights.pth")


@pytest.mark.parametrize("url", ["http://weights.invalid/a.pth", "nonsense", "http://[::/a.pth"])
def test_an_address_of_nothing(url, tmp_path):
    with pytest.raises(Failed, match="cannot be reached"):
        download(url, tmp_path / "weights.pth", silence=3)


def test_looking_up_a_name_has_a_limit_too(tmp_path, monkeypatch):
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **options: time.sleep(5))
    started = time.perf_counter()
    with pytest.raises(Failed, match="cannot be reached"):
        download("http://example.invalid/a.pth", tmp_path / "weights.pth", silence=0.3)
    assert time.perf_counter() - started < 3


def test_a_full_disk_is_named_and_given_its_room_back(server, tmp_path, monkeypatch):
    def full(response, file, progress):
        file.write(b"some")
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(module, "copy", full)
    with pytest.raises(Failed, match="No space left"):
        download(server.url("good"), tmp_path / "weights.pth")
    assert not [*tmp_path.iterdir()]


def test_a_folder_that_cannot_be_made(server, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(Failed, match="cannot be written"):
        download(server.url("good"), tmp_path / "file" / "weights.pth")


def test_two_at_once_download_once(server, tmp_path):
    target, found = tmp_path / "weights.pth", []
    threads = [
        threading.Thread(target=lambda: found.append(download(server.url("slow"), target, SHA256[:8])))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [SHA256] * 3 and target.read_bytes() == CONTENT
    assert len(server.asked) == 1
    assert [path.name for path in tmp_path.iterdir()] == ["weights.pth"]


LISTED = {
    "DEFAULT": "IMAGENET1K_V2",
    "IMAGENET1K_V1": {"file": "tiny-00000000.pth", "megabytes": 1.5},
    "IMAGENET1K_V2": {"file": "tiny-12345678.pth", "megabytes": 2.5, "crop": 224, "resize": 232},
}


def test_a_name_means_one_set_of_weights():
    found = published(LISTED, "Tiny_Weights.DEFAULT")
    assert (found.name, found.file, found.hash, found.crop) == ("IMAGENET1K_V2", "tiny-12345678.pth", "12345678", 224)
    assert published(LISTED, "IMAGENET1K_V3") is None and published(None, "DEFAULT") is None


@pytest.mark.parametrize("file", ["../../tiny-12345678.pth", "/etc/tiny-12345678.pth", "tiny.pth", "", None, 3])
def test_a_list_names_files_that_end_in_their_hash_and_are_in_no_folder(file):
    assert published({"V1": {"file": file, "megabytes": 1.0}}, "V1") is None


def test_a_list_may_say_more_than_is_known_here():
    entry = {"file": "tiny-12345678.pth", "url": "http://elsewhere.invalid", "crop": "224"}
    assert published({"V1": entry}, "V1").url == "https://download.pytorch.org/models/tiny-12345678.pth"


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("DEFAULT", False),
        ("ResNet18_Weights.IMAGENET1K_V1", False),
        ("/data/a", True),
        ("./runs/last", True),
        ("best.pth", True),
        ("BEST.CKPT", True),
        ("model.safetensors", True),
        ("~/w.pt", True),
        (None, False),
        (True, False),
    ],
)
def test_a_path_is_told_from_a_name(text, path):
    assert is_path(text) is path


@pytest.mark.parametrize("within", ["hub/checkpoints", "checkpoints", "."])
def test_a_mirror_is_looked_through_before_the_cache(within, tmp_path):
    weights, mirror, cache = published(LISTED, "DEFAULT"), tmp_path / "mirror", tmp_path / "cache"
    for folder in (mirror / within, cache):
        folder.mkdir(parents=True, exist_ok=True)
    assert find(weights, str(mirror), cache) is None
    (cache / weights.file).write_text("cached")
    assert find(weights, str(mirror), cache) == cache / weights.file
    (mirror / within / weights.file).write_text("mirrored")
    assert find(weights, str(mirror), cache).samefile(mirror / within / weights.file)


def test_torchs_cache_is_where_torch_says(monkeypatch, tmp_path):
    import torch

    for variables in ({"TORCH_HOME": str(tmp_path)}, {"XDG_CACHE_HOME": str(tmp_path)}, {}):
        for name in ("TORCH_HOME", "XDG_CACHE_HOME"):
            monkeypatch.delenv(name, raising=False)
        for name, value in variables.items():
            monkeypatch.setenv(name, value)
        assert str(torch_cache()) == f"{torch.hub.get_dir()}/checkpoints"


def test_what_is_absent_is_named_with_its_size_and_its_place(tmp_path):
    problem = absent("backbone.weights", published(LISTED, "DEFAULT"), str(tmp_path), "offline=true")
    text = f"{problem.what} {problem.why} {problem.instead}"
    for word in ("tiny-12345678.pth", "2.5 MB", str(tmp_path), "offline=true", "backbone.weights=null", "fetch"):
        assert word in text
    assert next(folders(str(tmp_path))) == tmp_path / "hub" / "checkpoints"
    assert isinstance(published(LISTED, "DEFAULT"), Published)
