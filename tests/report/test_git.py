"""The commit and whether files changed, as git says it, and without starting it or anything that it would start."""

import os
import subprocess

import pytest

from aistudio.report.git import git

WHO = {f"GIT_{who}_{what}": "x@y" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}


@pytest.fixture
def shell(tmp_path, monkeypatch):
    """Runs lines of a shell in a repository with a few files, a link and folders."""
    for name in [name for name in os.environ if name.startswith("GIT_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    (tmp_path / "repo").mkdir()
    monkeypatch.chdir(tmp_path / "repo")

    def run(lines):
        return subprocess.run(["sh", "-ec", lines], env=os.environ | WHO, check=True, capture_output=True, text=True)

    run(
        "git init -q; mkdir -p d/e; echo 1 >f; echo 2 >d/e/g; echo 3 >d-e; echo 4 >d.e; ln -s f l; git add .;"
        "git commit -qm x"
    )
    return run


HISTORIES = {  # what is done, and whether it leaves the files as they are committed
    "nothing": (":", False),
    "the same size": ("sleep 0.01; echo 9 >f", True),
    "another size": ("echo more >>d/e/g", True),
    "a file is gone": ("rm d-e", True),
    "a file is a link now": ("rm f; ln -s l f", True),
    "a link leads elsewhere": ("ln -sf d l", True),
    "a folder is a file now": ("rm -r d; echo >d", True),
    "staged": ("echo 9 >f; git add f", True),
    "a new file, staged": ("echo 9 >n; git add n", True),
    "a new file, announced": ("echo 9 >n; git add -N n", True),
    "a new file": ("echo 9 >n", False),
    "removed from the index": ("git rm -q --cached f", True),
    "staged and taken back": ("echo 9 >f; git add f; git reset -q f; git checkout -q f", False),
    "touched": ("touch -d 2001-01-01 f", False),
    "packed": ("git gc -q", False),
    "packed and changed": ("git gc -q; echo 9 >f", True),
    "packed refs": ("git pack-refs --all", False),
    "version 3 of the index": ("git update-index --index-version 3", False),
    "version 4 of the index": ("git update-index --index-version 4", False),
    "version 4, changed": ("git update-index --index-version 4; echo 9 >d/e/g", True),
    "no longer looked at": ("git update-index --assume-unchanged f; echo 9 >f", False),
    "left out of the checkout": ("git update-index --skip-worktree f; rm f", False),
    "another branch": ("git checkout -qb other/one", False),
    "no branch": ("git checkout -q --detach", False),
    "a reset of the commit alone": ("echo 9 >f; git commit -qam y; git reset -q --soft HEAD~1", True),
    "a merge in conflict": (
        "git checkout -qb o; echo 8 >f; git commit -qam y; git checkout -q -; echo 9 >f; git commit -qam z;"
        "git merge -q o || true",
        True,
    ),
    "lines end as on Windows": ("git config core.autocrlf true; printf '1\\r\\n' >f; git add --renormalize .", False),
    "a name of two bytes": ("echo >ü; git add .; git commit -qm y", False),
}


@pytest.mark.parametrize("done", HISTORIES)
def test_it_says_what_git_says(done, shell, tmp_path):
    lines, dirty = HISTORIES[done]
    shell(lines)
    found = git(tmp_path / "repo" / "d")
    assert found == {"commit": shell("git rev-parse HEAD").stdout.strip(), "dirty": dirty}
    assert bool(shell("git status --porcelain --untracked-files=no").stdout) is dirty


def test_a_second_working_tree_and_a_clone(shell, tmp_path):
    shell("git worktree add -q ../second; git gc -q; git clone -q . ../clone; echo 9 >../second/f")
    assert git(tmp_path / "second")["dirty"] is True and git(tmp_path / "clone")["dirty"] is False
    assert git(tmp_path / "second")["commit"] == git(tmp_path / "clone")["commit"]


def test_names_of_sha256(shell, tmp_path):
    shell("git init -q --object-format=sha256 ../other; cd ../other; echo 1 >f; git add f; git commit -qm x")
    assert git(tmp_path / "other")["dirty"] is False and len(git(tmp_path / "other")["commit"]) == 64


HOSTILE = {  # a repository's settings that git status starts programs for
    "a monitor": "git config core.fsmonitor 'touch ran;:'",
    "a filter": "git config filter.x.clean 'touch ran; cat'; echo '* filter=x' >.gitattributes; touch -d 2001-01-01 f",
    "a filter that goes on": "git config filter.x.process 'touch ran'; echo '* filter=x' >.gitattributes; touch f",
    "included settings": "printf '[core]\\nfsmonitor = touch ran\\n' >x; git config include.path ../x",
    "hooks": "mkdir h; printf '#!/bin/sh\\ntouch ran\\n' >h/post-index-change; chmod +x h/*; "
    "git config core.hooksPath h; touch -d 2001-01-01 f",
    "a transport": "git config remote.o.url 'ext::sh -c touch% ran'; git config remote.o.promisor true;"
    "git config protocol.ext.allow always; git config extensions.partialClone o;"
    "git config core.repositoryformatversion 1; rm -f .git/objects/$(git rev-parse HEAD^{tree} | sed 's,..,&/,')",
    "a bare repository in the tree": "git init -q --bare sub; cd sub; git config core.bare false;"
    "git config core.worktree ..; git config core.fsmonitor 'touch ran'",
    "a differ": "git config diff.external 'touch ran'; echo 9 >f",
    "a pager": "git config core.pager 'touch ran'; git config pager.status true",
    "another name for it": "git config alias.status '!touch ran'; git config alias.rev-parse '!touch ran'",
    "a program named git": "printf '#!/bin/sh\\ntouch ran\\n' >git; chmod +x git",
}


@pytest.mark.parametrize("said", HOSTILE)
def test_nothing_of_the_repository_is_started(said, shell, tmp_path, monkeypatch):
    folder = tmp_path / "repo"
    shell(HOSTILE[said])
    for path in tmp_path.rglob("ran"):
        path.unlink()
    monkeypatch.setenv("PATH", f".:{folder}:{os.environ['PATH']}")
    monkeypatch.setenv("GIT_EXTERNAL_DIFF", "touch ran")
    monkeypatch.setattr(subprocess, "Popen", None)
    for where in (folder, folder / "sub"):
        if where.exists():
            monkeypatch.chdir(where)
            assert len(git(where)["commit"]) == 40
    assert not [*tmp_path.rglob("ran")]


@pytest.mark.parametrize("said", ["a monitor", "a filter", "included settings", "hooks"])
def test_git_itself_would_have_started_it(said, shell, tmp_path):
    shell(HOSTILE[said] + "; rm -f ran; git status || true")
    assert [*tmp_path.rglob("ran")], "the trap works"


def test_the_environment_names_no_other_repository(shell, tmp_path, monkeypatch):
    shell("git init -q ../other")
    commit = git(tmp_path / "repo")["commit"]
    monkeypatch.setenv("GIT_DIR", str(tmp_path / "other" / ".git"))
    assert git(tmp_path / "repo")["commit"] == commit


BROKEN = {  # what is written over a file of the repository's, and what can be told all the same
    "HEAD names a file above": ("HEAD", b"ref: refs/../../../secret", None),
    "HEAD names itself": ("HEAD", b"ref: HEAD", None),
    "HEAD is text": ("HEAD", b"hunter2", None),
    "HEAD is no text": ("HEAD", b"\xff\xfe", None),
    "HEAD is nothing": ("HEAD", b"", None),
    "a ref goes in a circle": ("HEAD", b"ref: refs/heads/a", None),
    "the index is nothing": ("index", b"", "unknown"),
    "the index is text": ("index", b"DIRC" * 10, "unknown"),
    "the index promises more": ("index", b"DIRC\0\0\0\2\xff\xff\xff\xff", "unknown"),
    "the index is of the future": ("index", b"DIRC\0\0\0\x09\0\0\0\0", "unknown"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_what_cannot_be_read_is_not_known(name, shell, tmp_path):
    path, content, known = BROKEN[name]
    shell("mkdir -p .git/refs/heads; echo 'ref: refs/heads/a' >.git/refs/heads/a")
    (tmp_path / "secret").write_text("hunter2")
    (tmp_path / "repo" / ".git" / path).write_bytes(content)
    found = git(tmp_path / "repo")
    assert found is None if known is None else found["dirty"] is None


def test_pipes_are_not_waited_for(shell, tmp_path):
    folder = tmp_path / "repo"
    (folder / ".git" / "index").unlink()
    os.mkfifo(folder / ".git" / "index")
    assert git(folder)["dirty"] is None
    (folder / ".git" / "HEAD").unlink()
    os.mkfifo(folder / ".git" / "HEAD")
    assert git(folder) is None


def test_outside_of_a_repository(tmp_path):
    assert git(tmp_path) is None
    (tmp_path / ".git").write_text("gitdir: /dev/zero")
    assert git(tmp_path) is None
