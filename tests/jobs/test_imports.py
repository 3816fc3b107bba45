"""What is imported for good: once, never looked through for garbage, and collecting is left as it was."""

import gc

import pytest

from aistudio.jobs import imports, job


@pytest.fixture
def frozen(monkeypatch):
    """How often something was frozen, with what is cached put back."""
    times = []
    monkeypatch.setattr("gc.freeze", lambda: times.append(gc.isenabled()))
    imports.import_for_good.cache_clear()
    yield times
    imports.import_for_good.cache_clear()


def test_a_module_is_frozen_once_while_nothing_is_collected(frozen):
    assert len({job.import_examine() for _ in range(3)}) == 1
    assert frozen == [False] and gc.isenabled()


def test_another_module_is_frozen_too(frozen):
    assert imports.import_for_good("aistudio.cli.rules").main and imports.import_for_good("aistudio.cli.catalog").main
    assert len(frozen) == 2


def test_who_collects_nothing_goes_on_collecting_nothing(frozen):
    gc.disable()
    try:
        imports.import_for_good("aistudio.sanity")
        assert not gc.isenabled()
    finally:
        gc.enable()


def test_collecting_goes_on_where_the_import_fails(frozen):
    with pytest.raises(ModuleNotFoundError):
        imports.import_for_good("aistudio.nothing")
    assert gc.isenabled() and not frozen
